//! `cargo xtask generate`: files in the repository that programs write.

use crate::repository;
use anyhow::{Context, Result, bail};
use bitbuilder_itest::command;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Directories in which every file is generated.
const DIRECTORIES: &[&str] = &["schemas"];

/// A part of what is generated: paths below the root of the repository, and content.
type Producer = fn() -> Result<Vec<(PathBuf, String)>>;

/// Everything that is generated.
const PRODUCERS: &[Producer] = &[schemas];

/// Writes the files, and removes those that nothing generates any more. With `check`, writes nothing.
///
/// # Errors
/// With `check`: a file is not what would be written; the error names them.
pub(crate) fn generate(check: bool) -> Result<()> {
    command_line(check)?;
    let root = repository::root();
    let mut wanted = BTreeMap::new();
    for producer in PRODUCERS {
        wanted.extend(producer()?);
    }
    let mut stale: Vec<PathBuf> = present(&root)?
        .into_iter()
        .filter(|path| !wanted.contains_key(path))
        .collect();
    if !check {
        for path in stale.drain(..) {
            fs::remove_file(root.join(path))?;
        }
    }
    for (path, content) in wanted {
        let file = root.join(&path);
        if fs::read_to_string(&file).is_ok_and(|found| found == content) {
            continue;
        }
        if check {
            stale.push(path);
            continue;
        }
        fs::create_dir_all(file.parent().unwrap_or(&root))?;
        fs::write(&file, content).with_context(|| format!("cannot write {}", file.display()))?;
        println!("{}", path.display());
    }
    if stale.is_empty() {
        return Ok(());
    }
    let list: Vec<String> = stale
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    bail!(
        "not up to date (`cargo xtask generate` writes them): {}",
        list.join(", ")
    )
}

/// Files of the directories that are ours alone.
fn present(root: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for directory in DIRECTORIES.iter().map(Path::new) {
        let Ok(entries) = fs::read_dir(root.join(directory)) else {
            continue;
        };
        for entry in entries {
            files.push(directory.join(entry?.file_name()));
        }
    }
    Ok(files)
}

/// From bbctl as a program: `cargo xtask up` shall not have to build it for development first.
fn schemas() -> Result<Vec<(PathBuf, String)>> {
    let mut bbctl = repository::cargo();
    bbctl.args(["run", "--quiet", "--locked", "--package", "bbctl", "--"]);
    let text = command::capture(bbctl.args(["schema", "--json"]))?;
    let all: Schemas = serde_json::from_str(&text)?;
    all.schemas
        .into_iter()
        .map(|(name, schema)| {
            let text = serde_json::to_string_pretty(&schema)?;
            Ok((format!("schemas/{name}.json").into(), text + "\n"))
        })
        .collect()
}

#[derive(Deserialize)]
struct Schemas {
    schemas: serde_json::Map<String, serde_json::Value>,
}

/// Man pages, completions and docs/cli.md: a test of bbctl compares them and, when told to, writes them.
fn command_line(check: bool) -> Result<()> {
    let mut test = repository::cargo();
    test.args(["test", "--quiet", "--locked", "--package", "bbctl"])
        .args(["--test", "generated"]);
    if !check {
        test.env("BLESS", "1");
    }
    command::capture(&mut test).map(drop)
}
