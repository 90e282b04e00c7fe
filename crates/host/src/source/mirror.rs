//! Bare mirrors of remote repositories. The files are written directly: no template, no hook, no surprise.

use super::error::SourceError;
use super::repository::refuse_alternates;
use super::url::RemoteUrl;
use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

/// What the configuration of every mirror says besides the remote: `git fetch` by hand is as careful as ours.
const CONFIGURATION: &str = "\
[core]
\trepositoryformatversion = 0
\tfilemode = true
\tbare = true
\tbigFileThreshold = 16m
\thooksPath = /dev/null
\tfsmonitor = false
[transfer]
\tfsckObjects = true
[fetch]
\trecurseSubmodules = false
[pack]
\tthreads = 2
[gc]
\tauto = 0
[maintenance]
\tauto = false
[protocol]
\tallow = never
[protocol \"file\"]
\tallow = always
[protocol \"https\"]
\tallow = always
[protocol \"ssh\"]
\tallow = always
";

/// A bare repository that follows one remote, `origin`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mirror {
    path: PathBuf,
    url: RemoteUrl,
}

impl Mirror {
    /// Makes the mirror of `url` at `path`, or brings an existing one's configuration up to date; fetches nothing.
    ///
    /// # Errors
    /// When the URL is refused, something else is at `path`, it borrows objects, or a file cannot be written.
    pub fn ensure(path: &Path, url: &str) -> Result<Self, SourceError> {
        let url = RemoteUrl::parse(url)?;
        let config = configuration(&url);
        if path.symlink_metadata().is_ok() {
            refuse_alternates(path)?;
            refuse_foreign(path)?;
            write_if_changed(&path.join("config"), config.as_bytes())?;
        } else {
            create_bare(path, &config, |_| Ok(()))?;
        }
        Ok(Self {
            path: path.to_owned(),
            url,
        })
    }

    /// The mirror at `path`, as [`Mirror::ensure`] left it.
    ///
    /// # Errors
    /// When there is none, or its remote is not one that we fetch from.
    pub fn open(path: &Path) -> Result<Self, SourceError> {
        let repository = super::repository::open(path)?;
        let config = repository.inner.config_snapshot();
        let url = config
            .string("remote.origin.url")
            .ok_or_else(|| SourceError::Repository {
                path: path.to_owned(),
                message: "it has no remote `origin`".into(),
            })?;
        Ok(Self {
            path: path.to_owned(),
            url: RemoteUrl::parse(&url.to_string())?,
        })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What it follows.
    pub fn url(&self) -> &RemoteUrl {
        &self.url
    }
}

fn configuration(url: &RemoteUrl) -> String {
    // The URL has no control characters; git-config(1) wants these two escaped.
    let quoted = url.as_str().replace('\\', "\\\\").replace('"', "\\\"");
    format!(
        "{CONFIGURATION}[remote \"origin\"]\n\turl = \"{quoted}\"\n\
         \tfetch = +refs/heads/*:refs/heads/*\n\tfetch = +refs/tags/*:refs/tags/*\n\
         \ttagOpt = --no-tags\n\tprune = true\n"
    )
}

/// Makes a bare repository with `config` at `path`, complete or not at all; `finish` adds to it before it appears.
pub(crate) fn create_bare(
    path: &Path,
    config: &str,
    finish: impl FnOnce(&Path) -> Result<(), SourceError>,
) -> Result<(), SourceError> {
    let parent = path.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(parent).map_err(SourceError::file(parent))?;
    let partial = partial_name(path);
    remove_tree(&partial)?;
    for directory in [
        "objects/info",
        "objects/pack",
        "refs/heads",
        "refs/tags",
        "info",
    ] {
        let directory = partial.join(directory);
        fs::create_dir_all(&directory).map_err(SourceError::file(&directory))?;
    }
    write_synced(&partial.join("HEAD"), b"ref: refs/heads/main\n")?;
    write_synced(&partial.join("config"), config.as_bytes())?;
    finish(&partial)?;
    sync_tree(&partial)?;
    fs::rename(&partial, path).map_err(SourceError::file(path))?;
    sync_directory(parent)
}

/// `/a/b.git` gives `/a/.b.git.partial`; the host's lock keeps two writers apart.
pub(super) fn partial_name(path: &Path) -> PathBuf {
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".partial");
    path.with_file_name(name)
}

/// Removes what an interrupted run left; nothing there is fine. Links are not followed.
pub(super) fn remove_tree(path: &Path) -> Result<(), SourceError> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(SourceError::file(path)(error)),
        _ => Ok(()),
    }
}

/// Replaces `path` by rename if its content differs; returns whether it did.
pub(super) fn write_if_changed(path: &Path, content: &[u8]) -> Result<bool, SourceError> {
    if fs::read(path).is_ok_and(|old| old == content) {
        return Ok(false);
    }
    let partial = partial_name(path);
    match fs::remove_file(&partial) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            return Err(SourceError::file(&partial)(error));
        }
        _ => {}
    }
    write_synced(&partial, content)?;
    fs::rename(&partial, path).map_err(SourceError::file(path))?;
    sync_directory(path.parent().unwrap_or(Path::new("/")))?;
    Ok(true)
}

pub(super) fn sync_directory(path: &Path) -> Result<(), SourceError> {
    let directory = fs::File::open(path).map_err(SourceError::file(path))?;
    directory.sync_all().map_err(SourceError::file(path))
}

/// Brings the whole file system of `path` to disk: one call for any number of files.
pub(super) fn sync_tree(path: &Path) -> Result<(), SourceError> {
    let directory = fs::File::open(path).map_err(SourceError::file(path))?;
    rustix::fs::syncfs(&directory).map_err(SourceError::call(path))
}

fn write_synced(path: &Path, content: &[u8]) -> Result<(), SourceError> {
    let write = || {
        let mut file = fs::File::create_new(path)?;
        file.write_all(content)?;
        file.sync_all()
    };
    write().map_err(SourceError::file(path))
}

/// A directory that is not a bare repository is left alone.
pub(super) fn refuse_foreign(path: &Path) -> Result<(), SourceError> {
    let is_repository = ["HEAD", "objects", "refs"]
        .iter()
        .all(|name| path.join(name).exists());
    if is_repository {
        return Ok(());
    }
    Err(SourceError::Repository {
        path: path.to_owned(),
        message: "something that is not a bare repository is in its place".into(),
    })
}
