//! Whether branches of a repository on this host have moved, without opening a file.

use super::error::SourceError;
use super::local::LocalRemote;
use super::refs;
use gix::refs::Target;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash, Hasher};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The files that say what branches name, and the directories that they are in, and how all of these looked.
///
/// Git replaces such a file, it never writes into one: another commit is another file, with a later time, and so is its
/// directory. Two commits within one tick of the kernel's clock look alike, so that these are for commits that somebody has
/// had time to work with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefFiles {
    files: Vec<PathBuf>,
    /// Over place, size and times of each.
    stamp: u64,
}

impl RefFiles {
    /// Those of `branches`, which need not exist; `None` when one of them follows another, whose file would be needed too.
    ///
    /// What is read after this is what the files say, or a newer commit.
    ///
    /// # Errors
    /// When a name is refused, or the repository is unreadable.
    pub fn of(local: &LocalRemote, branches: &[&str]) -> Result<Option<Self>, SourceError> {
        // That of packed-refs. A look for what is not there costs more than one at its directory.
        let mut files = BTreeSet::from([local.git_dir().to_owned()]);
        let mut names = Vec::new();
        for branch in branches {
            let short = branch.strip_prefix("refs/heads/").unwrap_or(branch);
            let name = refs::branch(short)?;
            let file = local.git_dir().join(name.as_bstr().to_string());
            files.extend(file.parent().map(Path::to_owned));
            files.extend(file.exists().then_some(file));
            names.push(name);
        }
        let files: Vec<PathBuf> = files.into_iter().collect();
        let stamp = stamp(&files);
        for name in names {
            if let Some(Target::Symbolic(_)) = local.target(&name)? {
                return Ok(None);
            }
        }
        Ok(Some(Self { files, stamp }))
    }

    /// Whether all of them look as they did.
    pub fn hold(&self) -> bool {
        stamp(&self.files) == self.stamp
    }
}

fn stamp(files: &[PathBuf]) -> u64 {
    let mut hasher = DefaultHasher::new();
    for file in files {
        let found = fs::metadata(file).ok().map(|found| {
            (
                [found.dev(), found.ino(), found.size()],
                [found.mtime(), found.mtime_nsec()],
                [found.ctime(), found.ctime_nsec()],
            )
        });
        found.hash(&mut hasher);
    }
    hasher.finish()
}
