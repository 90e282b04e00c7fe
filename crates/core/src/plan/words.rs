//! What a change of a file is called: from `50-bitbuilder.conf` to `environment`.

use super::Input;
use super::changes::Differing;
use crate::unitfile::read::{assignments, command};
use std::collections::{BTreeMap, BTreeSet};

/// What differs in `file`, as nouns; the name of the file when nothing better is known.
pub(super) fn nouns(input: &Input<'_>, file: &Differing<'_>) -> BTreeSet<String> {
    let (directory, rest) = file.path.split_once('/').unwrap_or(("", file.path));
    let name = rest.rsplit('/').next().unwrap_or(rest);
    let known = match directory {
        "links" | "network" | "nftables" | "uplinks" => Some("network".to_owned()),
        "namespace" => Some("network namespace".to_owned()),
        "hosts" => Some("names".to_owned()),
        "credentials" => Some(format!("credential {name}")),
        "mounts" => mount(input, file),
        "system" if rest.ends_with(".timer.d/50-bitbuilder.conf") => {
            Some("times of the health check".into())
        }
        "system" if name == "60-limits.conf" || name.ends_with(".slice") => Some("limits".into()),
        "system" if name == "65-restart.conf" => Some("restart policy".into()),
        "system" if name == "70-dependencies.conf" => Some("dependencies".into()),
        "system" => return settings(input, file).unwrap_or_else(|| [name.to_owned()].into()),
        _ => None,
    };
    [known.unwrap_or_else(|| name.to_owned())].into()
}

/// Of a mount: which of its layers.
fn mount(input: &Input<'_>, file: &Differing<'_>) -> Option<String> {
    let (old, new) = file.texts(input)?;
    let lowest = |text: &str| {
        let settings = assignments(text).ok()?;
        let options = settings
            .iter()
            .find(|setting| setting.key == "Options")?
            .value;
        let lower = options
            .split(',')
            .find_map(|option| option.strip_prefix("lowerdir="))?;
        lower.rsplit(':').next().map(str::to_owned)
    };
    let word = match (lowest(&old), lowest(&new)) {
        (Some(old), Some(new)) if old == new => "overlay",
        _ => "image",
    };
    Some(word.to_owned())
}

/// Of a unit's drop-in: which settings, in the words of the documents.
fn settings(input: &Input<'_>, file: &Differing<'_>) -> Option<BTreeSet<String>> {
    let (old, new) = file.texts(input)?;
    let (old, new) = (by_key(&old)?, by_key(&new)?);
    let keys: BTreeSet<&str> = old.keys().chain(new.keys()).copied().collect();
    let mut nouns = BTreeSet::new();
    for key in keys {
        let (before, after) = (old.get(key), new.get(key));
        if before == after {
            continue;
        }
        match key {
            "ExecStart" => nouns.extend(arguments(before?.last()?, after?.last()?)?),
            _ => drop(nouns.insert(setting(key)?.to_owned())),
        }
    }
    (!nouns.is_empty()).then_some(nouns)
}

fn by_key(text: &str) -> Option<BTreeMap<&str, Vec<&str>>> {
    let mut found: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for setting in assignments(text).ok()? {
        found.entry(setting.key).or_default().push(setting.value);
    }
    Some(found)
}

fn setting(key: &str) -> Option<&'static str> {
    Some(match key {
        "LoadCredentialEncrypted" => "credentials",
        "ExecStartPre" | "ExecStopPost" => "network",
        "Requires" | "After" => "network",
        "Environment" => "network",
        "Description" | "X-BitBuilder-File" => "description",
        _ => return None,
    })
}

/// Of the command line of systemd-nspawn or systemd-vmspawn: which options.
fn arguments(old: &str, new: &str) -> Option<BTreeSet<String>> {
    let (old, new) = (command(old)?, command(new)?);
    let ((old, old_command), (new, new_command)) = (parts(&old), parts(&new));
    let mut nouns: BTreeSet<String> = only(old, new)
        .chain(only(new, old))
        .map(|word| option(word).to_owned())
        .collect();
    if old_command != new_command {
        nouns.insert("command".into());
    }
    Some(nouns)
}

/// Options, and the command after `--`.
fn parts(line: &[String]) -> (&[String], &[String]) {
    let border = line.iter().position(|word| word == "--");
    line.split_at(border.unwrap_or(line.len()))
}

fn only<'a>(these: &'a [String], those: &'a [String]) -> impl Iterator<Item = &'a String> {
    these.iter().filter(|word| !those.contains(word))
}

fn option(word: &str) -> &'static str {
    match word.split('=').next().unwrap_or(word) {
        "--setenv" | "systemd.setenv" => "environment",
        "--bind" | "--bind-ro" => "volumes",
        "--capability" | "--drop-capability" => "capabilities",
        "--system-call-filter" => "system calls",
        "--load-credential" if word.starts_with("--load-credential=network.") => "network",
        "--load-credential" => "credentials",
        "--uid" => "user",
        "--chdir" => "working directory",
        "--read-only" => "read-only root",
        "--cpus" => "processors",
        "--ram" => "memory",
        "--grow-image" | "--image" | "--ephemeral" => "disk",
        "--kvm" => "hardware virtualisation",
        option if !option.starts_with('-') => "kernel command line",
        "--network-interface"
        | "--network-namespace-path"
        | "--private-network"
        | "--resolv-conf" => "network",
        _ => "command",
    }
}
