//! Nodes to documents as written, field by field, so that one run names every mistake; the same
//! declaration gives the JSON Schema.

use super::node::{Entry, Kind, Node};
use super::source::{Source, Span};
use super::suggest;
use crate::finding::{Finding, Origin, Severity};
use serde_json::{Value, json};

/// Most findings of one document; the rest of a hostile one says nothing new.
const MAX_FINDINGS: usize = 100;

/// A type that is written in documents.
pub(crate) trait Written: Sized {
    /// The value that `node` holds; `None` after a finding.
    fn read(node: &Node, cx: &mut Cx<'_>) -> Option<Self>;
    /// The JSON Schema of it.
    fn schema() -> Value;
}

/// The document that is read: where findings go.
#[derive(Debug)]
pub(crate) struct Cx<'a> {
    source: &'a Source<'a>,
    /// Keys from the root to the value that is read.
    path: Vec<String>,
    /// Key of the map that is read, for what is missing in it.
    header: Option<Span>,
    findings: &'a mut Vec<Finding>,
    reported: usize,
}

impl<'a> Cx<'a> {
    pub(crate) fn new(source: &'a Source<'a>, findings: &'a mut Vec<Finding>) -> Self {
        Self {
            source,
            path: Vec::new(),
            header: None,
            findings,
            reported: 0,
        }
    }

    /// An error at `span`.
    pub(crate) fn error(&mut self, span: Span, rule: &str, message: impl Into<String>) {
        self.report(Severity::Error, span, rule, message.into(), None);
    }

    /// An error at `span` with what to write instead.
    pub(crate) fn error_help(
        &mut self,
        span: Span,
        rule: &str,
        message: impl Into<String>,
        help: impl Into<Option<String>>,
    ) {
        self.report(Severity::Error, span, rule, message.into(), help.into());
    }

    /// A warning at `span` with what to write instead.
    pub(crate) fn warning(
        &mut self,
        span: Span,
        rule: &str,
        message: impl Into<String>,
        help: impl Into<Option<String>>,
    ) {
        self.report(Severity::Warning, span, rule, message.into(), help.into());
    }

    fn report(
        &mut self,
        severity: Severity,
        span: Span,
        rule: &str,
        message: String,
        help: Option<String>,
    ) {
        self.reported += 1;
        if self.reported > MAX_FINDINGS {
            if self.reported == MAX_FINDINGS + 1 {
                let message = format!("more than {MAX_FINDINGS} findings; the rest is not shown");
                let origin = Origin::file(self.source.path);
                self.findings
                    .push(Finding::error(origin, "too-many-findings", message));
            }
            return;
        }
        let (origin, length) = self.source.place(span);
        let mut finding = Finding::error(origin, rule, shorten(message)).length(length);
        finding.severity = severity;
        finding.help = help;
        self.findings.push(finding);
    }

    /// How many findings this document has.
    pub(crate) fn reported(&self) -> usize {
        self.reported
    }

    /// Whether no further finding of this document is shown, so that none needs to be looked for.
    pub(crate) fn is_full(&self) -> bool {
        self.reported > MAX_FINDINGS
    }

