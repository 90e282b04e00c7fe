//! How a unit came to its end, from the journal: systemd's own messages (systemd.journal-fields(7)), and sudo's.

use crate::host::{HostError, Witness};
use crate::tool::Tool;
use serde_json::Value;
use std::collections::BTreeSet;
use std::time::Duration;

const JOURNAL: Tool = Tool {
    program: "journalctl",
    limit: Duration::from_secs(30),
};

/// Message ids of systemd, sd-messages.h: a unit was started, stops, has stopped, has failed. One that ends by itself does
/// not stop.
const STARTED: &str = "39f53479d3a045ac8e11786248231fbf";
const STOPPING: &str = "de5b426a63be47a7b6ac3eaac82e2f6f";
const STOPPED: &str = "9d1aaa27d60140bd96365438aad20286";
const FAILED: &str = "d9b373ed55a64feb8242e02dbe79a49c";
/// Seconds before the end of a unit in which somebody may have asked for it.
const BEFORE: u64 = 10;

/// Asks the journal of this boot.
pub(super) fn ask(unit: &str) -> Result<Witness, HostError> {
    let field = format!("UNIT={unit}");
    let arguments = [
        "--boot",
        "--output=json",
        "--reverse",
        "--lines=20",
        "--no-pager",
        "--quiet",
        "_PID=1",
        &field,
    ];
    let entries = entries(&JOURNAL.check(&arguments)?);
    let Some(end) = end(&entries) else {
        return Ok(Witness::default());
    };
    if end.by.is_some() {
        return Ok(end);
    }
    let at = end.at.unwrap_or_default();
    let (since, until) = (
        format!("--since=@{}", at.saturating_sub(BEFORE)),
        format!("--until=@{}", at + 1),
    );
    let arguments = [
        "--boot",
        "--output=json",
        "--reverse",
        "--no-pager",
        "--quiet",
        &since,
        &until,
        "SYSLOG_IDENTIFIER=sudo",
    ];
    // Without sudo's messages it stays unknown who it was.
    let said = JOURNAL.check(&arguments).unwrap_or_default();
    Ok(Witness {
        by: asked(&self::entries(&said)),
        ..end
    })
}

/// Those of `units`, which are down, that were stopped in this boot.
pub(super) fn stopped(units: &[&str]) -> Result<BTreeSet<String>, HostError> {
    if units.is_empty() {
        return Ok(BTreeSet::new());
    }
    let ids = [STARTED, STOPPING].map(|id| format!("MESSAGE_ID={id}"));
    let fields: Vec<String> = units.iter().map(|unit| format!("UNIT={unit}")).collect();
    let mut arguments = vec![
        "--boot",
        "--output=json",
        "--output-fields=UNIT,MESSAGE_ID",
        "--no-pager",
        "--quiet",
        "_PID=1",
    ];
    arguments.extend(ids.iter().chain(&fields).map(String::as_str));
    Ok(last_stopped(&entries(&JOURNAL.check(&arguments)?)))
}

/// Units whose last message is that they stop; oldest first.
fn last_stopped(entries: &[Value]) -> BTreeSet<String> {
    let mut stopped = BTreeSet::new();
    for entry in entries {
        let unit = entry["UNIT"].as_str().unwrap_or_default();
        match entry["MESSAGE_ID"] == STOPPING {
            true => drop(stopped.insert(unit.to_owned())),
            false => drop(stopped.remove(unit)),
        }
    }
    stopped
}

fn entries(answer: &[u8]) -> Vec<Value> {
    let lines = answer.split(|byte| *byte == b'\n');
    lines
        .filter_map(|line| serde_json::from_slice(line).ok())
        .collect()
}

/// The last end of the unit; newest first.
fn end(entries: &[Value]) -> Option<Witness> {
    let last = entries.iter().find(|entry| {
        let id = entry["MESSAGE_ID"].as_str().unwrap_or_default();
        [STOPPING, STOPPED, FAILED].contains(&id)
    })?;
    let microseconds: u64 = last["__REALTIME_TIMESTAMP"].as_str()?.parse().ok()?;
    let failed = last["MESSAGE_ID"] == FAILED;
    let result = last["UNIT_RESULT"].as_str().unwrap_or("failure");
    Some(Witness {
        at: Some(microseconds / 1_000_000),
        by: failed.then(|| format!("nobody: its process ended ({result})")),
    })
}

/// Who asked systemd for something by sudo: `olga : TTY=... ; COMMAND=/usr/bin/systemctl stop ...`.
fn asked(entries: &[Value]) -> Option<String> {
    entries.iter().find_map(|entry| {
        let said = entry["MESSAGE"].as_str()?;
        let who = said.split_once(" : ")?.0.trim();
        let (_, command) = said.split_once("COMMAND=")?;
        let program = command.split_whitespace().next()?;
        let asks = ["systemctl", "machinectl"]
            .iter()
            .any(|name| program.ends_with(name));
        asks.then(|| format!("{who}, by sudo {command}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_end_counts() {
        let answer = format!(
            "{{\"MESSAGE_ID\":\"other\",\"__REALTIME_TIMESTAMP\":\"9\"}}\n\
             {{\"MESSAGE_ID\":\"{FAILED}\",\"UNIT_RESULT\":\"exit-code\",\"__REALTIME_TIMESTAMP\":\"5000000\"}}\n\
             {{\"MESSAGE_ID\":\"{STOPPED}\",\"__REALTIME_TIMESTAMP\":\"3000000\"}}\n"
        );
        let end = end(&entries(answer.as_bytes())).unwrap();
        assert_eq!(end.at, Some(5));
        assert_eq!(
            end.by.as_deref(),
            Some("nobody: its process ended (exit-code)")
        );
        assert_eq!(super::end(&[]), None);
    }

    #[test]
    fn what_ended_by_itself_was_not_stopped() {
        let said = |unit: &str, id: &str| serde_json::json!({ "UNIT": unit, "MESSAGE_ID": id });
        let entries = [
            said("a", STARTED),
            said("b", STARTED),
            said("a", STOPPING),
            said("b", STOPPING),
            said("b", STARTED),
        ];
        let stopped = last_stopped(&entries);
        assert_eq!(stopped.into_iter().collect::<Vec<_>>(), ["a"]);
    }

    #[test]
    fn sudo_names_who_asked() {
        let answer = br#"{"MESSAGE":"olga : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/usr/bin/systemctl stop tenant@shop"}
{"MESSAGE":"tess : PWD=/ ; USER=root ; COMMAND=/usr/bin/true"}"#;
        let by = "olga, by sudo /usr/bin/systemctl stop tenant@shop";
        assert_eq!(asked(&entries(answer)).as_deref(), Some(by));
        assert_eq!(asked(&entries(&answer[answer.len() - 50..])), None);
    }
}
