//! This repository.

use std::path::PathBuf;
use std::process::Command;

/// Its root directory.
pub(crate) fn root() -> PathBuf {
    bitbuilder_itest::repository()
}

/// `cargo`, started in the root.
pub(crate) fn cargo() -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root());
    cargo
}

/// Where programs are built.
pub(crate) fn target() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(directory) => root().join(directory),
        None => root().join("target"),
    }
}
