//! The manager, through systemctl(1) of systemd 254 or later.

use super::{failure, witness};
use crate::host::{HostError, UnitState};
use crate::paths::HostRoot;
use crate::tool::Tool;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

/// Questions.
pub(super) const QUERY: Tool = systemctl(60);
/// A reload waits for the generators, which have 90 seconds of their own.
const RELOAD: Tool = systemctl(180);
/// Jobs: the units' own timeouts come first; a workload may wait for the health of another one.
const JOBS: Tool = systemctl(900);

const fn systemctl(seconds: u64) -> Tool {
    Tool {
        program: "systemctl",
        limit: Duration::from_secs(seconds),
    }
}

/// Major version of systemd.
pub(super) fn version() -> Result<u32, HostError> {
    const ARGUMENTS: [&str; 1] = ["--version"];
    let answer = QUERY.check(&ARGUMENTS)?;
    parse_version(&answer).ok_or_else(|| HostError::Tool {
        command: QUERY.line(&ARGUMENTS),
        message: "its answer is not understood".to_owned(),
    })
}

/// The number in `systemd 262 (262.1-1)`.
fn parse_version(answer: &[u8]) -> Option<u32> {
    let text = String::from_utf8_lossy(answer);
    let version = text.strip_prefix("systemd ")?;
    let digits = version.find(|c: char| !c.is_ascii_digit());
    version.get(..digits?)?.parse().ok()
}

/// systemctl(1) daemon-reload.
pub(super) fn daemon_reload() -> Result<(), HostError> {
    RELOAD
        .check(&["--no-ask-password", "daemon-reload"])
        .map(drop)
}

/// Starts all and waits; the error names those that failed, and why.
pub(super) fn start(units: &[String]) -> Result<(), HostError> {
    run_jobs(&["--no-ask-password", "start", "--"], units)
}

/// Queues the starts.
pub(super) fn start_no_block(units: &[String]) -> Result<(), HostError> {
    run_jobs(&["--no-ask-password", "--no-block", "start", "--"], units)
}

/// Stops all that the manager knows, and waits.
pub(super) fn stop(units: &[String]) -> Result<(), HostError> {
    let known = known(units)?;
    run_jobs(&["--no-ask-password", "stop", "--"], &known)
}

/// Fails unless the manager has read the unit's files since they changed.
///
/// A reload applies changed resource settings to a running unit by itself: the manager sets up its control group again.
/// (`systemctl set-property --runtime` would leave a drop-in in `/run` that hides those of later generations.)
pub(super) fn require_loaded_anew(unit: &str) -> Result<(), HostError> {
    let arguments = ["show", "--property=NeedDaemonReload", "--value", "--", unit];
    let answer = QUERY.check(&arguments)?;
    if answer.trim_ascii() == b"no" {
        return Ok(());
    }
    Err(HostError::Tool {
        command: format!("daemon-reload for the changed properties of {unit}"),
        message: "the manager still has the old settings".to_owned(),
    })
}

/// Beginnings of the names of containers and machines.
const MACHINES: [&str; 2] = ["systemd-nspawn@", "systemd-vmspawn@"];

/// States of the loaded units that match.
pub(super) fn units(
    root: &HostRoot,
    patterns: &[&str],
) -> Result<BTreeMap<String, UnitState>, HostError> {
    if patterns.is_empty() {
        return Ok(BTreeMap::new());
    }
    let mut arguments = vec![
        "list-units",
        "--all",
        "--full",
        "--output=json",
        "--no-pager",
        "--",
    ];
    arguments.extend(patterns);
    let answer = QUERY.check(&arguments)?;
    let listed = parse_list(&answer).map_err(|error| HostError::Tool {
        command: QUERY.line(&arguments),
        message: format!("its answer is not understood: {error}"),
    })?;
    let invocations = root.join("/run/systemd/units");
    let down = listed.iter().filter(|unit| {
        unit.active == "inactive" && MACHINES.iter().any(|prefix| unit.unit.starts_with(prefix))
    });
    let down: Vec<&str> = down.map(|unit| unit.unit.as_str()).collect();
    // Without the journal nobody is known to have stopped anything.
    let stopped = witness::stopped(&down).unwrap_or_default();
    Ok(listed
        .into_iter()
        .filter(|unit| unit.load != "not-found" || unit.active != "inactive")
        .map(|unit| {
            // The manager leaves this link for the journal.
            let link = invocations.join(format!("invocation:{}", unit.unit));
            let invocation = fs::read_link(link).unwrap_or_default();
            let state = UnitState {
                load: unit.load,
                active: unit.active,
                sub: unit.sub,
                invocation: invocation.to_string_lossy().into_owned(),
                stopped: stopped.contains(&unit.unit),
            };
            (unit.unit, state)
        })
        .collect())
}

