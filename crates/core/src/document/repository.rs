//! One repository while it is read: its tree, and what was found so far.

use super::decode::{Cx, Written};
use super::parse::{MAX_VALUES, parse};
use super::source::{Source, Span};
use super::{MAX_DOCUMENT, MAX_DOCUMENTS};
use crate::finding::{Checked, Finding, Origin, Severity};
use crate::tree::{Entry, Tree};

/// Most findings of one repository.
const MAX_FINDINGS: usize = 1000;

/// One repository while it is read.
#[derive(Debug)]
pub(crate) struct Repository<'t> {
    pub(crate) tree: &'t Tree,
    pub(crate) findings: Vec<Finding>,
    /// Values that its documents may still have.
    values_left: usize,
}

impl<'t> Repository<'t> {
    pub(crate) fn new(tree: &'t Tree) -> Self {
        Self {
            tree,
            findings: Vec::new(),
            values_left: MAX_VALUES,
        }
    }

    /// Reads the document at `path` as `W` and turns it into what `convert` makes of it; `None` when there
    /// is no such file or something is wrong with it.
    pub(crate) fn document<W: Written, M>(
        &mut self,
        path: &str,
        convert: impl FnOnce(W, &mut Cx<'_>) -> Option<M>,
    ) -> Option<M> {
        // Nobody would see more; a hostile repository has thousands of such documents.
        if self.findings.len() > MAX_FINDINGS || self.values_left == 0 {
            return None;
        }
        let text = self.text(path)?;
        let source = Source::new(path, text);
        let mut problems = Vec::new();
        let node = parse(&source, &mut self.values_left, &mut problems);
        let mut cx = Cx::new(&source, &mut self.findings);
        for problem in problems {
            cx.error_help(problem.span, problem.rule, problem.message, problem.help);
        }
        let written = W::read(&node?, &mut cx)?;
        convert(written, &mut cx)
    }

    /// The text of the file at `path`.
    pub(crate) fn text(&mut self, path: &str) -> Option<&'t str> {
        let tree: &'t Tree = self.tree;
        let blob = match tree.entries.get(path)? {
            Entry::File(blob) => blob,
            Entry::Symlink(_) => {
                let message = format!(
                    "`{}` must be a regular file, not a symbolic link",
                    shown(path)
                );
                self.whole_file(path, "symlink", message, "put the document itself here");
                return None;
            }
            // The layout check has named them.
            Entry::Submodule | Entry::Special => return None,
        };
        if blob.size > MAX_DOCUMENT {
            let message = format!(
                "the document has {} bytes, a document has at most {MAX_DOCUMENT}",
                blob.size
            );
            self.whole_file(
                path,
                "document-size",
                message,
                "split it, or move data out of it",
            );
            return None;
        }
        let Some(content) = &blob.content else {
            let message = format!(
                "not read: the documents of a repository have at most {MAX_DOCUMENTS} bytes together"
            );
            self.whole_file(
                path,
                "documents-size",
                message,
                "move data out of the documents",
            );
            return None;
        };
        match std::str::from_utf8(content) {
            Ok(text) => Some(text),
            Err(error) => {
                self.not_utf8(path, content, error.valid_up_to());
                None
            }
        }
    }

    fn not_utf8(&mut self, path: &str, content: &[u8], at: usize) {
        let valid = std::str::from_utf8(&content[..at]).unwrap_or_default();
        let origin = Source::new(path, valid).origin(Span::new(at, at));
        let finding = Finding::error(origin, "encoding", "the document is not UTF-8 here")
            .help("save the file as UTF-8");
        self.findings.push(finding);
    }

    /// An error about a whole file.
    pub(crate) fn whole_file(
        &mut self,
        path: &str,
        rule: &str,
        message: impl Into<String>,
        help: &str,
    ) {
        let finding = Finding::error(Origin::file(path), rule, message);
        self.findings.push(finding.help(help));
    }

    /// The outcome.
    pub(crate) fn finish<T>(self, value: Option<T>) -> Checked<T> {
        let mut findings = self.findings;
        if findings.len() > MAX_FINDINGS {
            // Errors are kept: what is left out must not let the repository pass.
            findings.sort_by_key(|finding| finding.severity);
            findings.truncate(MAX_FINDINGS);
            let message = format!("more than {MAX_FINDINGS} findings; the rest is not shown");
            findings.push(Finding::error(
                Origin::default(),
                "too-many-findings",
                message,
            ));
        }
        debug_assert!(
            value.is_some() || findings.iter().any(|f| f.severity == Severity::Error),
            "a repository without a value has an error"
        );
        Checked::new(value, findings)
    }
}

/// A path as it can be shown: hostile characters escaped, the middle of a long one left out.
pub(crate) fn shown(path: &str) -> String {
    let escaped: String = path
        .chars()
        .take(200)
        .flat_map(|c| {
            let hostile = super::scalar::is_unsafe(c);
            let escaped = hostile.then(|| c.escape_default()).into_iter().flatten();
            escaped.chain((!hostile).then_some(c))
        })
        .collect();
    if path.chars().nth(200).is_some() {
        format!("{escaped}...")
    } else {
        escaped
    }
}
