//! `mount-generator`: see the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    bitbuilder_generators::main(bitbuilder_generators::Generator::Mount)
}
