//! Findings as rustc shows them: the offending text underlined, and what to write.

use super::{count, escape};
use crate::finding::{Finding, Severity};
use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use std::collections::BTreeMap;
use std::fmt::Write;

/// Most characters of a line that are shown; a document can be one line of a megabyte.
const WIDTH: usize = 160;
/// Characters before the offending text that are kept of a long line.
const BEFORE: usize = 60;

/// Shows `findings` in their `sources` (texts by path), and how many there are; empty without findings.
pub fn render_findings(
    findings: &[Finding],
    sources: &BTreeMap<String, String>,
    color: bool,
) -> String {
    let renderer = if color {
        Renderer::styled()
    } else {
        Renderer::plain()
    };
    let mut lines = Lines::default();
    let mut text = String::new();
    for finding in findings {
        text.push_str(&render(finding, sources, &mut lines, &renderer));
        text.push_str("\n\n");
    }
    text.push_str(&summary(findings));
    text
}

fn summary(findings: &[Finding]) -> String {
    let mut parts = Vec::new();
    for (severity, word) in [
        (Severity::Error, "error"),
        (Severity::Warning, "warning"),
        (Severity::Note, "note"),
    ] {
        let number = count(findings, severity);
        match number {
            0 => {}
            1 => parts.push(format!("1 {word}")),
            _ => parts.push(format!("{number} {word}s")),
        }
    }
    if parts.is_empty() {
        return String::new();
    }
    format!("{}\n", parts.join(", "))
}

fn render<'s>(
    finding: &Finding,
    sources: &'s BTreeMap<String, String>,
    lines: &mut Lines<'s>,
    renderer: &Renderer,
) -> String {
    let level = match finding.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Note => Level::NOTE,
    };
    let place = &finding.origin;
    let path = escape(&place.file);
    let title = level
        .primary_title(escape(&finding.message))
        .id(finding.rule.as_str());
    let mut group = Group::with_title(title);
    let excerpt = excerpt(finding, sources, lines);
    if let Some(excerpt) = &excerpt {
        let span = excerpt.start..excerpt.end;
        let annotation = AnnotationKind::Primary.span(span);
        let snippet = Snippet::source(excerpt.text.as_str())
            .line_start(excerpt.line)
            .annotation(annotation);
        group = if excerpt.cut {
            // The column within the part that is shown is not the column in the file.
            group.element(origin(&path, place)).element(snippet)
        } else {
            group.element(snippet.path(path.as_str()))
        };
    } else if !path.is_empty() {
        group = group.element(origin(&path, place));
    }
    if let Some(help) = &finding.help {
        group = group.element(Level::HELP.message(escape(help)));
    }
    let mut text = String::new();
    // Writing to a String does not fail.
    let _ = write!(text, "{}", renderer.render(&[group]));
    text
}

fn origin<'p>(path: &'p str, place: &crate::finding::Origin) -> Origin<'p> {
    let origin = Origin::path(path);
    if place.line == 0 {
        return origin;
    }
    origin
        .line(place.line as usize)
        .char_column(place.column as usize)
}

/// The part of a line that a finding is about.
struct Excerpt {
    text: String,
    line: usize,
    /// Bytes of the text that are underlined.
    start: usize,
    end: usize,
    /// Whether the line begins before the text.
    cut: bool,
}

/// The line starts of the document that was shown last: findings come sorted by file.
#[derive(Default)]
struct Lines<'s> {
    path: &'s str,
    starts: Vec<&'s str>,
}

impl<'s> Lines<'s> {
    fn line(&mut self, path: &'s str, text: &'s str, number: usize) -> Option<&'s str> {
        if self.path != path || self.starts.is_empty() {
            self.path = path;
            self.starts = split(text);
        }
        self.starts.get(number.checked_sub(1)?).copied()
    }
}

/// Lines as YAML counts them: LF, CRLF or a lone CR.
fn split(text: &str) -> Vec<&str> {
    let mut lines = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(['\n', '\r']) {
        let end = if rest[at..].starts_with("\r\n") {
            at + 2
        } else {
            at + 1
        };
        lines.push(&rest[..at]);
        rest = &rest[end..];
    }
    lines.push(rest);
    lines
}

fn excerpt<'s>(
    finding: &Finding,
    sources: &'s BTreeMap<String, String>,
    lines: &mut Lines<'s>,
) -> Option<Excerpt> {
    let place = &finding.origin;
    let (path, text) = sources.get_key_value(&place.file)?;
    let line = lines.line(path, text, place.line as usize)?;
    let column = (place.column as usize).checked_sub(1)?;
    let long = line.chars().nth(WIDTH).is_some();
    let skipped = if long {
        column.saturating_sub(BEFORE)
    } else {
        0
    };
    // One character stays one character, so that the underline fits.
    let shown = line.chars().skip(skipped).take(WIDTH);
    let text: String = shown
        .map(|c| if hidden(c) { '\u{fffd}' } else { c })
        .collect();
    let start = byte_of(&text, column - skipped);
    let end = byte_of(&text, column - skipped + (finding.length as usize).max(1));
    Some(Excerpt {
        line: place.line as usize,
        start,
        end,
        cut: skipped > 0,
        text,
    })
}

fn hidden(c: char) -> bool {
    c != '\t' && crate::document::is_unsafe(c)
}

fn byte_of(text: &str, character: usize) -> usize {
    text.char_indices()
        .nth(character)
        .map_or(text.len(), |(at, _)| at)
}
