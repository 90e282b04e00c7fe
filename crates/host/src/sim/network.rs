//! Links and packet rules of the simulated machine.

use super::state::{Part, State};
use crate::disk;
use crate::host::HostError;
use crate::paths::HostRoot;
use bitbuilder_core::digest::sha256_parts;
use bitbuilder_core::nftables;
use serde_json::{Value, json};
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

/// Applies one transaction to the rules: all of it or nothing. Knows what we write: chains, sets, maps, rules and elements.
pub(super) fn apply(state: &mut State, json: &[u8]) -> Result<(), HostError> {
    let refuse = |message: String| HostError::Tool {
        command: "nft -j -f -".to_owned(),
        message,
    };
    let ruleset: Value = serde_json::from_slice(json)
        .map_err(|error| refuse(format!("the ruleset is not JSON: {error}")))?;
    let commands = ruleset["nftables"]
        .as_array()
        .ok_or_else(|| refuse("the ruleset has no array `nftables`".to_owned()))?;
    let mut next = Next {
        state,
        parts: BTreeMap::new(),
        keys: BTreeMap::new(),
    };
    for (index, command) in commands.iter().enumerate() {
        next.one(command)
            .map_err(|said| refuse(format!("{said} (command {}: {command})", index + 1)))?;
    }
    let Next { parts, keys, .. } = next;
    for (key, part) in parts {
        match part == Part::default() {
            true => state.parts.remove(&key),
            false => state.parts.insert(key, part),
        }
    }
    for (key, chain) in keys {
        match chain {
            Some(chain) => state.keys.insert(key, chain),
            None => state.keys.remove(&key),
        }
    }
    Ok(())
}

/// A command: what is done with what kind of thing, and the thing.
struct Command<'a> {
    verb: &'a str,
    kind: &'a str,
    object: &'a Value,
}

impl<'a> Command<'a> {
    fn of(command: &'a Value) -> Result<Self, String> {
        let (verb, what) = only(command)?;
        let (kind, object) = only(what)?;
        Ok(Self { verb, kind, object })
    }

    fn text(&self, key: &str) -> &'a str {
        self.object[key].as_str().unwrap_or_default()
    }

    /// The chain of a rule, or what a thing is called.
    fn name(&self) -> &'a str {
        self.text(if self.kind == "rule" { "chain" } else { "name" })
    }

    /// The part that it is about: family and owner.
    fn part(&self) -> String {
        let owner = nftables::owner(self.name()).map_or("", |(owner, _)| owner);
        format!("{} {owner}", self.text("family"))
    }
}

/// Rules as they are after a transaction.
struct Next<'a> {
    state: &'a State,
    parts: BTreeMap<String, Part>,
    /// Keys of maps with the chains to which they lead; `None` is taken away.
    keys: BTreeMap<String, Option<String>>,
}

const MISSING: &str = "No such file or directory";

impl Next<'_> {
    fn one(&mut self, command: &Value) -> Result<(), String> {
        let command = Command::of(command)?;
        if command.kind == "element" {
            return self.elements(&command);
        }
        let key = command.part();
        let known = || self.state.parts.get(&key).cloned().unwrap_or_default();
        let part = self.parts.entry(key.clone()).or_insert_with(known);
        let name = command.name().to_owned();
        let object = format!("{} {name}", command.kind);
        match (command.verb, command.kind) {
            ("add", "table") => {}
            ("destroy", "table") => self.destroy(command.text("family")),
            ("add", "chain" | "set" | "map") => {
                let said = short(&[command.object.to_string().as_bytes()]);
                part.objects.entry(object).or_insert(said);
            }
            ("add", "rule") if part.objects.contains_key(&format!("chain {name}")) => {
                let before = part.rules.get(&name).cloned().unwrap_or_default();
                let said = command.object.to_string();
                let digest = short(&[before.as_bytes(), said.as_bytes()]);
                part.rules.insert(name, digest);
            }
            ("flush", "chain") if part.objects.contains_key(&object) => {
                part.rules.remove(&name);
            }
            ("delete" | "destroy", "chain" | "set") => {
                part.rules.remove(&name);
                let there = part.objects.remove(&object).is_some();
                if command.verb == "delete" && !there {
                    return Err(MISSING.to_owned());
                }
            }
            ("add", "rule") | ("flush", "chain") => return Err(MISSING.to_owned()),
            _ => return Err("Operation not supported".to_owned()),
        }
        Ok(())
    }

    /// Takes everything of a family away.
    fn destroy(&mut self, family: &str) {
        let is = |key: &&String| key.split(' ').next() == Some(family);
        let parts = self.state.parts.keys().chain(self.parts.keys());
        let parts: Vec<String> = parts.filter(is).cloned().collect();
        let keys = self.state.keys.keys().chain(self.keys.keys());
        let keys: Vec<String> = keys.filter(is).cloned().collect();
        self.parts
            .extend(parts.into_iter().map(|key| (key, Part::default())));
        self.keys.extend(keys.into_iter().map(|key| (key, None)));
    }

    fn elements(&mut self, command: &Command<'_>) -> Result<(), String> {
        for element in command.object["elem"].as_array().into_iter().flatten() {
            let (key, chain) = match command.verb {
                "add" => (&element[0], element[1]["goto"]["target"].as_str()),
                _ => (element, None),
            };
            let key = format!("{} {} {key}", command.text("family"), command.name());
            let known = self.state.keys.get(&key);
            let known = self.keys.get(&key).map_or(known, Option::as_ref);
            match (command.verb, known) {
                ("add", Some(known)) if Some(known.as_str()) != chain => {
                    return Err("File exists".to_owned());
                }
                ("delete", None) => return Err(MISSING.to_owned()),
                _ => {}
            }
            self.keys.insert(key, chain.map(str::to_owned));
        }
        Ok(())
    }
}