    /// A reference to something that does not exist: `dependsOn` names no workload `wbe`.
    pub(crate) fn unknown<'n>(
        &mut self,
        span: Span,
        what: &str,
        name: &str,
        known: impl IntoIterator<Item = &'n str> + Clone,
    ) {
        let help = self.hint(name, known);
        self.error_help(
            span,
            "unknown-reference",
            format!("there is no {what} `{name}`"),
            help,
        );
    }

    /// The place of `span`.
    pub(crate) fn origin(&self, span: Span) -> Origin {
        self.source.origin(span)
    }

    /// [`suggest::hint`], unless nobody would see it.
    pub(crate) fn hint<'n>(
        &self,
        word: &str,
        known: impl IntoIterator<Item = &'n str> + Clone,
    ) -> Option<String> {
        (!self.is_full())
            .then(|| suggest::hint(word, known))
            .flatten()
    }

    /// Path in the repository of the document that is read.
    pub(crate) fn file(&self) -> &'a str {
        self.source.path
    }

    /// The keys from the root to the value that is read: `tenants[3].limits.cpu`.
    pub(crate) fn key(&self) -> String {
        let mut text = String::new();
        for part in &self.path {
            if !text.is_empty() && !part.starts_with('[') {
                text.push('.');
            }
            text.push_str(part);
        }
        text
    }

    fn subject(&self) -> String {
        if self.path.is_empty() {
            "the document".into()
        } else {
            format!("`{}`", self.key())
        }
    }

    /// Reports that `node` is not what is `expected`.
    pub(crate) fn wrong_type(&mut self, node: &Node, expected: &str, help: Option<String>) {
        let span = match node.kind {
            // Nothing has no text to point at.
            Kind::Null if node.span.end <= node.span.start => self.header.unwrap_or(node.span),
            _ => node.span,
        };
        let message = format!(
            "{} must be {expected}, found {}",
            self.subject(),
            node.describe()
        );
        let help = help.or_else(|| {
            (node.kind == Kind::Null).then(|| "write a value or remove the key".to_owned())
        });
        self.error_help(span, "type", message, help);
    }

    /// Runs `read` one key deeper.
    pub(crate) fn within<T>(
        &mut self,
        key: &str,
        header: Option<Span>,
        read: impl FnOnce(&mut Self) -> T,
    ) -> T {
        self.path.push(key.to_owned());
        let outer = self.header;
        if header.is_some() {
            self.header = header;
        }
        let result = read(self);
        self.header = outer;
        self.path.pop();
        result
    }
}

fn shorten(message: String) -> String {
    const LONGEST: usize = 400;
    if message.len() <= LONGEST {
        return message;
    }
    let kept: String = message.chars().take(LONGEST).collect();
    format!("{kept}...")
}

/// A value with its place.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct At<T> {
    /// The value.
    pub(crate) value: T,
    /// Where it is written.
    pub(crate) span: Span,
}

impl<T: Written> Written for At<T> {
    fn read(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        let value = T::read(node, cx)?;
        Some(Self {
            value,
            span: node.span,
        })
    }

    fn schema() -> Value {
        T::schema()
    }
}

impl Written for bool {
    fn read(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        if let Kind::Bool(flag) = node.kind {
            return Some(flag);
        }
        let help = match &node.kind {
            Kind::Text(text) => match text.to_ascii_lowercase().as_str() {
                "yes" | "on" | "true" | "1" => Some("write `true`, without quotes".to_owned()),
                "no" | "off" | "false" | "0" => Some("write `false`, without quotes".to_owned()),
                _ => None,
            },
            _ => None,
        };
        cx.wrong_type(node, "`true` or `false`", help);
        None
    }

    fn schema() -> Value {
        json!({ "type": "boolean" })
    }
}

impl<T: Written> Written for Vec<T> {
    fn read(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        let Kind::List(items) = &node.kind else {
            let of_maps = T::schema()["type"] == "object";
            let help = match &node.kind {
                _ if of_maps => Some("write a list of maps, as in `[{ key: value }]`".to_owned()),
                Kind::Text(text) if text.len() < 80 => Some(format!("write `[{text}]`")),
                _ => None,
            };
            cx.wrong_type(node, "a list", help);
            return None;
        };
        // An element that is wrong is reported and left out: what is right is still checked further.
        let read = items.iter().enumerate().filter_map(|(index, item)| {
            if cx.is_full() {
                return None;
            }
            cx.within(&format!("[{index}]"), None, |cx| {
                let outer = cx.header.replace(item.span);
                let value = T::read(item, cx);
                cx.header = outer;
                value
            })
        });
        Some(read.collect())
    }

    fn schema() -> Value {
        json!({ "type": "array", "items": T::schema() })
    }
}

