//! Links and packet rules of the simulated machine.

use super::recorded::Recorded;
use super::state::{State, Table};
use crate::host::HostError;
use crate::paths::HostRoot;
use bitbuilder_core::digest::sha256_parts;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;

/// Makes the links of the `.netdev` files that networkd reads; one that is there stays as it is.
pub(super) fn reload(
    root: &HostRoot,
    state: &mut State,
    wait_for: &[String],
) -> Result<(), HostError> {
    for entry in fs::read_dir(root.network()).into_iter().flatten() {
        let path = entry.map_err(HostError::file(&root.network()))?.path();
        if path.extension().is_some_and(|kind| kind == "netdev") {
            let text = fs::read_to_string(&path).map_err(HostError::file(&path))?;
            let name = text.lines().find_map(|line| line.strip_prefix("Name="));
            if let Some(name) = name {
                state.links.insert(name, true);
            }
        }
    }
    let missing: Vec<String> = wait_for
        .iter()
        .filter(|link| !state.links.contains_key(*link))
        .map(|link| format!("{link} (does not exist)"))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(HostError::Timeout(format!(
        "waiting for networkd to set up {}",
        missing.join(", ")
    )))
}

/// Applies one transaction to `tables`: all of it or nothing. Knows what the renderer writes: `add` and `delete` of
/// tables, chains, sets, maps, elements and rules.
pub(super) fn apply(tables: &mut Recorded<Table>, json: &[u8]) -> Result<(), HostError> {
    let refuse = |message: String| HostError::Tool {
        command: "nft -j -f -".to_owned(),
        message,
    };
    let ruleset: Value = serde_json::from_slice(json)
        .map_err(|error| refuse(format!("the ruleset is not JSON: {error}")))?;
    let commands = ruleset["nftables"]
        .as_array()
        .ok_or_else(|| refuse("the ruleset has no array `nftables`".to_owned()))?;
    let mut next = BTreeMap::new();
    for (index, command) in commands.iter().enumerate() {
        one(tables, &mut next, command)
            .map_err(|said| refuse(format!("{said} (command {}: {command})", index + 1)))?;
    }
    for (key, table) in next {
        match table {
            Some(table) => tables.insert(key, table),
            None => tables.remove(&key),
        }
    }
    Ok(())
}

/// Tables that a transaction is about, as they are after it; `None` is deleted.
type Next = BTreeMap<String, Option<Table>>;

fn one(tables: &Recorded<Table>, next: &mut Next, command: &Value) -> Result<(), String> {
    const MISSING: &str = "No such file or directory";
    let (verb, what) = only(command)?;
    let (kind, object) = only(what)?;
    let text = |key: &str| object[key].as_str().unwrap_or_default();
    let of_table = if kind == "table" { "name" } else { "table" };
    let key = format!("{} {}", text("family"), text(of_table));
    let before = || tables.get(&key).cloned();
    let entry = next.entry(key.clone()).or_insert_with(before);
    match (verb, kind) {
        ("add", "table") => drop(entry.get_or_insert_default()),
        ("delete", "table") => drop(entry.take().ok_or(MISSING)?),
        ("add", _) => {
            let table = entry.as_mut().ok_or(MISSING)?;
            let said = command.to_string();
            table.digest = sha256_parts([table.digest.as_bytes(), said.as_bytes()]);
            match kind {
                "chain" => drop(table.chains.insert(text("name").to_owned())),
                "set" | "map" => drop(table.sets.insert(text("name").to_owned())),
                "rule" if table.chains.contains(text("chain")) => table.rules += 1,
                "element" if table.sets.contains(text("name")) => {}
                "rule" | "element" => return Err(MISSING.to_owned()),
                _ => return Err("Operation not supported".to_owned()),
            }
        }
        _ => return Err("Operation not supported".to_owned()),
    }
    Ok(())
}

/// The one member of an object.
fn only(value: &Value) -> Result<(&str, &Value), String> {
    let mut members = value.as_object().into_iter().flatten();
    match (members.next(), members.next()) {
        (Some((key, value)), None) => Ok((key, value)),
        _ => Err("syntax error".to_owned()),
    }
}
