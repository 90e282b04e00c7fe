//! `cargo xtask test`: everything that has to hold before a change is taken.

use crate::{deny, generate, machine, repository};
use anyhow::{Result, bail};
use bitbuilder_itest::{command, setup};
use std::time::Instant;

/// A check and its name.
type Step = (&'static str, fn() -> Result<()>);

const QUICK: &[Step] = &[
    ("format", || cargo(&["fmt", "--all", "--", "--check"])),
    ("dependencies", || deny::check(false)),
    ("clippy", clippy),
    ("generated files", || generate::generate(true)),
    ("tests", tests),
];
const BOOTED: &[Step] = &[("booted tests", booted)];

/// Runs every step, also after one failed, and says at the end which did.
///
/// # Errors
/// A program is missing, or a step failed.
pub(crate) fn test(quick: bool) -> Result<()> {
    setup::ensure(setup::TESTS)?;
    let mut steps = QUICK.to_vec();
    if !quick {
        setup::require_root()?;
        steps.extend(BOOTED);
    }
    let mut summary = Vec::new();
    let mut failed = Vec::new();
    for (name, step) in steps {
        println!("== {name}");
        let start = Instant::now();
        let result = step();
        let time = start.elapsed().as_secs_f32();
        let word = if result.is_ok() { "ok" } else { "FAILED" };
        summary.push(format!("{word:>6}  {time:>6.1} s  {name}"));
        if let Err(error) = result {
            println!("{name}: {error:#}");
            failed.push(name);
        }
    }
    println!("\n{}", summary.join("\n"));
    if failed.is_empty() {
        return Ok(());
    }
    bail!("failed: {}", failed.join(", "))
}

fn cargo(arguments: &[&str]) -> Result<()> {
    command::run(repository::cargo().args(arguments))
}

fn clippy() -> Result<()> {
    let workspace = [
        "clippy",
        "--quiet",
        "--locked",
        "--workspace",
        "--all-targets",
    ];
    command::run(
        repository::cargo()
            .args(workspace)
            .args(["--", "-D", "warnings"]),
    )
}

fn tests() -> Result<()> {
    // The harness's own tests that need no host are its library's; its example needs none to compile.
    let harness = "bitbuilder-itest";
    let runs: [&[&str]; 3] = [
        &["--workspace", "--exclude", harness],
        &["--package", harness, "--lib"],
        &["--package", harness, "--doc"],
    ];
    // All of them, also after one failed.
    let failed = runs.map(|which| {
        let test = ["test", "--quiet", "--locked", "--no-fail-fast"];
        let mut cargo = repository::cargo();
        if let (None, Some(scratch)) = (std::env::var_os("TMPDIR"), setup::scratch()) {
            cargo.env("TMPDIR", scratch);
        }
        command::run(cargo.args(test).args(which))
    });
    failed.into_iter().collect()
}

fn booted() -> Result<()> {
    let programs = ["--package", "bitbuilder-itest", "--test", "*"];
    let result = command::run(
        repository::cargo()
            .args(["test", "--locked", "--no-fail-fast"])
            .args(programs),
    );
    machine::close_if_empty()?;
    result
}