/// A map whose keys are the writer's: names of networks, variables, credentials.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Table<T>(pub(crate) Vec<(At<String>, T)>);

impl<T: Written> Written for Table<T> {
    fn read(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        let entries = entries(node, cx)?;
        let read = entries.iter().filter_map(|entry| {
            if cx.is_full() {
                return None;
            }
            let key = At {
                value: entry.key.clone(),
                span: entry.key_span,
            };
            let value = cx.within(&entry.key, Some(entry.key_span), |cx| {
                T::read(&entry.value, cx)
            })?;
            Some((key, value))
        });
        Some(Self(read.collect()))
    }

    fn schema() -> Value {
        json!({ "type": "object", "additionalProperties": T::schema() })
    }
}

fn entries<'n>(node: &'n Node, cx: &mut Cx<'_>) -> Option<&'n [Entry]> {
    if let Kind::Map(entries) = &node.kind {
        return Some(entries);
    }
    let help = match node.kind {
        Kind::Text(_) => Some("write `key: value`, with a space behind the colon".to_owned()),
        _ => None,
    };
    cx.wrong_type(node, "a map", help);
    None
}

/// The fields of a map: each is asked for once, then [`Fields::finish`] names what nobody asked for.
#[derive(Debug)]
pub(crate) struct Fields<'n> {
    entries: &'n [Entry],
    known: &'static [&'static str],
    /// The key of the map, or its first line when it has none.
    pub(crate) span: Span,
}

impl<'n> Fields<'n> {
    /// The fields of `node`, whose possible keys are `known`.
    pub(crate) fn of(
        node: &'n Node,
        known: &'static [&'static str],
        cx: &mut Cx<'_>,
    ) -> Option<Self> {
        let entries = entries(node, cx)?;
        let fields = Self {
            entries,
            known,
            span: cx.header.unwrap_or(node.span),
        };
        fields.unknown(cx);
        Some(fields)
    }

    /// The value of `key`, if it is there and right.
    pub(crate) fn optional<T: Written>(&self, key: &str, cx: &mut Cx<'_>) -> Option<T> {
        let entry = self.entries.iter().find(|entry| entry.key == key)?;
        cx.within(key, Some(entry.key_span), |cx| T::read(&entry.value, cx))
    }

    /// The value of `key`; a finding when it is not there.
    pub(crate) fn required<T: Written>(&self, key: &str, cx: &mut Cx<'_>) -> Option<T> {
        if !self.entries.iter().any(|entry| entry.key == key) {
            let path = cx.within(key, None, |cx| cx.key());
            // The misspelled key is named already.
            let misspelled = self
                .entries
                .iter()
                .filter(|entry| !self.known.contains(&entry.key.as_str()))
                .any(|entry| suggest::nearest(&entry.key, self.known.iter().copied()) == Some(key));
            if !misspelled {
                let help = format!("add `{key}`");
                cx.error_help(
                    self.span,
                    "missing-key",
                    format!("`{path}` is missing"),
                    help,
                );
            }
            return None;
        }
        self.optional(key, cx)
    }

    fn unknown(&self, cx: &mut Cx<'_>) {
        for entry in self.entries {
            if cx.is_full() {
                return;
            }
            let known = self.known.contains(&entry.key.as_str());
            // Editors write the schema's address at the top of a JSON document.
            let schema = entry.key == "$schema" && cx.path.is_empty();
            if known || schema {
                continue;
            }
            let path = cx.within(&entry.key, None, |cx| cx.key());
            let help = suggest::hint(&entry.key, self.known.iter().copied());
            cx.error_help(
                entry.key_span,
                "unknown-key",
                format!("unknown key `{path}`"),
                help,
            );
        }
    }
}

