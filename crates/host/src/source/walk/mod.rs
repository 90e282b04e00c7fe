//! Walking a tree, of a commit or of a plain directory, with one visitor for both.

mod directory;
mod git;

pub(super) use directory::walk_directory;
pub(super) use git::walk_tree;

use super::error::SourceError;
use super::limits::Budget;
use gix::ObjectId;
use std::io::Read;

/// One step of a walk; its path is relative to the root and safe to show.
pub(super) enum Visit<'a> {
    /// A directory begins; the id of its tree, when Git knows it.
    Enter(Option<ObjectId>),
    /// The directory ends.
    Leave,
    /// A regular file.
    File(File<'a>),
    /// A symbolic link and its target, escaped like a name.
    Symlink(String),
    /// A submodule.
    Submodule,
    /// A FIFO, socket or device node.
    Special,
}

/// A regular file of a walk.
pub(super) struct File<'a> {
    pub(super) size: u64,
    pub(super) executable: bool,
    /// Id of the blob, when Git knows it.
    pub(super) id: Option<ObjectId>,
    pub(super) content: &'a mut dyn Content,
}

/// The bytes of a file, fetched only when asked for.
pub(super) trait Content {
    /// A reader of `size` bytes.
    fn reader(&mut self) -> Result<Box<dyn Read + '_>, SourceError>;
}

/// What a walk calls, in the order of names; directories before what they hold.
pub(super) trait Visitor {
    /// Takes one step; may record findings in `budget`.
    fn visit(
        &mut self,
        path: &str,
        visit: Visit<'_>,
        budget: &mut Budget<'_>,
    ) -> Result<(), SourceError>;
}

/// Checks a name and records what is wrong with it; `None` when it must be passed over.
fn checked_path(directory: &str, name: &[u8], budget: &mut Budget<'_>) -> Option<String> {
    let name = super::names::check(name);
    let path = super::names::join(directory, &name.text);
    if let Some(problem) = name.problem {
        budget.refuse(&path, "hostile-name", problem);
    }
    (!name.skip).then_some(path)
}

/// Checks a link's target, as stored.
fn checked_target(path: &str, target: &[u8], budget: &mut Budget<'_>) -> String {
    let (text, plain) = super::names::text(target);
    if !plain {
        let problem = "the target of the link is not UTF-8 or has control characters";
        budget.refuse(path, "hostile-link", problem);
    } else if text.is_empty() || text.len() > LONGEST_TARGET as usize {
        let problem = "the target of the link is empty or longer than 4095 bytes";
        budget.refuse(path, "hostile-link", problem);
    }
    text
}

/// Longest target of a symbolic link, in bytes (symlink(2), PATH_MAX without the final NUL).
const LONGEST_TARGET: u64 = 4095;
