//! Measurements, printed as ratios to what is measured beside them in the same run: `bitbuilder-benches --help`.

mod generators;
mod many;
mod measure;
mod namespace;
mod pass;
mod refs;
mod remembered;
mod report;
mod repository;
mod startup;
mod state;
mod talk;

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use measure::Binaries;
use namespace::Wrapper;
use report::Row;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};

/// Measurements of BitBuilder Hypervisor. The programs must be built in release mode.
#[derive(Parser)]
struct Cli {
    /// Print JSON instead of a Markdown table.
    #[arg(long, global = true)]
    json: bool,
    /// Directory of the programs that are measured (default: where this one is).
    #[arg(long, global = true, value_name = "DIR")]
    binaries: Option<PathBuf>,
    /// Root of a Debian file tree with podman in it (default: the machine's own podman).
    #[arg(long, global = true, value_name = "DIR")]
    podman: Option<PathBuf>,
    /// Runs of each measurement; the median counts.
    #[arg(long, global = true, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand, Clone, PartialEq, Eq)]
enum What {
    /// Everything below, each in a process of its own.
    All,
    /// The generators beside the bare system calls, podman's quadlet and the shell generator of the requirements.
    Generators,
    /// A look at 1,000 references that did not move, beside the bare look-ups.
    Refs,
    /// Start of bbctl beside a program that does nothing; validation of 1,000 containers.
    Startup,
    /// Passes over 10, 100 and 1,000 tenants on a simulated host, plans of 1,000, and a pass beside bare look-ups.
    Pass,
    /// One run of a command; prints JSON: milliseconds, peakMebibytes, and its exit code.
    Command {
        /// The command and its arguments.
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
        command: Vec<std::ffi::OsString>,
    },
    /// Answers those who talk, until it is ended.
    Listen {
        /// Address and port.
        address: SocketAddr,
    },
    /// Talks to who listens; prints JSON: mebibytesPerSecond, and microseconds of a round trip.
    Talk {
        /// Address and port.
        address: SocketAddr,
    },
}

impl What {
    /// The measurements of [`Self::All`].
    const EACH: [Self; 4] = [Self::Generators, Self::Refs, Self::Startup, Self::Pass];

    fn name(&self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Generators => "generators",
            Self::Refs => "refs",
            Self::Startup => "startup",
            Self::Pass => "pass",
            Self::Command { .. } => "command",
            Self::Listen { .. } => "listen",
            Self::Talk { .. } => "talk",
        }
    }
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let printed = match &cli.what {
        What::Command { command } => command_usage(command),
        What::Listen { address } => talk::listen(*address),
        What::Talk { address } => talk::talk(*address),
        _ => rows(&cli).map(|rows| report::print(&rows, cli.json)),
    };
    match printed {
        Ok(text) => {
            print!("{text}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn command_usage(command: &[std::ffi::OsString]) -> anyhow::Result<String> {
    let (program, arguments) = command.split_first().context("no command")?;
    let usage = measure::usage(Command::new(program).args(arguments))?;
    let value = serde_json::json!({
        "milliseconds": usage.wall.as_secs_f64() * 1e3,
        "peakMebibytes": usage.peak,
        "code": usage.code,
    });
    Ok(format!("{value}\n"))
}

fn rows(cli: &Cli) -> anyhow::Result<Vec<Row>> {
    let binaries = Binaries::new(cli.binaries.clone())?;
    match &cli.what {
        What::All => {
            let mut rows = Vec::new();
            for what in What::EACH {
                eprintln!("measuring: {}", what.name());
                let mut command = Command::new(std::env::current_exe()?);
                rows.extend(again(cli, &what, &mut command)?);
            }
            Ok(rows)
        }
        What::Generators if Wrapper::is_around() => {
            generators::measure(&binaries, cli.podman.as_deref(), cli.runs)
        }
        What::Generators => {
            let wrapper = Wrapper::new()?;
            let mut command = wrapper.command();
            again(
                cli,
                &What::Generators,
                command.arg(std::env::current_exe()?),
            )
        }
        What::Refs => refs::measure(cli.runs),
        What::Startup => startup::measure(&binaries, cli.runs),
        What::Pass => pass::measure(&binaries, cli.runs),
        What::Command { .. } | What::Listen { .. } | What::Talk { .. } => {
            anyhow::bail!("`{}` has no rows", cli.what.name())
        }
    }
}

/// Measures in a process of its own: peak memory of a child includes that of the process that starts it.
fn again(cli: &Cli, what: &What, command: &mut Command) -> anyhow::Result<Vec<Row>> {
    command.args(["--json", "--runs", &cli.runs.to_string()]);
    if let Some(directory) = &cli.binaries {
        command.arg("--binaries").arg(directory);
    }
    if let Some(tree) = &cli.podman {
        command.arg("--podman").arg(tree);
    }
    let output = command
        .arg(what.name())
        .stderr(Stdio::inherit())
        .output()
        .context("cannot run the measurement")?;
    anyhow::ensure!(output.status.success(), "the measurement failed");
    Ok(serde_json::from_slice(&output.stdout)?)
}
