//! Bare repositories on the host that accept `git push`. What a pusher sends is checked by the pre-receive hook, which is
//! ours; nothing that a pusher controls is executed.

use super::error::SourceError;
use super::mirror::{create_bare, refuse_foreign, sync_directory, write_if_changed};
use super::repository::refuse_alternates;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

/// The hooks, all links to one program that looks at the name it is called by (githooks(5)).
pub const HOOKS: [&str; 2] = ["pre-receive", "post-receive"];

/// Only branches and tags are shown and accepted: no replace refs, no refs of ours.
const CONFIGURATION: &str = "\
[core]
\trepositoryformatversion = 0
\tfilemode = true
\tbare = true
\tbigFileThreshold = 16m
\tfsmonitor = false
[receive]
\tdenyNonFastForwards = true
\tdenyDeletes = true
\tfsckObjects = true
\tmaxInputSize = 2g
\tadvertisePushOptions = false
\tautogc = false
\tshallowUpdate = false
[transfer]
\tfsckObjects = true
\thideRefs = refs
\thideRefs = !refs/heads
\thideRefs = !refs/tags
[uploadpack]
\tallowFilter = false
[pack]
\tthreads = 2
[gc]
\tauto = 0
[maintenance]
\tauto = false
";

/// Makes the repository at `path`, or brings an existing one's configuration and hooks up to date. Its hooks are
/// links to `hook_program`, an absolute path as the pushing process sees it.
///
/// # Errors
/// When something else is at `path`, it borrows objects, or a file cannot be written.
pub fn create(path: &Path, hook_program: &Path) -> Result<(), SourceError> {
    let hooks = path.join("hooks");
    let config = configuration(&hooks);
    if path.symlink_metadata().is_err() {
        return create_bare(path, &config, |partial| {
            link_hooks(&partial.join("hooks"), hook_program)
        });
    }
    refuse_alternates(path)?;
    refuse_foreign(path)?;
    write_if_changed(&path.join("config"), config.as_bytes())?;
    link_hooks(&hooks, hook_program)
}

/// The hooks' path is written out, so that no configuration of the user who pushes can replace them.
fn configuration(hooks: &Path) -> String {
    let path = hooks.to_string_lossy();
    let quoted = path
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n");
    format!("{CONFIGURATION}[core]\n\thooksPath = \"{quoted}\"\n")
}

/// Makes `directory` hold the links and nothing else.
fn link_hooks(directory: &Path, program: &Path) -> Result<(), SourceError> {
    fs::create_dir_all(directory).map_err(SourceError::file(directory))?;
    for entry in fs::read_dir(directory).map_err(SourceError::file(directory))? {
        let entry = entry.map_err(SourceError::file(directory))?;
        let known = HOOKS.iter().any(|hook| entry.file_name() == *hook);
        let path = entry.path();
        if !known || fs::read_link(&path).ok().as_deref() != Some(program) {
            fs::remove_file(&path).map_err(SourceError::file(&path))?;
        }
    }
    for hook in HOOKS {
        let link = directory.join(hook);
        if link.symlink_metadata().is_err() {
            symlink(program, &link).map_err(SourceError::file(&link))?;
        }
    }
    sync_directory(directory)
}