fn short(parts: &[&[u8]]) -> String {
    let mut digest = sha256_parts(parts.iter().copied());
    digest.truncate(16);
    digest
}

/// Where the rules are as nft would list them: a file for each part, an object per line.
pub(super) fn listing(root: &HostRoot) -> PathBuf {
    root.join("/nft")
}

/// The parts of the tables, each with the keys that lead to its chains.
pub(super) fn rules(state: &State) -> BTreeMap<String, Part> {
    let mut parts = BTreeMap::clone(&state.parts);
    for (key, chain) in state.keys.iter() {
        let (family, rest) = key.split_once(' ').unwrap_or_default();
        let owner = nftables::owner(chain).map_or("", |(owner, _)| owner);
        let part = parts.entry(format!("{family} {owner}")).or_default();
        part.objects.insert(format!("key {rest}"), chain.clone());
    }
    parts
}

/// All rules, as nft lists them.
pub(super) fn ruleset(root: &HostRoot, state: &State) -> Result<Value, HostError> {
    let mut objects: Vec<Value> = Vec::new();
    for entry in fs::read_dir(listing(root)).into_iter().flatten() {
        let path = entry.map_err(HostError::file(root.path()))?.path();
        let text = fs::read_to_string(&path).map_err(HostError::file(&path))?;
        let lines = text.lines();
        objects.extend(lines.filter_map(|line| serde_json::from_str(line).ok()));
    }
    let mut maps: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for (key, chain) in state.keys.iter() {
        let at = key
            .match_indices(' ')
            .nth(1)
            .map_or(key.len(), |(at, _)| at);
        let (map, key) = key.split_at(at);
        let key: Value = serde_json::from_str(key).unwrap_or_default();
        let pair = json!([key, {"goto": {"target": chain}}]);
        maps.entry(map.to_owned()).or_default().push(pair);
    }
    for object in &mut objects {
        if let Some(map) = object.get_mut("map") {
            let text = |key: &str| map[key].as_str().unwrap_or_default();
            let pairs = maps.remove(&format!("{} {}", text("family"), text("name")));
            if let Some(pairs) = pairs {
                map["elem"] = pairs.into();
            }
        }
    }
    Ok(json!({ "nftables": objects }))
}

/// Writes down what a transaction that was applied did to parts.
pub(super) fn list(root: &HostRoot, json: &[u8]) -> Result<(), HostError> {
    let ruleset: Value = serde_json::from_slice(json).unwrap_or_default();
    let mut parts: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    let path = |part: &str| listing(root).join(part.trim_end().replace(' ', "-"));
    for command in ruleset["nftables"].as_array().into_iter().flatten() {
        let Ok(command) = Command::of(command) else {
            continue;
        };
        if command.kind == "element" {
            continue;
        }
        if (command.verb, command.kind) == ("destroy", "table") {
            for entry in fs::read_dir(listing(root)).into_iter().flatten().flatten() {
                let name = entry.file_name();
                if name.to_string_lossy().starts_with(command.text("family")) {
                    disk::remove_file(&entry.path())?;
                }
            }
            continue;
        }
        let part = command.part();
        let before = || fs::read_to_string(path(&part)).unwrap_or_default();
        let read = |text: String| {
            text.lines()
                .filter_map(|line| serde_json::from_str(line).ok())
                .collect()
        };
        let lines = parts.entry(part.clone()).or_insert_with(|| read(before()));
        let (kind, name) = (command.kind, command.name());
        let is = |line: &Value, kind: &str, key: &str| line[kind][key] == name;
        match command.verb {
            "add" if kind != "rule" && lines.iter().any(|line| is(line, kind, "name")) => {}
            "add" => lines.push(json!({ kind: command.object })),
            "flush" => lines.retain(|line| !is(line, "rule", "chain")),
            _ => lines.retain(|line| {
                !(is(line, kind, "name") || kind == "chain" && is(line, "rule", "chain"))
            }),
        }
    }
    let directory = listing(root);
    fs::create_dir_all(&directory).map_err(HostError::file(&directory))?;
    for (part, lines) in parts {
        let path = path(&part);
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        match text.is_empty() {
            true => drop(disk::remove_file(&path)?),
            false => fs::write(&path, text).map_err(HostError::file(&path))?,
        }
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