/// One unit of `systemctl list-units --output=json`.
#[derive(Debug, Deserialize)]
struct Listed {
    unit: String,
    load: String,
    active: String,
    sub: String,
}

fn parse_list(answer: &[u8]) -> serde_json::Result<Vec<Listed>> {
    serde_json::from_slice(answer)
}

fn run_jobs(verb: &[&str], units: &[String]) -> Result<(), HostError> {
    if units.is_empty() {
        return Ok(());
    }
    let mut arguments = verb.to_vec();
    arguments.extend(units.iter().map(String::as_str));
    let answer = JOBS.run(&arguments, b"")?;
    if answer.status.success() {
        return Ok(());
    }
    Err(HostError::Tool {
        command: JOBS.line(&arguments),
        message: failure::describe(units, &answer.stderr),
    })
}

/// Those of `units` that have a unit file or run.
fn known(units: &[String]) -> Result<Vec<String>, HostError> {
    if units.is_empty() {
        return Ok(Vec::new());
    }
    let mut arguments = vec!["show", "--property=Id,LoadState,ActiveState", "--"];
    arguments.extend(units.iter().map(String::as_str));
    let answer = QUERY.check(&arguments)?;
    Ok(parse_blocks(&answer)
        .into_iter()
        .filter(|unit| {
            let is = |key: &str, value: &str| unit.get(key).is_some_and(|found| found == value);
            !is("LoadState", "not-found")
                || !(is("ActiveState", "inactive") || is("ActiveState", "failed"))
        })
        .filter_map(|mut unit| unit.remove("Id"))
        .collect())
}

/// The answer of `systemctl show` about several units: `Key=value` lines, units separated by empty lines.
pub(super) fn parse_blocks(answer: &[u8]) -> Vec<BTreeMap<String, String>> {
    String::from_utf8_lossy(answer)
        .split("\n\n")
        .map(|block| {
            block
                .lines()
                .filter_map(|line| line.split_once('='))
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .collect::<BTreeMap<_, _>>()
        })
        .filter(|unit| !unit.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_list() {
        let answer = br#"[{"unit":"foo.service","load":"loaded","active":"active","sub":"running","description":"x"}]"#;
        let units = parse_list(answer).unwrap();
        assert_eq!(units.len(), 1);
        assert_eq!(units[0].unit, "foo.service");
        assert_eq!(units[0].sub, "running");
    }

    #[test]
    fn reads_the_version() {
        assert_eq!(parse_version(b"systemd 262 (262.1-1)\n+PAM"), Some(262));
        assert_eq!(parse_version(b"systemd 263~rc1 (x)"), Some(263));
        assert_eq!(parse_version(b"something else"), None);
    }

    #[test]
    fn reads_blocks_of_properties() {
        let answer = b"Id=nope.service\nLoadState=not-found\nActiveState=inactive\n\nId=foo.service\nRequires=a.service b=c.service\n";
        let blocks = parse_blocks(answer);
        assert_eq!(blocks.len(), 2);
        assert_eq!(blocks[0]["LoadState"], "not-found");
        assert_eq!(blocks[1]["Requires"], "a.service b=c.service");
    }
}
