//! State of a host with many tenants, each with a generation as the renderer makes it: a copy of a stored rendering
//! (`tests/cases/render/quick-start/`) under another id.

use anyhow::Context as _;
use bitbuilder_generators::{Generator, index};
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// Id in the stored rendering, as it is and as part of a unit name.
const STORED: [&str; 2] = ["tenant-001", "tenant\\x2d001"];

/// State below `/var/lib`.
pub(crate) struct State {
    /// Files of the stored rendering: path and text.
    files: Vec<(String, String)>,
    count: usize,
}

impl State {
    /// A host with no tenant.
    pub(crate) fn new() -> anyhow::Result<Self> {
        let stored = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../tests/cases/render/quick-start/expected");
        let mut files = Vec::new();
        for name in ["boot", "mount-boot"] {
            files.push((name.to_owned(), fs::read_to_string(stored.join(name))?));
        }
        for name in ["system", "mounts"] {
            read(&stored, name, &mut files).with_context(|| stored.display().to_string())?;
        }
        fs::create_dir_all("/var/lib/bitbuilder")?;
        fs::create_dir_all("/var/lib/tenants")?;
        let state = Self { files, count: 0 };
        state.write_registry()?;
        Ok(state)
    }

    /// Adds tenants until there are `count`.
    pub(crate) fn grow(&mut self, count: usize) -> anyhow::Result<()> {
        for index in self.count..count {
            let id = id(index);
            let home = PathBuf::from("/var/lib/tenants").join(&id);
            let generation = home.join("generations/1");
            for (path, text) in &self.files {
                let path = generation.join(of_tenant(path, &id));
                fs::create_dir_all(path.parent().unwrap_or(&generation))?;
                fs::write(path, of_tenant(text, &id))?;
            }
            symlink("generations/1", home.join("current"))?;
        }
        self.count = count;
        self.write_registry()
    }

    /// What a generator that reads `file` of every generation must do: fields as `bare-calls` reads them.
    pub(crate) fn calls(&self, file: &str) -> anyhow::Result<String> {
        let (_, text) = self
            .files
            .iter()
            .find(|(path, _)| path == file)
            .context("no such file")?;
        let mut calls = String::new();
        let mut made: Vec<String> = Vec::new();
        for id in (0..self.count).map(id) {
            // Directories of one tenant are of no use to the next, but for the one of all.
            made.truncate(1);
            for line in of_tenant(text, &id).lines() {
                let (link, target) = line.split_once('\t').context("a line without a tab")?;
                if let Some((directory, _)) = link.split_once('/')
                    && !made.iter().any(|other| other == directory)
                {
                    made.push(directory.to_owned());
                    let _ = write!(calls, "{directory}\0\0");
                }
                let own = if target.starts_with('/') {
                    String::new()
                } else {
                    format!("/var/lib/tenants/{id}/current/")
                };
                let _ = write!(calls, "{link}\0{own}{target}\0");
            }
        }
        Ok(calls)
    }

    /// The registry, and the index that a pass writes with it.
    fn write_registry(&self) -> anyhow::Result<()> {
        let tenants: Vec<String> = (0..self.count)
            .map(|index| {
                let id = id(index);
                format!(
                    r#"{{"id":"{id}","name":"{id}","repository":"https://git.example/{id}.git","ref":"main","enabled":true,"limits":{{"cpu":4,"memory":"8G","storage":"50G"}}}}"#
                )
            })
            .collect();
        let text = format!("{{\"format\":1,\"tenants\":[{}]}}\n", tenants.join(","));
        fs::write("/var/lib/bitbuilder/tenants.json", text)?;
        let root = Path::new("/");
        for generator in [Generator::Tenant, Generator::Mount] {
            let index = index::compose(generator, root)?;
            fs::write(root.join(index::path(generator)), index)?;
        }
        Ok(())
    }
}

fn id(index: usize) -> String {
    format!("tenant-{index:05}")
}

fn of_tenant(text: &str, id: &str) -> String {
    text.replace(STORED[0], id)
        .replace(STORED[1], &id.replace('-', "\\x2d"))
}

fn read(root: &Path, path: &str, files: &mut Vec<(String, String)>) -> anyhow::Result<()> {
    for entry in fs::read_dir(root.join(path))? {
        let entry = entry?;
        let path = format!("{path}/{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            read(root, &path, files)?;
        } else {
            files.push((path, fs::read_to_string(entry.path())?));
        }
    }
    Ok(())
}
