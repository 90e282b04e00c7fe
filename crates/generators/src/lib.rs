//! The two systemd generators (systemd.generator(7)): they place what generations contain already, and decide nothing.
//! They run before any service, at boot and at every reload of the manager: local files only, no process, no IPC.
//!
//! - [`registry`]: which tenants there are, and which of them are enabled.
//! - [`boot`]: the links that a generation asks for, checked before any is made.
//! - [`names`]: the units that a tenant may own; nothing else of the host can be shadowed.
//! - [`index`]: all those links in one file.
//! - [`host`]: links that the host's own units get.
//! - [`calls`]: the system calls that make them. [`output`]: makes them in the generator directory, a tenant's all or none.
//! - [`trials`]: generations that an earlier start of the host was trying.
//! - [`generate()`]: all of it for every tenant. [`log`]: what went wrong, in the kernel's log. [`main()`]: the program.

mod boot;
mod calls;
mod file;
mod generate;
mod host;
pub mod index;
mod log;
mod names;
mod output;
mod registry;
mod trials;

pub use boot::Generator;
pub use generate::{Trouble, generate};

use std::path::Path;
use std::process::ExitCode;

/// The whole program of `generator`: `argv` as systemd gives it, `/` as the root.
///
/// Damage is in the kernel's log and is no failure; only a generator directory that cannot be opened is one.
pub fn main(generator: Generator) -> ExitCode {
    let mut log = log::Log::new(generator.program());
    let Some(normal) = std::env::args_os().nth(1) else {
        log.line("usage: NORMAL-DIR [EARLY-DIR LATE-DIR], see systemd.generator(7)");
        return ExitCode::FAILURE;
    };
    let result = generate(
        generator,
        Path::new("/"),
        Path::new(&normal),
        &mut |trouble| log.trouble(trouble),
    );
    log.finish();
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log.line(&format!("{}: {error}", Path::new(&normal).display()));
            ExitCode::FAILURE
        }
    }
}
