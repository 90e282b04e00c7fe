//! Text to [`Node`]s: strict JSON by serde_json's grammar, YAML 1.2 without anchors, aliases, tags,
//! directives or a second document. Both trees come from one reader, since YAML holds JSON.

use super::node::{Entry, Kind, Node, plain};
use super::source::{Source, Span};
use granit_parser::{Event, Parser, ScalarStyle};
use std::collections::HashMap;

/// Deepest nesting of lists and maps.
const MAX_DEPTH: usize = 64;
/// Most values of one document; a megabyte of `[,,,,` would otherwise take a hundred times its size.
const MAX_NODES: usize = 250_000;

/// Most values of all documents of one repository: what is made of them takes microseconds and a hundred bytes each.
pub(crate) const MAX_VALUES: usize = 500_000;

/// What keeps a text from being a document.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Problem {
    pub(crate) span: Span,
    pub(crate) rule: &'static str,
    pub(crate) message: String,
    pub(crate) help: Option<String>,
}

impl Problem {
    fn new(span: Span, rule: &'static str, message: impl Into<String>) -> Self {
        Self {
            span,
            rule,
            message: message.into(),
            help: None,
        }
    }

    fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// Reads the document; the tree is there unless a problem ended the reading, and the problems are
/// all that were seen (a duplicate key does not end it). `left` is how many values the repository may still have.
pub(crate) fn parse(
    source: &Source<'_>,
    left: &mut usize,
    problems: &mut Vec<Problem>,
) -> Option<Node> {
    if source.text.starts_with('\u{feff}') {
        problems.push(
            Problem::new(
                Span::new(0, 3),
                "byte-order-mark",
                "the file begins with a byte order mark",
            )
            .help("save it as UTF-8 without one"),
        );
        return None;
    }
    if source.path.ends_with(".json")
        && let Err(problem) = strict_json(source)
    {
        problems.push(problem);
        return None;
    }
    let mut builder = Builder::new(source, *left);
    let built = builder.build();
    *left = left.saturating_sub(builder.nodes);
    problems.append(&mut builder.problems);
    match built {
        Ok(node) => Some(node),
        Err(problem) => {
            problems.push(problem);
            None
        }
    }
}

/// The tree that is read leaves JSON's grammar to serde_json: comments, trailing commas, single
/// quotes and unquoted keys are YAML, not JSON.
fn strict_json(source: &Source<'_>) -> Result<(), Problem> {
    let Err(error) = serde_json::from_str::<serde::de::IgnoredAny>(source.text) else {
        return Ok(());
    };
    let text = error.to_string();
    let message = text
        .split(" at line ")
        .next()
        .unwrap_or("malformed")
        .to_owned();
    let at = source.byte_at(error.line(), error.column());
    let problem = Problem::new(
        Span::new(at, at + 1),
        "json-syntax",
        format!("not JSON: {message}"),
    );
    let rest = &source.text[at.min(source.text.len())..];
    Err(if message.contains("recursion limit") {
        Problem::new(problem.span, "too-deep", too_deep())
    } else if rest.starts_with("//") || rest.starts_with("/*") || rest.starts_with('#') {
        problem.help("JSON has no comments: remove it")
    } else if message.contains("trailing comma") || rest.starts_with(['}', ']']) {
        problem.help("remove the comma before the closing bracket")
    } else if rest.starts_with('\'') {
        problem.help("write text in double quotes")
    } else {
        problem
    })
}

fn too_deep() -> String {
    format!("lists and maps are nested deeper than {MAX_DEPTH} levels")
}

/// A list or map that is still open.
struct Open {
    start: usize,
    /// End of the last child: block collections end with it, not where the next line begins.
    last: usize,
    flow: bool,
    content: Content,
}

enum Content {
    List(Vec<Node>),
    Map {
        entries: Vec<Entry>,
        /// Keys that were seen, with their place.
        seen: HashMap<String, Span>,
        /// A key that waits for its value; `None` inside when it is unusable and its value is dropped.
        key: Option<Option<(String, Span)>>,
    },
}

struct Builder<'s, 'a> {
    source: &'s Source<'a>,
    stack: Vec<Open>,
    root: Option<Node>,
    nodes: usize,
    /// Values that the repository may still have.
    left: usize,
    problems: Vec<Problem>,
}

impl<'s, 'a> Builder<'s, 'a> {
    fn new(source: &'s Source<'a>, left: usize) -> Self {
        Self {
            source,
            stack: Vec::new(),
            root: None,
            nodes: 0,
            left,
            problems: Vec::new(),
        }
    }

    fn build(&mut self) -> Result<Node, Problem> {
        let options = granit_parser::options! { disallow_directives: true };
        let mut documents = 0;
        for event in Parser::new_from_str_with_options(self.source.text, options) {
            let (event, span) = event.map_err(|error| self.syntax(&error))?;
            let range = Span::new(
                span.start.byte_offset().unwrap_or(0),
                span.end.byte_offset().unwrap_or(0),
            );
            if matches!(event, Event::DocumentStart(..)) {
                documents += 1;
                if documents > 1 {
                    return Err(Problem::new(
                        range,
                        "yaml-documents",
                        "a second document begins here",
                    )
                    .help("a file is one document: remove the `---` and what follows"));
                }
            }
            let tag = span.tag_span().map(|tag| {
                Span::new(
                    tag.start.byte_offset().unwrap_or(range.start),
                    tag.end.byte_offset().unwrap_or(range.end),
                )
            });
            self.event(event, range, tag)?;
        }
        Ok(self.root.take().unwrap_or(Node {
            span: Span::default(),
            kind: Kind::Null,
        }))
    }

