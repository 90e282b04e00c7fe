//! How each field is changed, and what shows it.

mod base;
mod container;
mod host;
mod machine;
mod network;
mod tenant;
mod user;

pub(crate) use base::base;

use crate::world::{File, Files};
use serde_json::{Value, json};

/// One field, changed once.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    /// Name of the document's schema; `files` for what has none.
    pub(crate) document: &'static str,
    /// Path of the field: `env.*`.
    pub(crate) field: &'static str,
    /// When a field has more than one row: which case it is.
    pub(crate) case: &'static str,
    /// What has to be so first.
    pub(crate) before: Vec<Edit>,
    /// The change.
    pub(crate) change: Vec<Edit>,
    /// Where its effect is to be seen.
    pub(crate) shows: Shows,
    /// An allocation remembers it: undone, it is not quite as before.
    pub(crate) sticks: bool,
}

/// Where the effect of a change is to be seen.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Shows {
    /// In the plan and on the host, or in an error that refuses it.
    Plan,
    /// Nowhere; a finding of this rule, about this, says so.
    Finding(&'static str, &'static str),
    /// Not in what runs: this is what it does.
    Elsewhere(&'static str),
}

/// A change of the documents.
#[derive(Debug, Clone)]
pub(crate) enum Edit {
    /// The value at a pointer of a document.
    Set(&'static str, &'static str, Value),
    /// No value there.
    Unset(&'static str, &'static str),
    /// A whole file.
    Write(&'static str, File),
    /// No such file.
    Delete(&'static str),
}

impl Edit {
    pub(crate) fn apply(&self, files: &mut Files) {
        match self {
            Self::Set(path, pointer, value) => {
                let File::Document(document) = files.get_mut(&key(path)).unwrap() else {
                    panic!("{path} is no document");
                };
                *at(document, pointer) = value.clone();
            }
            Self::Unset(path, pointer) => {
                let File::Document(document) = files.get_mut(&key(path)).unwrap() else {
                    panic!("{path} is no document");
                };
                let (parent, name) = pointer.rsplit_once('/').unwrap();
                match at(document, parent) {
                    Value::Object(object) => drop(object.remove(name).unwrap()),
                    Value::Array(list) => drop(list.remove(name.parse().unwrap())),
                    other => panic!("{path}: {other}"),
                }
            }
            Self::Write(path, file) => drop(files.insert(key(path), file.clone())),
            Self::Delete(path) => drop(files.remove(&key(path)).unwrap()),
        }
    }
}

/// Repository and path: a path that begins with `/` is of the host, one with `other:` of the other tenant, those of operators are of the system repository.
pub(crate) fn key(path: &str) -> (String, String) {
    if let Some(path) = path.strip_prefix("other:") {
        return ("other".to_owned(), path.to_owned());
    }
    let repository = match path {
        _ if path.starts_with('/') => "host",
        ".gitops/config.yaml" | "tenants/registry.json" => "system",
        _ if path.starts_with("access/") => "system",
        _ => "shop",
    };
    (
        repository.to_owned(),
        path.trim_start_matches('/').to_owned(),
    )
}

/// The place of a pointer; objects on the way are made.
fn at<'v>(value: &'v mut Value, pointer: &str) -> &'v mut Value {
    pointer
        .split('/')
        .skip(1)
        .fold(value, |value, name| match value {
            Value::Array(list) => {
                let index: usize = name.parse().unwrap();
                if index == list.len() {
                    list.push(Value::Null);
                }
                &mut list[index]
            }
            _ => {
                if value.is_null() {
                    *value = json!({});
                }
                let object = value.as_object_mut().unwrap();
                object.entry(name.to_owned()).or_insert(Value::Null)
            }
        })
}

fn row(document: &'static str, field: &'static str) -> Row {
    Row {
        document,
        field,
        case: "",
        before: Vec::new(),
        change: Vec::new(),
        shows: Shows::Plan,
        sticks: false,
    }
}

impl Row {
    fn set(mut self, path: &'static str, pointer: &'static str, value: Value) -> Self {
        self.change.push(Edit::Set(path, pointer, value));
        self
    }

    fn unset(mut self, path: &'static str, pointer: &'static str) -> Self {
        self.change.push(Edit::Unset(path, pointer));
        self
    }

    fn write(mut self, path: &'static str, text: &str) -> Self {
        self.change
            .push(Edit::Write(path, File::Text(text.to_owned())));
        self
    }

    fn first(mut self, path: &'static str, pointer: &'static str, value: Value) -> Self {
        self.before.push(Edit::Set(path, pointer, value));
        self
    }

    fn first_delete(mut self, path: &'static str) -> Self {
        self.before.push(Edit::Delete(path));
        self
    }

    fn says(mut self, rule: &'static str, about: &'static str) -> Self {
        self.shows = Shows::Finding(rule, about);
        self
    }

    fn elsewhere(mut self, what: &'static str) -> Self {
        self.shows = Shows::Elsewhere(what);
        self
    }

    fn case(mut self, case: &'static str) -> Self {
        self.case = case;
        self
    }

    fn sticks(mut self) -> Self {
        self.sticks = true;
        self
    }
}

/// Every row.
pub(crate) fn all() -> Vec<Row> {
    [
        container::rows(),
        tenant::rows(),
        network::rows(),
        machine::rows(),
        user::rows(),
        host::rows(),
    ]
    .concat()
}
