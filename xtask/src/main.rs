//! Developer commands: `cargo xtask --help`.

mod bench;
mod check;
mod deny;
mod examples;
mod generate;
mod machine;
mod repository;
mod template;

use clap::{Parser, Subcommand};
use machine::Machine;
use std::path::PathBuf;
use std::process::ExitCode;

/// Developer commands of BitBuilder Hypervisor.
#[derive(Parser)]
#[command(bin_name = "cargo xtask")]
struct Cli {
    /// Name of the host: several can run at once.
    #[arg(long, global = true, env = "BITBUILDER_HOST", default_value = "bb")]
    host: String,
    /// A VM host, with a kernel of its own and slower, instead of a container host.
    #[arg(long, global = true)]
    vm: bool,
    #[command(subcommand)]
    command: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Build, install and boot a host, deploy the examples on it; it stays up. Once more: brings it up to date.
    Up,
    /// Destroy the host.
    Down {
        /// Delete every host, and the pool that their trees are in (with `--vm` the disk and the snapshots).
        #[arg(long)]
        purge: bool,
    },
    /// Run a command in the host (default: a login shell); passes its input, output and exit status.
    Shell {
        /// The command and its arguments.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        command: Vec<String>,
    },
    /// Register a directory as a tenant of the host, and push it.
    Push {
        /// A tenant repository; only its files matter, it need not be a Git repository.
        directory: PathBuf,
        /// Tenant id (default: the one in its metadata.json).
        id: Option<String>,
    },
    /// Check everything: format, dependencies, clippy, generated files, tests, tests on booted hosts.
    Test {
        /// Leave the booted tests out: no root is needed.
        #[arg(long)]
        quick: bool,
    },
    /// Measure our programs beside what they stand on; prints a table.
    Bench {
        /// Only these measurements.
        #[arg(value_enum)]
        only: Vec<bench::Part>,
    },
    /// Write the files of the repository that programs write.
    Generate {
        /// Write nothing; fail when a file is not up to date.
        #[arg(long)]
        check: bool,
    },
    /// Check licenses, sources, versions and names of dependencies against deny.toml.
    Deny {
        /// Store the dependencies of our programs as they are now.
        #[arg(long)]
        bless: bool,
    },
    /// Templates of machines.
    Template {
        #[command(subcommand)]
        command: TemplateTask,
    },
    /// Kill PID 1 of the host, or QEMU: a crash.
    Crash,
    /// Boot the host again on the state it has.
    Boot,
    /// Print the host's journal: `journalctl ARGUMENTS`.
    Journal {
        /// Arguments of journalctl.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
}

#[derive(Subcommand)]
enum TemplateTask {
    /// Build a template into the cache; prints its directory and digest.
    Build {
        /// A directory of `templates/`.
        name: String,
        /// Build it twice and compare.
        #[arg(long)]
        check_reproducible: bool,
    },
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(&cli) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: &Cli) -> anyhow::Result<ExitCode> {
    let (host, vm) = (&cli.host, cli.vm);
    let machine = || match vm {
        true => Machine::vm(host),
        false => Machine::container(host),
    };
    match &cli.command {
        Task::Up if vm => machine::up_vm(host)?,
        Task::Up => machine::up(host)?,
        Task::Down { purge: false } => machine()?.destroy()?,
        Task::Down { purge: true } if vm => machine::purge_vm()?,
        Task::Down { purge: true } => machine::purge()?,
        Task::Shell { command } => return machine()?.shell(command),
        Task::Push { directory, id } => machine()?.push(directory, id.as_deref())?,
        Task::Test { quick } => check::test(*quick)?,
        Task::Bench { only } => bench::bench(only)?,
        Task::Generate { check } => generate::generate(*check)?,
        Task::Deny { bless } => deny::check(*bless)?,
        Task::Template {
            command:
                TemplateTask::Build {
                    name,
                    check_reproducible,
                },
        } => template::build(name, *check_reproducible)?,
        Task::Crash => machine()?.crash()?,
        Task::Boot => machine()?.boot()?,
        Task::Journal { arguments } => machine()?.journal(arguments)?,
    }
    Ok(ExitCode::SUCCESS)
}