    fn event(&mut self, event: Event<'_>, span: Span, tag: Option<Span>) -> Result<(), Problem> {
        match event {
            Event::Scalar(text, style, anchor, tagged) => {
                self.refuse(anchor, tagged.is_some(), tag.unwrap_or(span))?;
                let kind = match style {
                    ScalarStyle::Plain => plain(&text),
                    _ => Kind::Text(text.into_owned()),
                };
                self.add(Node { span, kind }, style == ScalarStyle::Plain)
            }
            Event::SequenceStart(style, anchor, tagged) => {
                self.refuse(anchor, tagged.is_some(), tag.unwrap_or(span))?;
                let flow = style == granit_parser::StructureStyle::Flow;
                self.open(span, flow, Content::List(Vec::new()))
            }
            Event::MappingStart(style, anchor, tagged) => {
                self.refuse(anchor, tagged.is_some(), tag.unwrap_or(span))?;
                let flow = style == granit_parser::StructureStyle::Flow;
                let content = Content::Map {
                    entries: Vec::new(),
                    seen: HashMap::new(),
                    key: None,
                };
                self.open(span, flow, content)
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(span),
            Event::Alias(_) | Event::UnresolvedAlias(_) => Err(anchors(span)),
            _ => Ok(()),
        }
    }

    fn refuse(&self, anchor: usize, tagged: bool, span: Span) -> Result<(), Problem> {
        if anchor != 0 {
            return Err(anchors(span));
        }
        if tagged {
            return Err(
                Problem::new(span, "yaml-tag", "YAML tags are not allowed here")
                    .help("remove the tag; text that looks like a number goes in quotes"),
            );
        }
        Ok(())
    }

    fn open(&mut self, span: Span, flow: bool, content: Content) -> Result<(), Problem> {
        if self.stack.len() >= MAX_DEPTH {
            return Err(Problem::new(span, "too-deep", too_deep()));
        }
        self.stack.push(Open {
            start: span.start,
            last: span.end,
            flow,
            content,
        });
        Ok(())
    }

    fn close(&mut self, span: Span) -> Result<(), Problem> {
        let Some(open) = self.stack.pop() else {
            return Ok(());
        };
        let end = if open.flow { span.end } else { open.last };
        let span = Span::new(open.start, end.max(open.start));
        let kind = match open.content {
            Content::List(items) => Kind::List(items),
            Content::Map { entries, .. } => Kind::Map(entries),
        };
        self.add(Node { span, kind }, false)
    }

    fn add(&mut self, node: Node, plain: bool) -> Result<(), Problem> {
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            let message = format!("more than {MAX_NODES} values in one document");
            return Err(Problem::new(node.span, "too-many-values", message));
        }
        if self.nodes > self.left {
            let message =
                format!("more than {MAX_VALUES} values in the documents of one repository");
            let problem = Problem::new(node.span, "too-many-values", message);
            return Err(
                problem.help("this document is not read further, and the next ones not at all")
            );
        }
        let Some(open) = self.stack.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        open.last = open.last.max(node.span.end);
        match &mut open.content {
            Content::List(items) => items.push(node),
            Content::Map { entries, seen, key } => match key.take() {
                None => *key = Some(map_key(node, plain, seen, self.source, &mut self.problems)),
                Some(None) => {}
                Some(Some((key, key_span))) => entries.push(Entry {
                    key,
                    key_span,
                    value: node,
                }),
            },
        }
        Ok(())
    }

    fn syntax(&self, error: &granit_parser::ScanError) -> Problem {
        let marker = error.marker();
        let at = marker
            .byte_offset()
            .unwrap_or_else(|| self.source.byte_at(marker.line(), marker.col() + 1));
        let message = format!("not YAML: {}", error.kind());
        let problem = Problem::new(Span::new(at, at + 1), "yaml-syntax", message);
        use granit_parser::ErrorKind::{
            RecursionLimitExceeded, TabAtBlockScalarStart, TabInBlockIndentation, TabInIndentation,
            TabNotAllowed, UnknownAnchor,
        };
        match error.kind() {
            UnknownAnchor => anchors(problem.span),
            RecursionLimitExceeded => Problem::new(problem.span, "too-deep", too_deep()),
            TabNotAllowed | TabInBlockIndentation | TabInIndentation | TabAtBlockScalarStart => {
                problem.help("indent with spaces, not with tabs")
            }
            _ => problem,
        }
    }
}

fn anchors(span: Span) -> Problem {
    Problem::new(
        span,
        "yaml-anchor",
        "YAML anchors and aliases are not allowed",
    )
    .help("write the value out; text that begins with `&` or `*` goes in quotes")
}

/// The key that `node` is, if it can be one and is new.
fn map_key(
    node: Node,
    plain: bool,
    seen: &mut HashMap<String, Span>,
    source: &Source<'_>,
    problems: &mut Vec<Problem>,
) -> Option<(String, Span)> {
    let text = match node.kind {
        Kind::Text(text) | Kind::Number(text) => text,
        // `true: x` and `null: x` are keys as they are written.
        Kind::Bool(_) | Kind::Null if plain => source
            .text
            .get(node.span.start..node.span.end)
            .unwrap_or_default()
            .to_owned(),
        _ => {
            problems.push(Problem::new(node.span, "key-type", "a key must be text"));
            return None;
        }
    };
    if let Some(first) = seen.get(&text) {
        let line = source.origin(*first).line;
        problems.push(
            Problem::new(
                node.span,
                "duplicate-key",
                format!("`{text}` is set twice, first in line {line}"),
            )
            .help("keep one of the two"),
        );
        return None;
    }
    seen.insert(text.clone(), node.span);
    Some((text, node.span))
}

#[cfg(test)]
mod tests;
