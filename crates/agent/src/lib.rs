//! What systemd and Git start: one binary, `/usr/lib/bitbuilder/agent`, under the names of its [`role`]s.
//!
//! - [`role`]: which role a command line asks for. [`failure`]: errors and exit codes. [`console`]: output that never fails.
//! - [`tenant`], [`network`], [`discover`]: what `setup-tenant@`, `tenant@`, `tenant-network@` and the late boot run.
//! - [`judge`]: whether what was deployed stays.
//! - [`sync`], [`progress`]: one pass, told to the journal or to a person; `boot`: the first one of a boot.
//! - [`health`]: checks of workloads and waiting for them. [`enter`]: a command inside a container, confined as its
//!   processes are. [`child`]: a program with limits on time and output.
//! - [`kvm`]: whether virtual machines run with it.
//! - [`webhook`]: one delivery of a forge.
//! - [`notify`]: who wants to know is told.
//! - [`hooks`]: what a push to an embedded repository meets.

mod boot;
pub mod child;
pub mod console;
pub mod discover;
pub mod enter;
pub mod failure;
pub mod health;
pub mod hooks;
pub mod judge;
pub mod kvm;
pub mod network;
pub mod notify;
pub mod progress;
pub mod registry;
pub mod role;
pub mod sync;
pub mod tenant;
pub mod webhook;

use bitbuilder_host::paths::HostRoot;
use bitbuilder_host::systemd::SystemdHost;
use console::Console;
use failure::Result;
use role::{Health, Role};
use std::process::ExitCode;

/// Runs the role that the command line names.
pub fn main() -> ExitCode {
    match role::parse(std::env::args_os()).and_then(run) {
        Ok(code) => code,
        Err(failure) => {
            failure.report(&Console::stderr());
            failure.exit_code()
        }
    }
}

fn run(role: Role) -> Result<ExitCode> {
    let console = &match role {
        Role::PreReceive | Role::PostReceive => Console::hook(),
        _ => Console::stdout(),
    };
    let host = SystemdHost::new(HostRoot::new("/"));
    match role {
        Role::Help => console.say(role::HELP.trim_end()),
        Role::Provision(id) => tenant::provision(&host, &id, console)?,
        Role::Manage(id) => tenant::manage(&host, &id, console)?,
        Role::CleanUp(id) => tenant::clean_up(&host, &id)?,
        Role::SetUpNetwork(id) => network::set_up(&host, &id)?,
        Role::TearDownNetwork(id) => network::tear_down(&host, &id)?,
        Role::Judge(id) => judge::run(&host, &id, console)?,
        Role::Sync(options) => sync::run(&host, &options, console)?,
        Role::ServeRequests => sync::serve(&host, console)?,
        Role::Request { name, trigger } => sync::request(&host, &name, &trigger)?,
        Role::Health(Health::Check { machine }) => health::check(&host, &machine, console)?,
        Role::Health(Health::Wait { tenant, workload }) => health::wait(&host, &tenant, &workload)?,
        Role::Webhook => webhook::run(&host, console)?,
        Role::Discover => discover::run(&host, console)?,
        Role::Enter(entry) => return enter::run(&entry),
        Role::Probe(accelerator) => kvm::probe(&host, &accelerator, console)?,
        Role::Notify(None) => notify::sort(&host)?,
        Role::Notify(Some(receiver)) => notify::deliver(&host, &receiver)?,
        Role::NotifySend => notify::send(&host, console)?,
        Role::PreReceive => hooks::pre_receive::run(&host, console)?,
        Role::PostReceive => hooks::post_receive::run(&host, console)?,
    }
    Ok(ExitCode::SUCCESS)
}
