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
}

impl<'a> Source<'a> {
    /// Indexes `text`; a line ends with LF, CRLF or a lone CR, as in YAML.
    pub(crate) fn new(path: &'a str, text: &'a str) -> Self {
        let bytes = text.as_bytes();
        let mut line_starts = vec![0];
        for (at, byte) in bytes.iter().enumerate() {
            let lone_cr = *byte == b'\r' && bytes.get(at + 1) != Some(&b'\n');
            if *byte == b'\n' || lone_cr {
                line_starts.push(at + 1);
            }
        }
        Self {
            path,
            text,
            line_starts,
        }
    }

    /// The place where `span` begins, and how many characters of it are on that line (at least one).
    pub(crate) fn place(&self, span: Span) -> (Origin, usize) {
        let start = self.boundary(span.start);
        let line = self.line_starts.partition_point(|first| *first <= start) - 1;
        let line_start = self.line_starts[line];
        let line_end = self
            .line_starts
            .get(line + 1)
            .map_or(self.text.len(), |next| *next);
        let end = self.boundary(span.end).clamp(start, line_end);
        let covered = self.text[start..end].trim_end();
        let origin = Origin {
            file: self.path.to_owned(),
            line: number(line + 1),
            column: number(self.text[line_start..start].chars().count() + 1),
        };
        (origin, covered.chars().count().max(1))
    }

    /// The place where `span` begins.
    pub(crate) fn origin(&self, span: Span) -> Origin {
        self.place(span).0
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
    fn a_span_ends_with_its_line() {
        let source = Source::new("f", "a:\n  b: 1\n  c: 2\n");
        let (origin, length) = source.place(Span::new(5, 16));
        assert_eq!((origin.line, origin.column, length), (2, 3, 4));
        assert_eq!(source.place(Span::new(99, 100)).1, 1);
    }
}
