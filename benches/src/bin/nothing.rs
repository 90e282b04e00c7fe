//! Does nothing: what it costs to start and end a program.

fn main() {}
