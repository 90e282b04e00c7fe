//! Puts the network of a tenant's current generation in place, and takes it away again.
//!
//! networkd and nftables do the work; here files are copied to `/run/systemd/network/` and what a tenant has
//! there is remembered, so that what a later generation no longer says goes away.

mod placed;
mod rules;
mod tunnels;

use crate::atomic;
use crate::disk;
use crate::host::{Host, HostError};
use crate::paths::HostRoot;
use crate::wireguard;
use bitbuilder_core::model::Name;
use bitbuilder_core::nftables;
use placed::Placed;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Loads files, links and packet rules of the current generation of `id`; what is already so stays untouched.
///
/// Rules come first: no packet passes a link before its rules are there.
///
/// # Errors
/// When a file cannot be written, networkd or nft refuses, or a link does not come up in time.
pub fn load(host: &dyn Host, id: &Name) -> Result<(), HostError> {
    let generation = host.root().current(id);
    let files = plain_files(&generation.join("network"))?;
    let ruleset = read_optional(&generation.join("nftables/ruleset.json"))?;
    let transaction = ruleset.as_deref().map(nftables::transaction).transpose();
    let transaction =
        transaction.map_err(|error| HostError::damaged(&generation, error.to_string()))?;
    let before = Placed::read(host.root(), id)?;
    let uplinks = plain_files(&generation.join("uplinks"))?;
    let secrets = plain_files(&generation.join("wireguard"))?;
    let mut after = Placed::describe(&files, &uplinks, ruleset.as_deref());
    after.keys = tunnels::prepare(host, id, &files, &secrets)?;

    // Remembered before anything is placed: a crash in between leaves nothing that nobody knows of, and files that are
    // in place without networkd knowing are seen to be unsettled.
    let on_the_way = before.union(&after).unsettled();
    rules::load(host, id, &on_the_way, transaction.as_deref())?;
    let placed = place(host, &files)?;
    let changed = !placed.is_empty() | remove_files(host, before.files.difference(&after.files))?;
    let gone: Vec<String> = before.links.difference(&after.links).cloned().collect();
    let again = tunnels::again(&before, &after, &placed);
    if !gone.is_empty() || !again.is_empty() {
        host.delete_links(&[gone, again].concat())?;
    }
    let made = make_uplinks(host, &before, &after)?;
    if changed || made || !before.is_settled() || is_gone(host, &after)? {
        host.reload_network(&after.links.iter().cloned().collect::<Vec<_>>())?;
    }
    rules::remove(host, id, &(&before.rules - &after.rules))?;
    refresh_names(host, id)?;
    after.write(host.root(), id)
}

/// Makes links that are not there, and anew what is made in another way now; says whether it did.
fn make_uplinks(host: &dyn Host, before: &Placed, after: &Placed) -> Result<bool, HostError> {
    let mut made = false;
    for (link, batch) in &after.uplinks {
        let there = host.has_link(link)?;
        let same = before.is_settled() && before.uplinks.get(link) == Some(batch);
        if there && same {
            continue;
        }
        if there {
            host.delete_links(std::slice::from_ref(link))?;
        }
        host.make_links(batch)?;
        made = true;
    }
    Ok(made)
}

/// Public keys of the WireGuard links of `id` that are in place, by link.
///
/// # Errors
/// When what is in place is not readable.
pub fn public_keys(root: &HostRoot, id: &Name) -> Result<BTreeMap<String, String>, HostError> {
    Ok(Placed::read(root, id)?.keys)
}

/// Whether a link that was made is not there any more. networkd makes it again at a reload.
fn is_gone(host: &dyn Host, placed: &Placed) -> Result<bool, HostError> {
    for link in &placed.links {
        if !host.has_link(link)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Tells workloads that run the names of the others. A workload sees its table through a bind mount: the file must stay
/// the same one, so it is written in place, and a table that was half written differs and is written again.
fn refresh_names(host: &dyn Host, id: &Name) -> Result<(), HostError> {
    let tables = plain_files(&host.root().current(id).join("hosts"))?;
    for (name, table) in tables {
        let path = host.root().tenant(id).join("hosts").join(name);
        // One that is not there is made when its workload starts.
        if std::fs::read(&path).is_ok_and(|old| old != table) {
            disk::overwrite(&path, &table)?;
        }
    }
    Ok(())
}

/// Files of the current generation of `id` that are not in place as they are; none while its network is not set up.
///
/// # Errors
/// When a file is unreadable.
pub fn misplaced(host: &dyn Host, id: &Name) -> Result<Vec<String>, HostError> {
    if Placed::read(host.root(), id)?.is_nothing() {
        return Ok(Vec::new());
    }
    let directory = host.root().network();
    let files = plain_files(&host.root().current(id).join("network"))?;
    let is_other = |(name, content): &(String, Vec<u8>)| {
        std::fs::read(directory.join(name)).ok().as_ref() != Some(content)
    };
    Ok(files
        .into_iter()
        .filter(is_other)
        .map(|(name, _)| name)
        .collect())
}

/// Takes away everything that [`load`] put in place for `id`.
///
/// # Errors
/// When a file cannot be removed, or networkd or nft refuses.
pub fn unload(host: &dyn Host, id: &Name) -> Result<(), HostError> {
    let placed = Placed::read(host.root(), id)?;
    if placed.is_nothing() {
        return Ok(());
    }
    placed.unsettled().write(host.root(), id)?;
    let changed = remove_files(host, placed.files.iter())?;
    if changed || !placed.is_settled() {
        host.delete_links(&placed.links.iter().cloned().collect::<Vec<_>>())?;
        host.reload_network(&[])?;
    }
    wireguard::remove_secrets(host.root(), id, &[])?;
    // Last: while a link exists, its rules do.
    rules::remove_all(host, id, &placed)
}

/// Copies what differs; returns the names of it.
fn place(
    host: &dyn Host,
    files: &BTreeMap<String, Vec<u8>>,
) -> Result<BTreeSet<String>, HostError> {
    let directory = host.root().network();
    let mut changed = BTreeSet::new();
    for (name, content) in files {
        let path = directory.join(name);
        if std::fs::read(&path).is_ok_and(|old| old == *content) {
            continue;
        }
        atomic::write(&path, content, 0o644)?;
        changed.insert(name.clone());
    }
    Ok(changed)
}

fn remove_files<'a>(
    host: &dyn Host,
    names: impl Iterator<Item = &'a String>,
) -> Result<bool, HostError> {
    let directory = host.root().network();
    let mut changed = false;
    for name in names {
        let path = directory.join(name);
        changed |= disk::remove_file(&path)?;
    }
    Ok(changed)
}

fn plain_files(directory: &Path) -> Result<BTreeMap<String, Vec<u8>>, HostError> {
    let fail = |source| HostError::File {
        path: directory.to_path_buf(),
        source,
    };
    let entries = match std::fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(source) => return Err(fail(source)),
    };
    let mut files = BTreeMap::new();
    for entry in entries {
        let entry = entry.map_err(fail)?;
        if let Some(name) = entry.file_name().to_str() {
            files.insert(name.to_owned(), std::fs::read(entry.path()).map_err(fail)?);
        }
    }
    Ok(files)
}

fn read_optional(path: &Path) -> Result<Option<Vec<u8>>, HostError> {
    match std::fs::read(path) {
        Ok(content) => Ok(Some(content)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(HostError::File {
            path: path.to_path_buf(),
            source,
        }),
    }
}
