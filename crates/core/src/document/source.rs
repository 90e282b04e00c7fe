//! The text of one document, and where its bytes are in lines and columns.

use crate::finding::Origin;

/// A range of bytes of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Span {
    /// First byte.
    pub(crate) start: usize,
    /// One behind the last byte.
    pub(crate) end: usize,
}

impl Span {
    /// The range from `start` up to `end`.
    pub(crate) fn new(start: usize, end: usize) -> Self {
        Self { start, end }
    }
}

/// The text of one document with an index of its lines.
#[derive(Debug)]
pub(crate) struct Source<'a> {
    /// Path in the repository.
    pub(crate) path: &'a str,
    /// The whole text.
    pub(crate) text: &'a str,
    line_starts: Vec<usize>,
    /// Characters before every `STRIDE`th byte: a document can be one line of a megabyte with a place in every word.
    characters: Vec<usize>,
}

/// Bytes between two entries of [`Source::characters`].
const STRIDE: usize = 512;

impl<'a> Source<'a> {
    /// Indexes `text`; a line ends with LF, CRLF or a lone CR, as in YAML.
    pub(crate) fn new(path: &'a str, text: &'a str) -> Self {
        let bytes = text.as_bytes();
        let mut line_starts = vec![0];
        let mut characters = Vec::with_capacity(bytes.len() / STRIDE + 1);
        let mut counted = 0;
        for (at, byte) in bytes.iter().enumerate() {
            if at % STRIDE == 0 {
                characters.push(counted);
            }
            counted += usize::from(begins_character(*byte));
            let lone_cr = *byte == b'\r' && bytes.get(at + 1) != Some(&b'\n');
            if *byte == b'\n' || lone_cr {
                line_starts.push(at + 1);
            }
        }
        Self {
            path,
            text,
            line_starts,
            characters,
        }
    }

    /// The place where `span` begins, and how many characters of it are on that line (at least one).
    pub(crate) fn place(&self, span: Span) -> (Origin, usize) {
        let start = self.boundary(span.start);
        let line_end = self
            .line_starts
            .get(self.line(start) + 1)
            .map_or(self.text.len(), |next| *next);
        let end = self.boundary(span.end).clamp(start, line_end);
        let covered = self.text[start..end].trim_end();
        (self.origin(span), covered.chars().count().max(1))
    }

    /// The place where `span` begins.
    pub(crate) fn origin(&self, span: Span) -> Origin {
        let start = self.boundary(span.start);
        let line = self.line(start);
        let before = self.characters_before(self.line_starts[line]);
        Origin {
            file: self.path.to_owned(),
            line: number(line + 1),
            column: number(self.characters_before(start) - before + 1),
        }
    }

    /// Index of the line that holds the byte `at`.
    fn line(&self, at: usize) -> usize {
        self.line_starts.partition_point(|first| *first <= at) - 1
    }

    fn characters_before(&self, at: usize) -> usize {
        let counted = (at / STRIDE).min(self.characters.len().saturating_sub(1));
        let rest = &self.text.as_bytes()[counted * STRIDE..at];
        let rest = rest.iter().filter(|byte| begins_character(**byte));
        self.characters.get(counted).map_or(0, |n| *n) + rest.count()
    }

    /// The byte at which `column` (bytes, from 1) of `line` (from 1) begins.
    pub(crate) fn byte_at(&self, line: usize, column: usize) -> usize {
        let start = self
            .line_starts
            .get(line.saturating_sub(1))
            .map_or(self.text.len(), |start| *start);
        self.boundary(start + column.saturating_sub(1))
    }

    fn boundary(&self, at: usize) -> usize {
        let mut at = at.min(self.text.len());
        while !self.text.is_char_boundary(at) {
            at -= 1;
        }
        at
    }
}

/// Whether a byte of UTF-8 is the first of a character.
fn begins_character(byte: u8) -> bool {
    byte & 0xc0 != 0x80
}

fn number(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_characters() {
        let source = Source::new("f", "a: ä\r\nключ: wert\rx");
        let (origin, length) = source.place(Span::new(7, 15));
        assert_eq!((origin.line, origin.column, length), (2, 1, 4));
        let (origin, _) = source.place(Span::new(22, 23));
        assert_eq!((origin.line, origin.column), (3, 1));
    }

    #[test]
    fn columns_of_a_long_line() {
        let text = format!("a\n{}x", "äb中".repeat(3000));
        let source = Source::new("f", &text);
        for at in [2, 3, 513, 514, 1025, 9001, 17_000, text.len()] {
            let at = source.boundary(at);
            let expected = text[2..at].chars().count() + 1;
            let origin = source.origin(Span::new(at, at));
            assert_eq!((origin.line, origin.column as usize), (2, expected), "{at}");
        }
    }

    #[test]
    fn a_span_ends_with_its_line() {
        let source = Source::new("f", "a:\n  b: 1\n  c: 2\n");
        let (origin, length) = source.place(Span::new(5, 16));
        assert_eq!((origin.line, origin.column, length), (2, 3, 4));
        assert_eq!(source.place(Span::new(99, 100)).1, 1);
    }
}
