//! Files that are written whole or not at all: temporary name in the same directory, fsync, rename, fsync of the
//! directory. After a crash at any instant the old or the new content is there.

use crate::disk;
use crate::host::HostError;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// The format version of every JSON state file of this program.
pub const FORMAT: u64 = 1;

/// What a write did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// It was there already, equal.
    Unchanged,
    /// It is new.
    Created,
    /// It replaced something else.
    Changed,
}

/// Makes `path` hold `content` with permission bits `mode`; missing parent directories are made.
///
/// # Errors
/// When a file operation fails; `path` is then as it was.
pub fn write(path: &Path, content: &[u8], mode: u32) -> Result<Written, HostError> {
    let before = match fs::read(path) {
        Ok(before) if before == content && mode_of(path) == Some(mode) => {
            return Ok(Written::Unchanged);
        }
        before => before,
    };
    let directory = parent(path)?;
    make_directories(directory)?;
    let temporary = temporary_name(path);
    let placed =
        disk::create(&temporary, content, mode).and_then(|()| disk::rename(&temporary, path));
    if placed.is_err() {
        // Nobody would look for it. What cannot be deleted either, the next write replaces.
        let _ = disk::remove_file(&temporary);
    }
    placed?;
    disk::sync_directory(directory)?;
    Ok(match before {
        Err(error) if error.kind() == ErrorKind::NotFound => Written::Created,
        _ => Written::Changed,
    })
}

/// Makes `link` a symbolic link to `target`; a link that is there is replaced in one step.
///
/// # Errors
/// When a file operation fails; `link` is then as it was.
pub fn write_link(link: &Path, target: &Path) -> Result<Written, HostError> {
    let before = fs::read_link(link).ok();
    if before.as_deref() == Some(target) {
        return Ok(Written::Unchanged);
    }
    let directory = parent(link)?;
    make_directories(directory)?;
    let temporary = temporary_name(link);
    disk::remove_file(&temporary)?;
    disk::symlink(target, &temporary)?;
    disk::rename(&temporary, link)?;
    disk::sync_directory(directory)?;
    Ok(match before {
        None => Written::Created,
        Some(_) => Written::Changed,
    })
}

/// Writes state as JSON for people to read too; `value` carries a field `format` that is [`FORMAT`].
///
/// # Errors
/// As [`write()`].
pub fn write_json<T: Serialize + ?Sized>(path: &Path, value: &T) -> Result<(), HostError> {
    write(path, &json(path, value)?, 0o644).map(drop)
}

/// The bytes that [`write_json`] writes; `path` is for the error.
///
/// # Errors
/// When `value` cannot be said in JSON.
pub fn json<T: Serialize + ?Sized>(path: &Path, value: &T) -> Result<Vec<u8>, HostError> {
    let mut text = serde_json::to_vec_pretty(value)
        .map_err(|error| HostError::damaged(path, error.to_string()))?;
    text.push(b'\n');
    Ok(text)
}

/// Reads what [`write_json`] wrote; `None` when there is no such file.
///
/// # Errors
/// When the file is unreadable, is not JSON of this shape, or has a format that this version does not know.
pub fn read_json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, HostError> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(HostError::file(path)(error)),
    };
    let damaged = |reason: String| HostError::damaged(path, reason);
    let version: Result<Version, _> = serde_json::from_slice(&text);
    match version {
        Ok(Version { format: FORMAT }) => {}
        Ok(Version { format }) => {
            let reason =
                format!("format {format} is not known; this version reads format {FORMAT}");
            return Err(damaged(reason));
        }
        Err(error) if error.is_data() => {
            return Err(damaged("has no format version".to_owned()));
        }
        Err(error) => return Err(damaged(format!("not JSON: {error}"))),
    }
    serde_json::from_slice(&text)
        .map(Some)
        .map_err(|error| damaged(error.to_string()))
}

/// What every file says that [`write_json`] wrote.
#[derive(Deserialize)]
struct Version {
    format: u64,
}

/// Removes a file or link, durably; whether it was there.
///
/// # Errors
/// When a file operation fails.
pub fn remove(path: &Path) -> Result<bool, HostError> {
    let removed = disk::remove_file(path)?;
    if removed {
        disk::sync_directory(parent(path)?)?;
    }
    Ok(removed)
}

/// Makes a directory and its missing parents, each with mode 0755 whatever the umask is.
///
/// # Errors
/// When a file operation fails.
pub fn make_directories(path: &Path) -> Result<(), HostError> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(above) = path.parent() {
        make_directories(above)?;
    }
    if !disk::create_directory(path)? && !path.is_dir() {
        return Err(HostError::damaged(path, "is not a directory"));
    }
    disk::set_mode(path, 0o755)?;
    disk::sync_directory(parent(path)?)
}

fn temporary_name(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.tmp"))
}

fn parent(path: &Path) -> Result<&Path, HostError> {
    path.parent()
        .ok_or_else(|| HostError::damaged(path, "has no parent directory"))
}

fn mode_of(path: &Path) -> Option<u32> {
    let metadata = fs::symlink_metadata(path).ok()?;
    metadata
        .is_file()
        .then(|| metadata.permissions().mode() & 0o7777)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;
    use std::os::unix::fs::symlink;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct State {
        format: u32,
        word: String,
    }

    #[test]
    fn says_what_a_write_did() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b/file");
        assert_eq!(write(&path, b"one", 0o640).unwrap(), Written::Created);
        assert_eq!(write(&path, b"one", 0o640).unwrap(), Written::Unchanged);
        assert_eq!(write(&path, b"two", 0o640).unwrap(), Written::Changed);
        assert_eq!(write(&path, b"two", 0o600).unwrap(), Written::Changed);
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(mode_of(&path), Some(0o600));
        let names: Vec<_> = fs::read_dir(path.parent().unwrap()).unwrap().collect();
        assert_eq!(names.len(), 1, "no temporary file stays");
    }

    #[test]
    fn a_left_over_temporary_link_is_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let victim = dir.path().join("victim");
        fs::write(&victim, "safe").unwrap();
        symlink(&victim, dir.path().join(".file.tmp")).unwrap();
        write(&dir.path().join("file"), b"new", 0o644).unwrap();
        assert_eq!(fs::read(&victim).unwrap(), b"safe");
        assert_eq!(fs::read(dir.path().join("file")).unwrap(), b"new");
    }

    #[test]
    fn links_are_replaced_in_place() {
        let dir = tempfile::tempdir().unwrap();
        let link = dir.path().join("current");
        assert_eq!(
            write_link(&link, Path::new("x/1")).unwrap(),
            Written::Created
        );
        assert_eq!(
            write_link(&link, Path::new("x/1")).unwrap(),
            Written::Unchanged
        );
        assert_eq!(
            write_link(&link, Path::new("x/2")).unwrap(),
            Written::Changed
        );
        assert_eq!(fs::read_link(&link).unwrap(), Path::new("x/2"));
    }

    #[test]
    fn state_goes_round_and_other_formats_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state.json");
        assert_eq!(read_json::<State>(&path).unwrap(), None);
        let state = State {
            format: 1,
            word: "hello".into(),
        };
        write_json(&path, &state).unwrap();
        assert_eq!(read_json::<State>(&path).unwrap(), Some(state));
        for (text, reason) in [
            (r#"{"format":2,"word":"x"}"#, "format 2 is not known"),
            (r#"{"word":"x"}"#, "no format version"),
            (r#"{"format":1"#, "not JSON"),
            (r#"{"format":1}"#, "missing field"),
        ] {
            fs::write(&path, text).unwrap();
            let error = read_json::<State>(&path).unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
        }
    }
}
