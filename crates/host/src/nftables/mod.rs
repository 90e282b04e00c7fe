//! Packet rules, through nft(8) 1.1.2 or later and its JSON form, libnftables-json(5).

mod version;

pub use version::version;

use crate::host::HostError;
use crate::tool::{Answer, Tool};
use serde_json::{Value, json};
use std::time::Duration;

const NFT: Tool = Tool {
    program: "nft",
    limit: Duration::from_secs(60),
};

const APPLY: &[&str] = &["-j", "-f", "-"];
const CHECK: &[&str] = &["-c", "-j", "-f", "-"];

/// Applies one transaction: all of it or nothing.
///
/// # Errors
/// What nft says, and the first command of the transaction that it refuses.
pub fn apply(json: &[u8]) -> Result<(), HostError> {
    let answer = NFT.run(APPLY, json)?;
    if answer.status.success() {
        return Ok(());
    }
    Err(HostError::Tool {
        command: NFT.line(APPLY),
        message: explain(json, &answer),
    })
}

/// All rules of the kernel, as libnftables-json(5).
///
/// # Errors
/// What nft says.
pub fn list() -> Result<Vec<u8>, HostError> {
    NFT.check(&["-j", "list", "ruleset"])
}

/// nft names no place in a JSON transaction: the shortest beginning that it refuses ends with the command to blame.
fn explain(json: &[u8], answer: &Answer) -> String {
    let said = answer.stderr.replace("internal:0:0-0: ", "");
    let said = said.trim();
    let parsed: Result<Value, _> = serde_json::from_slice(json);
    let commands = match &parsed {
        Ok(value) => value["nftables"].as_array().map_or(&[][..], Vec::as_slice),
        Err(error) => return format!("the ruleset is not JSON: {error}"),
    };
    match first_refused(commands, accepts) {
        Some(index) => format!("{said} (command {}: {})", index + 1, commands[index]),
        None => said.to_owned(),
    }
}

fn accepts(commands: &[Value]) -> bool {
    let text = json!({ "nftables": commands }).to_string();
    NFT.run(CHECK, text.as_bytes())
        .is_ok_and(|answer| answer.status.success())
}

/// Index of the last command of the shortest beginning that is refused; `None` when all of it is accepted.
fn first_refused(commands: &[Value], accepts: impl Fn(&[Value]) -> bool) -> Option<usize> {
    if accepts(commands) {
        return None;
    }
    let (mut good, mut bad) = (0, commands.len());
    while bad > good + 1 {
        let middle = good.midpoint(bad);
        if accepts(&commands[..middle]) {
            good = middle;
        } else {
            bad = middle;
        }
    }
    bad.checked_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_command_to_blame() {
        let commands: Vec<Value> = (0..100).map(Value::from).collect();
        for bad in 0..100 {
            let found = first_refused(&commands, |beginning| !beginning.contains(&bad.into()));
            assert_eq!(found, Some(bad));
        }
        assert_eq!(first_refused(&commands, |_| true), None);
        assert_eq!(first_refused(&[], |_| false), None);
    }
}
