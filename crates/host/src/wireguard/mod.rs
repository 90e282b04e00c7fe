//! Keys of WireGuard links. A private key is made on its host and never leaves it: it is in no generation, plan, record or
//! log, and the kernel gets it from a file that networkd may read and nobody else but root. Only the public key is told.
//!
//! The directories belong to root and networkd's group and hand that group on (tmpfiles.d/bitbuilder.conf).

#[cfg(test)]
mod tests;

use crate::atomic;
use crate::disk;
use crate::host::{Host, HostError};
use crate::paths::HostRoot;
use base64ct::{Base64, Encoding};
use bitbuilder_core::model::Name;
use curve25519_dalek::MontgomeryPoint;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Root writes, networkd reads.
const MODE: u32 = 0o640;

/// Public key, base64, of the link of `network`, whose private key is made when it is not there.
///
/// # Errors
/// When the private key cannot be read or written, or is no key.
pub(crate) fn public_key(host: &dyn Host, id: &Name, network: &str) -> Result<String, HostError> {
    match read(host.root(), id, network)? {
        Some(key) => Ok(key),
        None => make(host, id, network),
    }
}

/// Public key of the link of `network`; `None` when it has none yet.
///
/// # Errors
/// When the private key cannot be read, or is no key.
pub(crate) fn read(root: &HostRoot, id: &Name, network: &str) -> Result<Option<String>, HostError> {
    let path = key_file(root, id, network);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(HostError::file(&path)(error)),
    };
    match key(&text) {
        Some(private) => Ok(Some(public(private))),
        None => Err(HostError::damaged(&path, "is no private key of WireGuard")),
    }
}

/// 32 bytes in base64.
fn key(text: &str) -> Option<[u8; 32]> {
    Base64::decode_vec(text.trim_end()).ok()?.try_into().ok()
}

/// Gives the link of `network` another private key; the public one.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn make(host: &dyn Host, id: &Name, network: &str) -> Result<String, HostError> {
    let mut private = host.random()?;
    // The lowest bits are no part of a key, and a simulated host counts in them.
    private.rotate_right(8);
    // As wg(8) stores it, RFC 7748 section 5.
    private[0] &= 248;
    private[31] = private[31] & 127 | 64;
    let text = format!("{}\n", Base64::encode_string(&private));
    let path = key_file(host.root(), id, network);
    atomic::write(&path, text.as_bytes(), MODE)?;
    Ok(public(private))
}

/// RFC 7748 section 6.1.
fn public(private: [u8; 32]) -> String {
    Base64::encode_string(MontgomeryPoint::mul_base_clamped(private).as_bytes())
}

/// Puts the preshared key that `ciphertext` holds where networkd reads it, as `file`. What is there is right: another key
/// has another name.
///
/// # Errors
/// When the ciphertext was not made for this peer on this host, or a file cannot be written.
pub(crate) fn place_secret(
    host: &dyn Host,
    file: &str,
    name: &str,
    ciphertext: &[u8],
) -> Result<(), HostError> {
    let path = host.root().wireguard_secrets().join(file);
    if path.is_file() {
        return Ok(());
    }
    let secret = host.decrypt(name, ciphertext)?;
    if key(&String::from_utf8_lossy(&secret)).is_none() {
        return Err(HostError::Unrelated {
            what: format!("credential {name}"),
            reason: "what it holds is no preshared key, as `wg genpsk` prints it".to_owned(),
        });
    }
    atomic::write(&path, &secret, MODE).map(drop)
}

/// Removes the preshared keys of `id` that are not in `wanted`.
///
/// # Errors
/// When a file operation fails.
pub(crate) fn remove_secrets(
    root: &HostRoot,
    id: &Name,
    wanted: &[String],
) -> Result<(), HostError> {
    for path in files_of(&root.wireguard_secrets(), id)? {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if !wanted.iter().any(|file| *file == name) {
            disk::remove_file(&path)?;
        }
    }
    Ok(())
}

/// Every key of `id`, private and preshared.
///
/// # Errors
/// When a directory is unreadable.
pub(crate) fn files(root: &HostRoot, id: &Name) -> Result<Vec<PathBuf>, HostError> {
    let mut files = files_of(&root.wireguard_keys(), id)?;
    files.extend(files_of(&root.wireguard_secrets(), id)?);
    Ok(files)
}

fn key_file(root: &HostRoot, id: &Name, network: &str) -> PathBuf {
    root.wireguard_keys().join(format!("{id}.{network}.key"))
}

/// Files of `directory` that begin with the tenant's name, which has no dot in it; those half written too.
fn files_of(directory: &Path, id: &Name) -> Result<Vec<PathBuf>, HostError> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(HostError::file(directory)(error)),
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(HostError::file(directory))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let name = name.strip_prefix('.').unwrap_or(&name);
        if name.split('.').next() == Some(id.as_str()) {
            files.push(path);
        }
    }
    Ok(files)
}
