//! Tests with real repositories, each in its own directory.
