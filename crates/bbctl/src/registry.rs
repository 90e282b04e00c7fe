//! Changes of `tenants/registry.json` that leave the rest of the text as its writer wrote it.

use serde_json::{Map, Value};
use std::fmt::Write;
use std::ops::Range;

/// `text`, a valid registry, with `entry` as its last tenant. `None` when it has no list of tenants.
pub(crate) fn add(text: &str, entry: &Map<String, Value>) -> Option<String> {
    let list = tenants(text)?;
    let mut changed = text.to_owned();
    match list.elements.last() {
        None => {
            let indent = indent_of(text, list.inner.start - 1).0.to_owned();
            let inner = format!("{indent}  ");
            let block = block(entry, &inner);
            changed.replace_range(list.inner, &format!("\n{inner}{block}\n{indent}"));
        }
        Some(last) => {
            let (indent, first) = indent_of(text, last.start);
            let addition = if first {
                format!(",\n{indent}{}", block(entry, indent))
            } else {
                format!(", {}", inline(&Value::Object(entry.clone())))
            };
            changed.insert_str(last.end, &addition);
        }
    }
    Some(changed)
}

/// `text`, a valid registry, without the tenant `id`. `None` when it does not have it.
pub(crate) fn remove(text: &str, id: &str) -> Option<String> {
    let list = tenants(text)?;
    let is_it = |range: &Range<usize>| {
        let value: Option<Value> = serde_json::from_str(&text[range.clone()]).ok();
        value.is_some_and(|value| value.get("id").and_then(Value::as_str) == Some(id))
    };
    let at = list.elements.iter().position(is_it)?;
    let element = list.elements[at].clone();
    let gone = match (at.checked_sub(1), list.elements.get(at + 1)) {
        (_, Some(next)) => element.start..next.start,
        (Some(previous), None) => list.elements[previous].end..element.end,
        (None, None) => list.inner,
    };
    let mut changed = text.to_owned();
    changed.replace_range(gone, "");
    Some(changed)
}

/// Where a list and its elements are in a text.
#[derive(Debug)]
struct List {
    /// Between the brackets.
    inner: Range<usize>,
    elements: Vec<Range<usize>>,
}

/// The list `tenants` of the map that `text` is.
fn tenants(text: &str) -> Option<List> {
    let mut scan = Scan {
        bytes: text.as_bytes(),
        at: 0,
    };
    scan.expect(b'{')?;
    loop {
        let key = scan.value()?;
        scan.expect(b':')?;
        if &text[key] == "\"tenants\"" {
            return scan.list();
        }
        scan.value()?;
        scan.expect(b',')?;
    }
}

/// A position in a text that is known to be JSON.
struct Scan<'t> {
    bytes: &'t [u8],
    at: usize,
}

impl Scan<'_> {
    fn peek(&mut self) -> Option<u8> {
        while self.bytes.get(self.at).is_some_and(u8::is_ascii_whitespace) {
            self.at += 1;
        }
        self.bytes.get(self.at).copied()
    }

    fn expect(&mut self, wanted: u8) -> Option<()> {
        (self.peek()? == wanted).then(|| self.at += 1)
    }

    fn list(&mut self) -> Option<List> {
        self.expect(b'[')?;
        let start = self.at;
        let mut elements = Vec::new();
        while self.peek()? != b']' {
            elements.push(self.value()?);
            if self.peek()? == b',' {
                self.at += 1;
            }
        }
        Some(List {
            inner: start..self.at,
            elements,
        })
    }

    /// Passes over one value of any kind.
    fn value(&mut self) -> Option<Range<usize>> {
        self.peek()?;
        let start = self.at;
        let mut depth = 0usize;
        loop {
            match *self.bytes.get(self.at)? {
                b'"' => self.string()?,
                b'{' | b'[' => {
                    depth += 1;
                    self.at += 1;
                }
                b'}' | b']' => {
                    depth = depth.checked_sub(1)?;
                    self.at += 1;
                }
                _ => self.at += 1,
            }
            let next = self.bytes.get(self.at).copied();
            let ends =
                next.is_none_or(|byte| b",:]}".contains(&byte) || byte.is_ascii_whitespace());
            if depth == 0 && ends {
                return Some(start..self.at);
            }
        }
    }

    fn string(&mut self) -> Option<()> {
        self.at += 1;
        loop {
            let byte = *self.bytes.get(self.at)?;
            self.at += if byte == b'\\' { 2 } else { 1 };
            if byte == b'"' {
                return Some(());
            }
        }
    }
}

