//! Bare repositories with a commit, made without git: a thousand of them take a second.

use anyhow::Context as _;
use gix::objs::tree::{Entry, EntryKind};
use gix::objs::{Commit, Tree};
use gix::{ObjectId, Repository};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// A bare repository.
pub(crate) struct Bare {
    path: PathBuf,
}

/// Files by path.
type Files = BTreeMap<String, String>;

impl Bare {
    /// Makes an empty one at `path`.
    pub(crate) fn create(path: &Path) -> anyhow::Result<Self> {
        for directory in ["objects", "refs/heads"] {
            fs::create_dir_all(path.join(directory))?;
        }
        fs::write(path.join("HEAD"), "ref: refs/heads/main\n")?;
        fs::write(
            path.join("config"),
            "[core]\n\trepositoryformatversion = 0\n\tbare = true\n",
        )?;
        Ok(Self {
            path: path.to_owned(),
        })
    }

    /// Its URL.
    pub(crate) fn url(&self) -> String {
        format!("file://{}", self.path.display())
    }

    /// Its directory.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Makes `files` the next commit of `main`.
    pub(crate) fn commit(&self, files: &Files) -> anyhow::Result<()> {
        let repository = gix::open(&self.path)?;
        let branch = self.path.join("refs/heads/main");
        let before = fs::read_to_string(&branch).ok();
        let parents: Vec<ObjectId> = before
            .iter()
            .map(|text| ObjectId::from_hex(text.trim().as_bytes()))
            .collect::<Result<_, _>>()?;
        let files: Vec<(Vec<&str>, &str)> = files
            .iter()
            .map(|(path, text)| (path.split('/').collect(), text.as_str()))
            .collect();
        let author = gix::actor::Signature {
            name: "bench".into(),
            email: "bench".into(),
            time: gix::date::Time {
                seconds: 1_000_000_000,
                offset: 0,
            },
        };
        let commit = Commit {
            tree: tree(&repository, &files)?,
            parents: parents.into(),
            author: author.clone(),
            committer: author,
            encoding: None,
            message: "change\n".into(),
            extra_headers: Vec::new(),
        };
        let id = repository.write_object(&commit)?;
        Ok(fs::write(branch, format!("{id}\n"))?)
    }
}

fn tree(repository: &Repository, files: &[(Vec<&str>, &str)]) -> anyhow::Result<ObjectId> {
    let mut entries = Vec::new();
    let mut below: BTreeMap<&str, Vec<(Vec<&str>, &str)>> = BTreeMap::new();
    for (path, text) in files {
        let (name, rest) = path.split_first().context("a file without a name")?;
        if rest.is_empty() {
            entries.push(Entry {
                mode: EntryKind::Blob.into(),
                filename: (*name).into(),
                oid: repository.write_blob(text)?.detach(),
            });
        } else {
            below.entry(name).or_default().push((rest.to_vec(), text));
        }
    }
    for (name, files) in below {
        entries.push(Entry {
            mode: EntryKind::Tree.into(),
            filename: name.into(),
            oid: tree(repository, &files)?,
        });
    }
    entries.sort();
    Ok(repository.write_object(&Tree { entries })?.detach())
}
