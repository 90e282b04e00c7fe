//! The command line of BitBuilder Hypervisor: arguments and presentation; the work is in the other crates.
//!
//! - [`mod@cli`]: what can be typed. `command/`: one file per command: what it calls, and in which order.
//! - `view/`: what is shown of a value, for people; `--json` prints the value itself.
//! - [`mod@error`]: the one place that turns a failure into an exit code and hints.
//! - [`generated()`]: man pages, completions and the reference of the command line, from the same definitions.

pub mod cli;
mod command;
mod context;
pub mod error;
mod generated;
mod registry;
mod scaffold;
mod ui;
mod view;
mod workload;

pub use cli::command;
pub use generated::generated;

use clap::Parser;
use std::process::ExitCode;

/// Runs the command that the arguments of this process say.
pub fn main() -> ExitCode {
    std::panic::set_hook(Box::new(report_defect));
    let cli = cli::Cli::parse();
    let context = context::Context::new(&cli.global);
    match cli.command.run(&context) {
        Ok(exit) => exit.code(),
        Err(error) => error.report(&context.ui),
    }
}

/// A defect of this program, without a trace that means nothing to its user.
fn report_defect(info: &std::panic::PanicHookInfo<'_>) {
    let place = info.location().map(ToString::to_string).unwrap_or_default();
    let payload = info.payload();
    let message = payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("unknown");
    eprintln!("error: bbctl has a defect, {place}: {message}");
    eprintln!(
        "hint: nothing is left half done; the next `bbctl sync` finishes or undoes what was begun"
    );
    std::process::exit(i32::from(error::Exit::Failed.number()));
}
