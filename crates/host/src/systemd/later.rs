//! Starts of units at a later time: transient timers, systemd-run(1).

use super::manager;
use crate::host::HostError;
use crate::tool::Tool;
use std::time::Duration;

const RUN: Tool = Tool {
    program: "systemd-run",
    limit: Duration::from_secs(60),
};

/// A timer that starts the service `unit` after each of `delays`, and is gone then.
pub(super) fn arm(unit: &str, delays: &[u64]) -> Result<(), HostError> {
    forget(unit)?;
    let unit = format!("--unit={unit}");
    let delays: Vec<String> = delays
        .iter()
        .map(|delay| format!("--timer-property=OnActiveSec={delay}ms"))
        .collect();
    let mut arguments = vec![
        "--quiet",
        "--no-ask-password",
        unit.as_str(),
        "--timer-property=AccuracySec=100ms",
        "--timer-property=RemainAfterElapse=no",
    ];
    arguments.extend(delays.iter().map(String::as_str));
    RUN.check(&arguments).map(drop)
}

/// Takes the timer away.
pub(super) fn forget(unit: &str) -> Result<(), HostError> {
    let timer = unit.strip_suffix(".service").unwrap_or(unit);
    manager::stop(&[format!("{timer}.timer")])
}
