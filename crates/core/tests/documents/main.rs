//! Documents of whole repositories: what people read about them, and that nothing hostile gets further.
//!
//! A directory of `tests/cases/documents/` is a case: `repository/` is the input, `registered-as` the id in the registry (if
//! any), `expected` what a person sees, and `model` what a repository without errors means. `BLESS=1` rewrites the last
//! two. A case whose name begins with `system-` is a system repository, the others are tenants'.
#![allow(clippy::unwrap_used, reason = "a test that panics fails")]

mod cases;
mod formats;
mod generated;
mod hostile;

use bitbuilder_core::document::{is_document, read_system, read_tenant};
use bitbuilder_core::finding::{Finding, has_errors};
use bitbuilder_core::model::Name;
use bitbuilder_core::report::{render_findings, sources};
use bitbuilder_core::tree::{Blob, Entry, Tree};
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// `tests/cases/documents/`.
fn cases_directory() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/cases/documents")
}

/// A file of a tree that holds `content`.
fn file(content: &[u8]) -> Entry {
    Entry::File(Blob {
        size: content.len() as u64,
        executable: false,
        oid: String::new(),
        content: Some(content.into()),
    })
}

/// A tree of regular files.
fn tree<S: AsRef<str>>(files: &[(S, &str)]) -> Tree {
    let files = files.iter();
    Tree {
        entries: files
            .map(|(path, text)| (path.as_ref().to_owned(), file(text.as_bytes())))
            .collect(),
        ..Tree::default()
    }
}

/// What a repository says: its findings, and its meaning when it has no errors.
struct Outcome {
    findings: Vec<Finding>,
    model: Option<String>,
}

fn read(tree: &Tree, system: bool, id: Option<&str>) -> Outcome {
    let id = id.map(|id| Name::new(id).unwrap());
    let (findings, model) = if system {
        let checked = read_system(tree);
        let model = checked.value.map(|value| format!("{value:#?}\n"));
        (checked.findings, model)
    } else {
        let checked = read_tenant(tree, id.as_ref());
        let model = checked.value.map(|value| format!("{value:#?}\n"));
        (checked.findings, model)
    };
    assert_eq!(
        model.is_none(),
        has_errors(&findings),
        "a value exactly when there is no error"
    );
    Outcome { findings, model }
}

/// What a person sees.
fn shown(tree: &Tree, outcome: &Outcome) -> String {
    let texts = sources(tree, &outcome.findings);
    let mut text = render_findings(&outcome.findings, &texts, false);
    if text.is_empty() {
        let _ = writeln!(text, "no findings");
    }
    text
}

/// Compares `text` with the stored file; `BLESS=1` rewrites it, `None` means that it must not be there.
#[allow(clippy::disallowed_methods, reason = "stored examples are files")]
fn compare(path: &Path, text: Option<&str>) -> Result<(), String> {
    if std::env::var("BLESS").is_ok() {
        let _ = std::fs::remove_file(path);
        if let Some(text) = text {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
    }
    let stored = std::fs::read_to_string(path).ok();
    if stored.as_deref() == text {
        return Ok(());
    }
    Err(format!(
        "{} differs; BLESS=1 rewrites it\n--- stored\n{}\n--- now\n{}",
        path.display(),
        stored.unwrap_or_default(),
        text.unwrap_or_default()
    ))
}

/// The tree that a directory holds, as Git would store it.
#[allow(clippy::disallowed_methods, reason = "stored examples are files")]
fn stored_tree(root: &Path) -> Tree {
    let mut tree = Tree::default();
    let mut open = vec![root.to_path_buf()];
    while let Some(directory) = open.pop() {
        for entry in std::fs::read_dir(&directory).unwrap().map(Result::unwrap) {
            let full = entry.path();
            let path = full
                .strip_prefix(root)
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned();
            let kind = entry.file_type().unwrap();
            if kind.is_dir() {
                // Any id will do, as long as it is the same in every run.
                tree.directories.insert(path, "0".repeat(40));
                open.push(full);
            } else if kind.is_symlink() {
                let target = std::fs::read_link(&full).unwrap();
                let target = target.to_str().unwrap().to_owned();
                tree.entries.insert(path, Entry::Symlink(target));
            } else {
                let mut entry = file(&std::fs::read(&full).unwrap());
                if let (Entry::File(blob), false) = (&mut entry, is_document(&path)) {
                    blob.content = None;
                }
                tree.entries.insert(path, entry);
            }
        }
    }
    tree
}
