//! Lists with one entry a line: words, and where they stand.

use crate::finding::{Finding, Origin};

/// A line that is being read.
pub(super) struct Line<'t> {
    file: &'t str,
    number: u32,
    text: &'t str,
    /// Bytes that were read.
    at: usize,
}

/// A part of a line.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Word<'t> {
    pub(super) text: &'t str,
    start: usize,
}

/// The lines of `text` that are not empty and no comment.
pub(super) fn lines<'t>(file: &'t str, text: &'t str) -> impl Iterator<Item = Line<'t>> {
    text.lines().zip(1..).filter_map(move |(text, number)| {
        let line = Line {
            file,
            number,
            text,
            at: 0,
        };
        let first = text.trim_start().chars().next();
        first.filter(|first| *first != '#').map(|_| line)
    })
}

impl<'t> Line<'t> {
    /// What stands before the next white space that is not between quotes; `None` at the end of the line.
    pub(super) fn word(&mut self) -> Option<Word<'t>> {
        let start = self.skip();
        let (mut quoted, mut escaped) = (false, false);
        let rest = &self.text[start..];
        let end = rest.find(|c: char| {
            let ends = c.is_whitespace() && !quoted;
            quoted ^= c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
            ends
        });
        self.at = end.map_or(self.text.len(), |end| start + end);
        let text = &self.text[start..self.at];
        (!text.is_empty()).then_some(Word { text, start })
    }

    /// The rest, trimmed.
    pub(super) fn rest(&mut self) -> Word<'t> {
        let start = self.skip();
        self.at = self.text.len();
        let text = self.text[start..].trim_end();
        Word { text, start }
    }

    fn skip(&self) -> usize {
        let rest = &self.text[self.at..];
        self.text.len() - rest.trim_start().len()
    }

    /// Where `word` is.
    pub(super) fn origin(&self, word: Word<'_>) -> Origin {
        let before = self.text.get(..word.start).unwrap_or_default();
        Origin {
            file: self.file.to_owned(),
            line: self.number,
            column: u32::try_from(before.chars().count() + 1).unwrap_or(u32::MAX),
        }
    }

    pub(super) fn error(&self, word: Word<'_>, message: impl Into<String>) -> Finding {
        Finding::error(self.origin(word), "signers", message).length(word.text.chars().count())
    }

    pub(super) fn warning(&self, word: Word<'_>, message: impl Into<String>) -> Finding {
        Finding::warning(self.origin(word), "signers", message).length(word.text.chars().count())
    }
}
