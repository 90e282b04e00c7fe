//! Health checks of workloads: `tenant-health@` makes one, a workload that depends on others waits for theirs.
//!
//! - [`state`]: what a check means after those before it; pure. [`target`]: which workload a machine is, and whether it
//!   runs. [`probe`]: asking over the network. [`inside`]: asking inside the container.

mod inside;
pub mod probe;
pub mod state;
pub mod target;
mod wait;

pub use wait::wait;

use crate::console::Console;
use crate::failure::Result;
use bitbuilder_core::model::Check;
use bitbuilder_core::report::escape;
use bitbuilder_host::host::Host;
use bitbuilder_host::observe::health::{CheckResult, read_result, write_result};
use bitbuilder_host::reconcile;
use state::{Moment, Outcome};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use target::Target;

/// Makes one check of the workload that is `machine` in machined, and records the result. A workload that fails its
/// check is a result, not a failure; one that does not run has none.
///
/// # Errors
/// When the host's state is unreadable or the result cannot be recorded.
pub fn check(host: &dyn Host, machine: &str, console: &Console) -> Result {
    let root = host.root();
    let Some(target) = Target::of_machine(root, machine)? else {
        console.say(&format!("{machine} has no health check"));
        return Ok(());
    };
    let Some(before) = target.invocation(root) else {
        console.say(&format!("{} does not run", target.unit));
        return Ok(());
    };
    let outcome = ask(&target);
    // What was asked may be another run of it by now.
    if target.invocation(root).as_ref() != Some(&before) {
        return Ok(());
    }
    let (tenant, workload) = (&target.check.tenant, &target.check.workload);
    // A damaged result is as good as none: it is about to be replaced.
    let previous = read_result(root, tenant, workload).ok().flatten();
    let moment = Moment {
        invocation: &before.id,
        check: &target.digest,
        now: host.now(),
        uptime: host.uptime(),
    };
    let health = &target.check.health;
    let limits = (health.start_period, health.retries);
    let next = state::next(previous.as_ref(), &moment, limits, &outcome);
    write_result(root, tenant, workload, &next)?;
    let counts = |result: &CheckResult| result.counts_for(&before.id, &target.digest);
    let known = previous.filter(counts).and_then(|result| result.healthy);
    if known != next.healthy {
        announce(&target, next.healthy, &next.message, console);
        // Whether that ends a window, or what worked does not any more, is decided where all is known.
        host.start_no_block(&[reconcile::judge_unit(tenant)])?;
    }
    Ok(())
}

fn ask(target: &Target) -> Outcome {
    let limit = Duration::from_millis(target.check.health.timeout.0.max(1));
    let address = |port: u16| match target.check.address {
        Some(address) => Ok(SocketAddr::new(IpAddr::V4(address), port)),
        None => Err("it has no network to ask over".to_owned()),
    };
    match &target.check.health.check {
        Check::Tcp(port) => address(*port).and_then(|address| probe::tcp(address, limit)),
        Check::Http { port, path } => {
            address(*port).and_then(|address| probe::http(address, path, limit))
        }
        Check::Answers => {
            address(probe::NOBODYS).and_then(|address| probe::answers(address, limit))
        }
        Check::Command(command) => inside::command(&target.check, command, limit),
        Check::Script(_) => inside::script(target, limit),
    }
}

/// One line when it changes; the number is the priority, sd-daemon(3).
fn announce(target: &Target, healthy: Option<bool>, message: &str, console: &Console) {
    let (tenant, workload) = (&target.check.tenant, &target.check.workload);
    let (priority, word) = match healthy {
        Some(true) => (5, "healthy"),
        Some(false) => (4, "unhealthy"),
        None => (5, "not decided"),
    };
    let message = escape(message);
    console.say(&format!(
        "<{priority}>{tenant}/{workload} is {word}: {message}"
    ));
}