/// Declares a map of a document as it is written: a struct, its reader and its schema.
macro_rules! written {
    (
        $(#[doc = $doc:literal])*
        struct $name:ident {
            $( $(#[doc = $field_doc:literal])* $need:ident $key:literal $field:ident : $type:ty, )*
        }
    ) => {
        $(#[doc = $doc])*
        #[derive(Debug, Clone)]
        #[allow(dead_code, reason = "some keys are only checked, some maps have no finding of their own")]
        pub(crate) struct $name {
            /// The key of this map, or its first line.
            pub(crate) span: $crate::document::source::Span,
            /// Whether nothing in it was wrong: then what is missing was not written.
            pub(crate) clean: bool,
            $( $(#[doc = $field_doc])* pub(crate) $field: Option<$crate::document::decode::At<$type>>, )*
        }

        impl $crate::document::decode::Written for $name {
            fn read(
                node: &$crate::document::node::Node,
                cx: &mut $crate::document::decode::Cx<'_>,
            ) -> Option<Self> {
                let before = cx.reported();
                let fields = $crate::document::decode::Fields::of(node, &[$($key),*], cx)?;
                let read = Self {
                    span: fields.span,
                    clean: false,
                    $( $field: fields.$need($key, cx), )*
                };
                Some(Self { clean: cx.reported() == before, ..read })
            }

            fn schema() -> serde_json::Value {
                $crate::document::decode::object(
                    &[$($doc),*],
                    vec![$((
                        $key,
                        stringify!($need) == "required",
                        &[$($field_doc),*],
                        <$type as $crate::document::decode::Written>::schema(),
                    )),*],
                )
            }
        }
    };
}
pub(crate) use written;

/// Declares the words of an enum of the model.
macro_rules! words {
    ($type:ty { $($word:literal => $value:expr),* $(,)? }) => {
        impl $crate::document::decode::Written for $type {
            fn read(
                node: &$crate::document::node::Node,
                cx: &mut $crate::document::decode::Cx<'_>,
            ) -> Option<Self> {
                match $crate::document::decode::word(node, &[$($word),*], cx)? {
                    $($word => Some($value),)*
                    _ => None,
                }
            }

            fn schema() -> serde_json::Value {
                serde_json::json!({ "enum": [$($word),*] })
            }
        }
    };
}
pub(crate) use words;

/// The one of `known` that `node` holds.
pub(crate) fn word(
    node: &Node,
    known: &'static [&'static str],
    cx: &mut Cx<'_>,
) -> Option<&'static str> {
    let text = match &node.kind {
        Kind::Text(text) => text.as_str(),
        // `manager: null` and `restart: false` are what YAML makes of words in other files.
        Kind::Bool(true) => "true",
        Kind::Bool(false) => "false",
        _ => {
            let expected = format!(
                "one of {}",
                suggest::list(known.iter().copied()).unwrap_or_default()
            );
            cx.wrong_type(node, &expected, None);
            return None;
        }
    };
    let found = known.iter().find(|word| **word == text);
    if found.is_none() {
        let help = suggest::hint(text, known.iter().copied());
        let message = format!("{} cannot be `{text}`", cx.subject());
        cx.error_help(node.span, "unknown-value", message, help);
    }
    found.copied()
}

/// The schema of a map.
pub(crate) fn object(doc: &[&str], fields: Vec<(&str, bool, &[&str], Value)>) -> Value {
    let mut properties = serde_json::Map::new();
    let mut required = Vec::new();
    for (key, needed, doc, mut schema) in fields {
        describe(&mut schema, doc);
        properties.insert(key.to_owned(), schema);
        if needed {
            required.push(key);
        }
    }
    let mut schema = json!({ "type": "object", "additionalProperties": false });
    describe(&mut schema, doc);
    if let Value::Object(schema) = &mut schema {
        if !required.is_empty() {
            schema.insert("required".into(), json!(required));
        }
        schema.insert("properties".into(), properties.into());
    }
    schema
}

fn describe(schema: &mut Value, doc: &[&str]) {
    let text = doc
        .iter()
        .map(|line| line.trim())
        .collect::<Vec<_>>()
        .join(" ");
    if let Value::Object(schema) = schema
        && !text.is_empty()
    {
        schema.insert("description".into(), text.into());
    }
}
