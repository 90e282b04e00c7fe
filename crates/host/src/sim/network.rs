//! Links and packet rules of the simulated machine.

use super::recorded::Recorded;
use super::state::{State, Table};
use crate::disk;
use crate::host::HostError;
use crate::paths::HostRoot;
use bitbuilder_core::digest::sha256_parts;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ffi::OsString;
use std::fs::{self, DirEntry};
use std::os::unix::fs::DirEntryExt;
use std::path::PathBuf;

/// Files that networkd has read: what is still the same file is not read again, or a reload of a machine with many tenants
/// would be most of what its simulation takes.
#[derive(Default)]
pub(super) struct FilesRead(HashMap<OsString, File>);

/// One of them.
struct File {
    inode: u64,
    link: String,
}

impl FilesRead {
    /// The link that a file is about, when its content has to be looked at.
    fn changed(&mut self, entry: &DirEntry, state: &State) -> Result<Option<String>, HostError> {
        let name = entry.file_name();
        let is = |suffix: &[u8]| name.as_encoded_bytes().ends_with(suffix);
        let (netdev, network) = (is(b".netdev"), is(b".network"));
        if !netdev && !network {
            return Ok(None);
        }
        let known = self.0.get(&name).filter(|file| file.inode == entry.ino());
        if known.is_some_and(|file| network || state.links.contains_key(&file.link)) {
            return Ok(None);
        }
        let path = entry.path();
        let text = fs::read_to_string(&path).map_err(HostError::file(&path))?;
        let link = text.lines().find_map(|line| line.strip_prefix("Name="));
        let Some(link) = link.map(str::to_owned) else {
            return Ok(None);
        };
        let file = File {
            inode: entry.ino(),
            link: link.clone(),
        };
        self.0.insert(name, file);
        Ok((netdev || state.links.contains_key(&link)).then_some(link))
    }
}

/// Makes the links of the `.netdev` files that networkd reads; one that is there stays as it is.
pub(super) fn reload(
    root: &HostRoot,
    state: &mut State,
    files: &mut FilesRead,
) -> Result<(), HostError> {
    for entry in fs::read_dir(root.network()).into_iter().flatten() {
        let entry = entry.map_err(HostError::file(&root.network()))?;
        if let Some(link) = files.changed(&entry, state)? {
            let addresses = addresses(root, &link);
            state.links.insert(link, addresses);
        }
    }
    Ok(())
}

/// Whether links are set up.
pub(super) fn wait(state: &State, wait_for: &[String]) -> Result<(), HostError> {
    let missing: Vec<String> = wait_for
        .iter()
        .filter(|link| !state.links.contains_key(*link) && !state.ports.contains_key(*link))
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

/// Makes the links of a batch, each a port of the bridge that its file names.
pub(super) fn make(root: &HostRoot, state: &mut State, batch: &str) -> Result<(), HostError> {
    for line in batch.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let name = words.windows(2).find(|pair| pair[0] == "name");
        let Some(link) = name.map(|pair| pair[1]) else {
            continue;
        };
        if state.ports.contains_key(link) {
            return Err(HostError::Tool {
                command: "ip -batch -".to_owned(),
                message: "RTNETLINK answers: File exists".to_owned(),
            });
        }
        let file = format!("10-bitbuilder-{link}.network");
        let text = fs::read_to_string(root.network().join(file)).unwrap_or_default();
        let bridge = text.lines().find_map(|line| line.strip_prefix("Bridge="));
        let bridge = bridge.unwrap_or_default().to_owned();
        state.ports.insert(link.to_owned(), bridge);
    }
    Ok(())
}

/// Addresses that networkd gives a link: those of its file. Those of leases in it have no length.
fn addresses(root: &HostRoot, link: &str) -> BTreeSet<String> {
    let file = format!("10-bitbuilder-{link}.network");
    let text = fs::read_to_string(root.network().join(file)).unwrap_or_default();
    let addresses = text
        .lines()
        .filter_map(|line| line.strip_prefix("Address="));
    let own = addresses.filter(|address| address.contains('/'));
    own.map(str::to_owned).collect()
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

/// Where the tables are as nft would list them: a file for each, an object per line.
pub(super) fn listing(root: &HostRoot) -> PathBuf {
    root.join("/nft")
}

/// Writes down what a transaction that was applied did to tables.
pub(super) fn list(root: &HostRoot, json: &[u8]) -> Result<(), HostError> {
    let ruleset: Value = serde_json::from_slice(json).unwrap_or_default();
    let mut tables: BTreeMap<PathBuf, Option<String>> = BTreeMap::new();
    for command in ruleset["nftables"].as_array().into_iter().flatten() {
        let (Ok((verb, what)), Ok((kind, object))) = (
            only(command),
            only(command).and_then(|(_, what)| only(what)),
        ) else {
            continue;
        };
        let of_table = if kind == "table" { "name" } else { "table" };
        let text = |key: &str| object[key].as_str().unwrap_or_default();
        let path = listing(root).join(format!("{}-{}", text("family"), text(of_table)));
        let before = || fs::read_to_string(&path).ok();
        let table = tables.entry(path.clone()).or_insert_with(before);
        match verb {
            "delete" => *table = None,
            _ if kind == "table" => drop(table.get_or_insert_with(|| format!("{what}\n"))),
            _ => table.get_or_insert_default().push_str(&format!("{what}\n")),
        }
    }
    let directory = listing(root);
    fs::create_dir_all(&directory).map_err(HostError::file(&directory))?;
    for (path, table) in tables {
        match table {
            Some(lines) => fs::write(&path, lines).map_err(HostError::file(&path))?,
            None => disk::remove_file(&path).map(drop)?,
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
