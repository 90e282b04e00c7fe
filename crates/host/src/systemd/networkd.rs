//! networkd, through networkctl(1) of systemd 257 or later.

use super::shared;
use crate::host::HostError;
use crate::paths::HostRoot;
use crate::tool::Tool;
use serde::Deserialize;
use std::thread;
use std::time::{Duration, Instant};

pub(super) const NETWORKCTL: Tool = Tool {
    program: "networkctl",
    limit: Duration::from_secs(60),
};

/// Links are there after some ten milliseconds; a loaded machine takes longer.
const LIMIT: Duration = Duration::from_secs(30);
/// Between two looks, at first. Each look is a process, and a hundred tenants that start at once look each for its own.
const POLL: Duration = Duration::from_millis(20);
const LONGEST_POLL: Duration = Duration::from_millis(320);

/// Makes networkd read its files and waits until every link of `wait_for` exists and is set up.
pub(super) fn reload(root: &HostRoot, wait_for: &[String]) -> Result<(), HostError> {
    shared::run(&root.runtime().join("networkd.reload"), read_files)?;
    settle(wait_for)
}

/// networkd refuses a second reload while one goes on, whoever asked for that. It may have begun before our files were there,
/// so ours has to be taken too.
fn read_files() -> Result<(), HostError> {
    let arguments = ["--no-ask-password", "reload"];
    let deadline = Instant::now() + LIMIT;
    loop {
        let answer = NETWORKCTL.run(&arguments, b"")?;
        if answer.status.success() {
            return Ok(());
        }
        if !is_busy(&answer.stderr) || Instant::now() > deadline {
            return Err(NETWORKCTL.failure(&arguments, &answer));
        }
        thread::sleep(POLL);
    }
}

/// Whether networkd refused a reload because of another one.
fn is_busy(said: &str) -> bool {
    said.contains("io.systemd.Network.AlreadyReloading")
}

/// Waits until every link of `wait_for` exists and is set up.
pub(super) fn settle(wait_for: &[String]) -> Result<(), HostError> {
    let deadline = Instant::now() + LIMIT;
    let mut pause = POLL;
    loop {
        let waiting = unsettled(wait_for)?;
        if waiting.is_empty() {
            return Ok(());
        }
        if Instant::now() > deadline {
            let what = format!("waiting for networkd to set up {}", waiting.join(", "));
            return Err(HostError::Timeout(what));
        }
        thread::sleep(pause);
        pause = (2 * pause).min(LONGEST_POLL);
    }
}

/// Removes the links that exist.
pub(super) fn delete(root: &HostRoot, links: &[String]) -> Result<(), HostError> {
    let existing: Vec<&str> = links
        .iter()
        .filter(|link| exists(root, link))
        .map(String::as_str)
        .collect();
    if existing.is_empty() {
        return Ok(());
    }
    let mut arguments = vec!["--no-ask-password", "delete", "--"];
    arguments.extend(&existing);
    let answer = NETWORKCTL.run(&arguments, b"")?;
    // One that went away in between makes the whole call fail: what counts is what is left.
    if answer.status.success() || !existing.iter().any(|link| exists(root, link)) {
        return Ok(());
    }
    Err(NETWORKCTL.failure(&arguments, &answer))
}

fn exists(root: &HostRoot, link: &str) -> bool {
    root.join("/sys/class/net").join(link).exists()
}

/// One link, as `networkctl list --json` says it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Link {
    name: String,
    administrative_state: String,
}

/// Those of `links` that do not exist or are not set up yet, with their state.
fn unsettled(links: &[String]) -> Result<Vec<String>, HostError> {
    if links.is_empty() {
        return Ok(Vec::new());
    }
    let mut arguments = vec!["--no-pager", "--json=short", "list", "--"];
    arguments.extend(links.iter().map(String::as_str));
    // The exit status says that one of them does not exist; the others are listed all the same.
    let answer = NETWORKCTL.run(&arguments, b"")?;
    let found = parse_links(&answer.stdout).map_err(|error| HostError::Tool {
        command: NETWORKCTL.line(&arguments),
        message: format!("its answer is not understood: {error}"),
    })?;
    if let Some(link) = found
        .iter()
        .find(|link| link.administrative_state == "failed")
    {
        return Err(HostError::Tool {
            command: NETWORKCTL.line(&["reload"]),
            message: format!(
                "networkd could not set up {}: see `journalctl -u systemd-networkd`",
                link.name
            ),
        });
    }
    Ok(links
        .iter()
        .filter_map(|name| match found.iter().find(|link| link.name == *name) {
            None => Some(format!("{name} (does not exist)")),
            // Without a .network file that matches, existing is all there is to wait for.
            Some(link)
                if matches!(
                    link.administrative_state.as_str(),
                    "configured" | "unmanaged"
                ) =>
            {
                None
            }
            Some(link) => Some(format!("{name} ({})", link.administrative_state)),
        })
        .collect())
}

/// One JSON object per link, one after the other.
fn parse_links(answer: &[u8]) -> serde_json::Result<Vec<Link>> {
    serde_json::Deserializer::from_slice(answer)
        .into_iter()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_another_reload_is_waited_for() {
        assert!(is_busy(
            "Failed to call io.systemd.Network.Reload varlink method: io.systemd.Network.AlreadyReloading"
        ));
        assert!(!is_busy(
            "Failed to call io.systemd.Network.Reload varlink method: io.systemd.System.PermissionDenied"
        ));
    }

    #[test]
    fn reads_a_stream_of_links() {
        let answer = br#"{"Index":4,"Name":"br-t2","AdministrativeState":"pending"}
{"Index":5,"Name":"br-t1","AdministrativeState":"configured","Routes":[]}
"#;
        let links = parse_links(answer).unwrap();
        assert_eq!(links.len(), 2);
        assert_eq!(links[1].name, "br-t1");
        assert_eq!(links[1].administrative_state, "configured");
        assert!(parse_links(b"").unwrap().is_empty());
    }
}
