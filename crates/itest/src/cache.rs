//! Where slow things are kept, by the hash of their recipe.

use anyhow::{Context, Result};
use rustix::fs::FlockOperation;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::path::{Path, PathBuf};

/// `$BITBUILDER_CACHE`, else `$XDG_CACHE_HOME/bitbuilder`, else `~/.cache/bitbuilder`.
///
/// # Errors
/// None of the three variables (the last is `HOME`) is set.
pub fn directory() -> Result<PathBuf> {
    if let Some(directory) = std::env::var_os("BITBUILDER_CACHE") {
        return Ok(directory.into());
    }
    if let Some(cache) = std::env::var_os("XDG_CACHE_HOME") {
        return Ok(PathBuf::from(cache).join("bitbuilder"));
    }
    let home = std::env::var_os("HOME").context("HOME is not set: set BITBUILDER_CACHE")?;
    Ok(PathBuf::from(home).join(".cache/bitbuilder"))
}

/// The first 16 hex digits of the SHA-256 of `parts`, each with its length in front.
#[must_use]
pub fn key<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    let mut text = hex(&hash.finalize());
    text.truncate(16);
    text
}

/// Lower-case hex digits.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// An exclusive lock on `path`, held until it is dropped; waits for other processes.
///
/// # Errors
/// The file cannot be made or locked.
pub fn lock(path: &Path) -> Result<File> {
    let file = lock_file(path)?;
    rustix::fs::flock(&file, FlockOperation::LockExclusive)?;
    Ok(file)
}

/// A file to lock; another user's too.
///
/// # Errors
/// It cannot be opened or made.
pub(crate) fn lock_file(path: &Path) -> Result<File> {
    File::open(path)
        .or_else(|_| File::create(path))
        .with_context(|| format!("cannot lock {}", path.display()))
}
