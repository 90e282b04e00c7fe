//! System calls to be made, as the kernel takes them: pairs of fields that each end with NUL, a directory and nothing, or a
//! link and its target.

use crate::boot::{Link, Links, Target};
use std::ffi::CStr;

const TENANTS: &str = "/var/lib/tenants/";

/// Adds to `calls` those that make the links of tenant `id` into its `generation`, the directory below its own.
pub(crate) fn add(id: &str, generation: &str, links: Links<'_>, calls: &mut Vec<u8>) {
    let mut last = "";
    for Link { path, target } in links.iter() {
        if let Some((directory, _)) = path.split_once('/')
            && directory != last
        {
            last = directory;
            add_directory(directory, calls);
        }
        match target {
            Target::Own(target) => {
                add_link(path, &[TENANTS, id, "/", generation, "/", target], calls);
            }
            Target::Shipped(target) => add_link(path, &[target], calls),
        }
    }
}

/// Adds to `calls` those that link `path`, which is in a directory or not, to a file of the host.
pub(crate) fn add_shipped(path: &str, target: &str, calls: &mut Vec<u8>) {
    if let Some((directory, _)) = path.split_once('/') {
        add_directory(directory, calls);
    }
    add_link(path, &[target], calls);
}

fn add_directory(path: &str, calls: &mut Vec<u8>) {
    add_link(path, &[], calls);
}

fn add_link(path: &str, target: &[&str], calls: &mut Vec<u8>) {
    for part in [path, "\0"].iter().chain(target).chain(&["\0"]) {
        calls.extend_from_slice(part.as_bytes());
    }
}

/// Calls that [`add`] has prepared: what to make, and where it points to; a directory points nowhere. No name of a unit has
/// a NUL in it.
pub(crate) fn iter(mut calls: &[u8]) -> impl Iterator<Item = (&CStr, &CStr)> + Clone {
    std::iter::from_fn(move || {
        let mut field = || {
            let field = CStr::from_bytes_until_nul(calls).ok()?;
            calls = &calls[field.count_bytes() + 1..];
            Some(field)
        };
        Some((field()?, field()?))
    })
}