/// The white space that the line of `at` begins with, and whether nothing else is before `at`.
fn indent_of(text: &str, at: usize) -> (&str, bool) {
    let line = text[..at].rfind('\n').map_or(0, |end| end + 1);
    let before = &text[line..at];
    let indent = before.len() - before.trim_start().len();
    (&before[..indent], indent == before.len())
}

/// A map with one key a line.
fn block(entry: &Map<String, Value>, indent: &str) -> String {
    let lines: Vec<String> = entry
        .iter()
        .map(|(key, value)| format!("{indent}  {}: {}", Value::from(key.as_str()), inline(value)))
        .collect();
    format!("{{\n{}\n{indent}}}", lines.join(",\n"))
}

/// A value in one line, with the spaces that people write.
fn inline(value: &Value) -> String {
    match value {
        Value::Object(map) if !map.is_empty() => {
            let parts: Vec<String> = map
                .iter()
                .map(|(key, value)| format!("{}: {}", Value::from(key.as_str()), inline(value)))
                .collect();
            format!("{{ {} }}", parts.join(", "))
        }
        Value::Array(list) => {
            let parts: Vec<String> = list.iter().map(inline).collect();
            format!("[{}]", parts.join(", "))
        }
        other => {
            let mut text = String::new();
            // Writing to a String does not fail.
            let _ = write!(text, "{other}");
            text
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn entry(id: &str) -> Map<String, Value> {
        let value = json!({ "id": id, "limits": { "cpu": 2 }, "list": ["a"] });
        value.as_object().unwrap().clone()
    }

    #[test]
    fn an_empty_list_gets_its_first() {
        let text = add("{\n  \"tenants\": []\n}\n", &entry("a")).unwrap();
        assert_eq!(
            text,
            "{\n  \"tenants\": [\n    {\n      \"id\": \"a\",\n      \"limits\": { \"cpu\": 2 },\n      \"list\": [\"a\"]\n    }\n  ]\n}\n"
        );
        assert_eq!(remove(&text, "a").unwrap(), "{\n  \"tenants\": []\n}\n");
    }

    #[test]
    fn the_rest_of_the_text_stays() {
        let before = "{ \"$schema\": \"x,]}\",\n\t\"tenants\": [\n\t{ \"id\" : \"a\", \"name\": \"q\\\"]}\" },\n\t{\"id\":\"b\"}\n] }\n";
        let with = add(before, &entry("c")).unwrap();
        assert!(with.starts_with(&before[..before.len() - 6]), "{with}");
        assert!(serde_json::from_str::<Value>(&with).unwrap()["tenants"][2]["id"] == "c");
        assert_eq!(remove(&with, "c").unwrap(), before);
        let without = remove(before, "a").unwrap();
        assert_eq!(
            without,
            before.replace("{ \"id\" : \"a\", \"name\": \"q\\\"]}\" },\n\t", "")
        );
        assert_eq!(remove(before, "z"), None);
    }

    #[test]
    fn one_line_stays_one_line() {
        let text = add(r#"{"tenants":[{"id":"a"}]}"#, &entry("b")).unwrap();
        assert_eq!(
            text,
            r#"{"tenants":[{"id":"a"}, { "id": "b", "limits": { "cpu": 2 }, "list": ["a"] }]}"#
        );
        assert_eq!(remove(&text, "a").unwrap().matches("id").count(), 1);
    }
}
