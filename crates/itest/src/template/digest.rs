//! The content of a tree as one line per file, and its digest.

use crate::cache::hex;
use anyhow::{Context, Result};
use sha2::{Digest, Sha256};
use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// `sha256:` and the SHA-256 of the tree's listing: names, types, modes, owners, capabilities, content. Times are not in it.
///
/// # Errors
/// A file cannot be read.
pub fn digest(root: &Path) -> Result<String> {
    let mut hash = Sha256::new();
    for line in listing(root)? {
        hash.update(line.as_bytes());
        hash.update(b"\n");
    }
    Ok(format!("sha256:{}", hex(&hash.finalize())))
}

/// One line per file below `root`, in the order of directory entries' bytes.
///
/// # Errors
/// A file cannot be read.
pub(super) fn listing(root: &Path) -> Result<Vec<String>> {
    let mut lines = Vec::new();
    list(root, root, &mut lines)?;
    Ok(lines)
}

/// Lines that only one of two listings has.
#[must_use]
pub(super) fn difference<'a>(one: &'a [String], other: &'a [String]) -> Vec<&'a str> {
    use std::collections::HashSet;
    let ones: HashSet<&str> = one.iter().map(String::as_str).collect();
    let others: HashSet<&str> = other.iter().map(String::as_str).collect();
    let mut lines: Vec<&str> = ones.symmetric_difference(&others).copied().collect();
    lines.sort_unstable();
    lines
}

fn list(root: &Path, path: &Path, lines: &mut Vec<String>) -> Result<()> {
    let metadata =
        fs::symlink_metadata(path).with_context(|| format!("cannot read {}", path.display()))?;
    let name = path
        .strip_prefix(root)?
        .as_os_str()
        .as_bytes()
        .escape_ascii();
    lines.push(format!(
        "{name} {:o} {}:{} {}",
        metadata.mode(),
        metadata.uid(),
        metadata.gid(),
        content(path, &metadata)?
    ));
    if metadata.is_dir() {
        let mut entries = fs::read_dir(path)?
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<io::Result<Vec<_>>>()?;
        entries.sort();
        for entry in entries {
            list(root, &entry, lines)?;
        }
    }
    Ok(())
}

fn content(path: &Path, metadata: &Metadata) -> Result<String> {
    if metadata.is_symlink() {
        let target = fs::read_link(path)?;
        return Ok(target.as_os_str().as_bytes().escape_ascii().to_string());
    }
    if metadata.is_file() {
        let mut hash = Sha256::new();
        let mut file =
            File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
        io::copy(&mut file, &mut Writer(&mut hash))?;
        return Ok(format!("{}{}", hex(&hash.finalize()), capabilities(path)));
    }
    Ok(metadata.rdev().to_string())
}

/// The file capabilities, empty when there are none.
fn capabilities(path: &Path) -> String {
    let mut value = [0; 64];
    match rustix::fs::lgetxattr(path, c"security.capability", &mut value[..]) {
        Ok(length) => format!(" {}", hex(&value[..length])),
        Err(_) => String::new(),
    }
}

struct Writer<'a>(&'a mut Sha256);

impl io::Write for Writer<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn tree(name: &str) -> std::path::PathBuf {
        let root =
            std::env::temp_dir().join(format!("bitbuilder-digest-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&root);
        fs::create_dir_all(root.join("a")).unwrap();
        fs::write(root.join("a/file"), "content").unwrap();
        symlink("file", root.join("a/link")).unwrap();
        root
    }

    #[test]
    fn depends_on_content_mode_and_link_target_only() {
        let (one, other) = (tree("one"), tree("other"));
        assert_eq!(digest(&one).unwrap(), digest(&other).unwrap());

        fs::set_permissions(other.join("a/file"), PermissionsExt::from_mode(0o600)).unwrap();
        let (old, new) = (listing(&one).unwrap(), listing(&other).unwrap());
        assert_eq!(difference(&old, &new).len(), 2);

        fs::remove_file(one.join("a/link")).unwrap();
        symlink("elsewhere", one.join("a/link")).unwrap();
        assert_eq!(difference(&old, &listing(&one).unwrap()).len(), 2);
        fs::remove_dir_all(one).unwrap();
        fs::remove_dir_all(other).unwrap();
    }
}
