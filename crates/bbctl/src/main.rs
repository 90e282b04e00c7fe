//! The command `bbctl`; see the library of this crate.

fn main() -> std::process::ExitCode {
    bitbuilder_bbctl::main()
}
