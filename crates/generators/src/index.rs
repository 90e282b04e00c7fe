//! `/var/lib/bitbuilder/boot.index` and `mount-boot.index`: what a generator does for all tenants in one file each, because
//! to open a file of every tenant takes longer than to place what it says.
//!
//! Whoever is about to switch a link `current` removes both before, durably, and writes them when all are switched. The
//! first line says which file the registry was: inode, time of its last change, size. An index beside another registry
//! does not count, and without one every tenant's own file is read.
//!
//! The second line is the CRC-32 of what follows: for each enabled tenant a line `<id> <size>` and its [`calls`], or a line
//! `<id>` when its file is not whole. They were checked when the index was made.

use crate::boot::{self, Generator};
use crate::generate::{CURRENT, TENANTS};
use crate::names::Names;
use crate::registry::{self, Tenant};
use crate::{calls, file};
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::CWD;
use std::io;
use std::path::Path;

/// Largest index that is read.
const LIMIT: usize = 256 << 20;

/// Where the index of `generator` is, relative to the root.
pub fn path(generator: Generator) -> &'static str {
    match generator {
        Generator::Tenant => "var/lib/bitbuilder/boot.index",
        Generator::Mount => "var/lib/bitbuilder/mount-boot.index",
    }
}

/// What belongs at [`path`] of the host at `root`, as it is now.
///
/// # Errors
/// When the registry cannot be read.
pub fn compose(generator: Generator, root: &Path) -> io::Result<Vec<u8>> {
    let root = file::directory(CWD, root)?;
    let (mut list, mut text) = (Vec::new(), Vec::new());
    let registry = file::open(&root, registry::PATH)?;
    file::read(&registry, &mut list, registry::LIMIT)?;
    let (mut content, mut made) = (Vec::new(), Vec::new());
    let tenants = registry::parse(&list)?.tenants;
    for Tenant { id, .. } in tenants.iter().filter(|tenant| tenant.enabled) {
        // What else has such an id must not pass for a line.
        let names = Names::new(id)
            .ok_or_else(|| io::Error::other(format!("{id:?} is not the id of a tenant")))?;
        content.extend_from_slice(id.as_bytes());
        let path = [TENANTS, "/", id, "/", CURRENT, "/", generator.file()].concat();
        let read = file::open(&root, path.as_str())
            .and_then(|file| file::read(&file, &mut text, boot::LIMIT));
        let links = boot::check(generator, &text, &names).ok();
        if let Some(links) = links.filter(|_| read.is_ok()) {
            made.clear();
            calls::add(id, CURRENT, links, &mut made);
            content.extend_from_slice(format!(" {}\n", made.len()).as_bytes());
            content.extend_from_slice(&made);
        } else {
            content.push(b'\n');
        }
    }
    let mut index = stamp(&registry)?.into_bytes();
    index.extend_from_slice(checksum(&content).as_bytes());
    index.append(&mut content);
    Ok(index)
}

/// Whether there is an index for `generator` on the host at `root` that counts.
pub fn counts(generator: Generator, root: &Path) -> bool {
    let read = || {
        let root = file::directory(CWD, root)?;
        let registry = file::open(&root, registry::PATH)?;
        let index = file::open(&root, path(generator))?;
        let mut first = vec![0; stamp(&registry)?.len()];
        rustix::io::read(&index, &mut first)?;
        io::Result::Ok(first == stamp(&registry)?.as_bytes())
    };
    read().unwrap_or(false)
}

/// The line that tells the registry from any other, and from what it was before.
fn stamp(registry: &OwnedFd) -> io::Result<String> {
    let stat = rustix::fs::fstat(registry)?;
    let (inode, size) = (stat.st_ino, stat.st_size);
    let (seconds, nanoseconds) = (stat.st_ctime, stat.st_ctime_nsec);
    Ok(format!(
        "registry {inode} {seconds}.{nanoseconds:09} {size}\n"
    ))
}

/// The line that tells what the disk has damaged.
fn checksum(content: &[u8]) -> String {
    format!("crc32 {:08x}\n", crc32fast::hash(content))
}

/// One enabled tenant.
pub(crate) struct Entry<'a> {
    /// Its id, unchecked.
    pub(crate) id: &'a str,
    /// What makes its links, unless its file is to be read.
    pub(crate) calls: Option<&'a [u8]>,
}

impl<'a> Entry<'a> {
    /// One that only the registry knows.
    pub(crate) fn listed(tenant: &'a Tenant<'_>) -> Self {
        Self {
            id: &tenant.id,
            calls: None,
        }
    }
}

/// Reads the index of `generator` into `text`; `None` when there is none that counts beside `registry`.
pub(crate) fn read<'a>(
    generator: Generator,
    root: impl AsFd,
    registry: &OwnedFd,
    text: &'a mut Vec<u8>,
) -> Option<Vec<Entry<'a>>> {
    let index = file::open(root, path(generator)).ok()?;
    file::read(&index, text, LIMIT).ok()?;
    let text = text.strip_prefix(stamp(registry).ok()?.as_bytes())?;
    let (sum, content) = text.split_at_checked(checksum(&[]).len())?;
    (sum == checksum(content).as_bytes()).then(|| entries(content))?
}

fn entries(mut content: &[u8]) -> Option<Vec<Entry<'_>>> {
    let mut entries = Vec::new();
    while !content.is_empty() {
        let end = content.iter().position(|byte| *byte == b'\n')?;
        let (line, rest) = (
            std::str::from_utf8(&content[..end]).ok()?,
            &content[end + 1..],
        );
        let (id, size) = match line.split_once(' ') {
            Some((id, size)) => (id, Some(size.parse().ok()?)),
            None => (line, None),
        };
        let (calls, rest) = rest.split_at_checked(size.unwrap_or(0))?;
        content = rest;
        entries.push(Entry {
            id,
            calls: size.map(|_| calls),
        });
    }
    Some(entries)
}
