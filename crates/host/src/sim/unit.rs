//! One unit as the manager reads it: its file and drop-ins, systemd.unit(5), with reset and specifiers.

use std::collections::BTreeSet;

/// Assignments of a unit, in the order in which they were read.
#[derive(Debug, Clone, Default)]
pub(super) struct Unit {
    name: String,
    /// Whether there is a file for it, or it needs none.
    pub(super) found: bool,
    /// Whether a link to `/dev/null` is in its place.
    pub(super) masked: bool,
    /// Section, key, value; a value that clears what came before is done already.
    assignments: Vec<(String, String, String)>,
    /// From `.wants/` directories.
    pub(super) wanted: BTreeSet<String>,
    /// From `.requires/` directories.
    pub(super) required: BTreeSet<String>,
}

impl Unit {
    pub(super) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            // A slice needs no file, systemd.slice(5); targets of the host are always there.
            found: [".slice", ".target"]
                .iter()
                .any(|kind| name.ends_with(kind)),
            ..Self::default()
        }
    }

    /// Adds what a file says; lines that are no assignments are ignored, as the manager does.
    pub(super) fn read(&mut self, text: &str) {
        let mut section = String::new();
        let mut pending = String::new();
        for line in text.lines() {
            if pending.is_empty() && line.trim_start().starts_with(['#', ';']) {
                continue;
            }
            if let Some(head) = line.strip_suffix('\\') {
                pending.push_str(head);
                pending.push(' ');
                continue;
            }
            let line = std::mem::take(&mut pending) + line;
            let line = line.trim();
            if let Some(name) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
                section = name.to_owned();
            } else if let Some((key, value)) = line.split_once('=') {
                self.assign(&section, key.trim(), value.trim());
            }
        }
    }

    fn assign(&mut self, section: &str, key: &str, value: &str) {
        if value.is_empty() {
            // Dependencies cannot be taken back, systemd.unit(5).
            if section != "Unit" {
                self.assignments
                    .retain(|(s, k, _)| s != section || k != key);
            }
            return;
        }
        let value = self.expand(value);
        self.assignments.push((section.into(), key.into(), value));
    }

    /// The last value.
    pub(super) fn get(&self, section: &str, key: &str) -> Option<&str> {
        let mut said = self.assignments.iter().rev();
        said.find(|(s, k, _)| s == section && k == key)
            .map(|(_, _, value)| value.as_str())
    }

    /// Every value.
    pub(super) fn all<'a>(
        &'a self,
        section: &'a str,
        key: &'a str,
    ) -> impl Iterator<Item = &'a str> {
        self.assignments
            .iter()
            .filter(move |(s, k, _)| s == section && k == key)
            .map(|(_, _, value)| value.as_str())
    }

    /// Names in a dependency setting.
    pub(super) fn names(&self, key: &str) -> BTreeSet<String> {
        let values = self.all("Unit", key);
        values
            .flat_map(str::split_whitespace)
            .map(str::to_owned)
            .collect()
    }

    /// What must come up with it.
    pub(super) fn requires(&self) -> BTreeSet<String> {
        let mut all = self.names("Requires");
        all.extend(self.names("BindsTo"));
        all.extend(self.required.iter().cloned());
        all.extend(self.slice());
        all
    }

    /// What shall come up with it.
    pub(super) fn wants(&self) -> BTreeSet<String> {
        let mut all = self.names("Wants");
        all.extend(self.wanted.iter().cloned());
        all
    }

    /// What it starts after.
    pub(super) fn after(&self) -> BTreeSet<String> {
        let mut all = self.names("After");
        all.extend(self.slice());
        all
    }

    /// With whom it stops.
    pub(super) fn stops_with(&self) -> BTreeSet<String> {
        let mut all = self.requires();
        all.extend(self.names("PartOf"));
        all
    }

    fn slice(&self) -> Option<String> {
        let slice = self.get("Service", "Slice").or(self.get("Mount", "Slice"));
        slice.map(str::to_owned)
    }

    /// What is between `@` and the suffix, of an instance.
    pub(super) fn instance(&self) -> Option<&str> {
        let (_, rest) = self.name.split_once('@')?;
        rest.rsplit_once('.').map(|(instance, _)| instance)
    }

    fn expand(&self, value: &str) -> String {
        let mut out = String::with_capacity(value.len());
        let mut chars = value.chars();
        while let Some(c) = chars.next() {
            if c != '%' {
                out.push(c);
                continue;
            }
            match chars.next() {
                Some('i') => out.push_str(self.instance().unwrap_or_default()),
                Some('n') => out.push_str(&self.name),
                Some('%') => out.push('%'),
                Some(other) => out.extend(['%', other]),
                None => out.push('%'),
            }
        }
        out
    }
}

/// Splits a command line into words and unquotes them; `$$` becomes `$`.
pub(super) fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut chars = line.chars().peekable();
    loop {
        while chars.next_if(|c| c.is_whitespace()).is_some() {}
        if chars.peek().is_none() {
            return words;
        }
        let mut word = String::new();
        let mut quote = None;
        while let Some(c) = chars.next() {
            match (quote, c) {
                (None, c) if c.is_whitespace() => break,
                (None, '"' | '\'') => quote = Some(c),
                (Some(q), c) if c == q => quote = None,
                (_, '\\') => match chars.next() {
                    Some('n') => word.push('\n'),
                    Some('t') => word.push('\t'),
                    Some(c @ ('"' | '\'' | '\\')) => word.push(c),
                    Some(c) => word.extend(['\\', c]),
                    None => word.push('\\'),
                },
                (_, c) => word.push(c),
            }
        }
        words.push(word.replace("$$", "$"));
    }
}
