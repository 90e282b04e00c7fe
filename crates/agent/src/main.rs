//! The multi-call binary `/usr/lib/bitbuilder/agent`; see the library of this crate.

fn main() -> std::process::ExitCode {
    bitbuilder_agent::main()
}
