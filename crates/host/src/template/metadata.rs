//! `metadata.json` of a template.

use super::missing;
use crate::host::HostError;
use bitbuilder_core::finding::{Finding, Origin};
use serde_json::{Map, Value};
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

const FILE: &str = "metadata.json";
const KINDS: [&str; 7] = [
    "infrastructure",
    "machine",
    "container",
    "homed",
    "sysext",
    "confext",
    "network",
];

/// What the metadata says a template is.
#[derive(Debug, Default)]
pub(super) struct Template {
    pub(super) kind: Option<String>,
    pub(super) name: Option<String>,
}

pub(super) fn check(directory: &Path, findings: &mut Vec<Finding>) -> Result<Template, HostError> {
    let path = directory.join(FILE);
    let text = match fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            findings.push(missing(FILE, "file", "it says what the template is"));
            return Ok(Template::default());
        }
        Err(error) => return Err(HostError::file(&path)(error)),
    };
    match serde_json::from_slice::<Value>(&text) {
        Ok(Value::Object(document)) => Ok(read(&document, findings)),
        Ok(_) => {
            findings.push(wrong("template-metadata", "it must be a map".into()));
            Ok(Template::default())
        }
        Err(error) => {
            let origin = Origin {
                file: FILE.into(),
                line: u32::try_from(error.line()).unwrap_or(0),
                column: u32::try_from(error.column()).unwrap_or(0),
            };
            findings.push(Finding::error(origin, "syntax", error.to_string()));
            Ok(Template::default())
        }
    }
}

fn read(document: &Map<String, Value>, findings: &mut Vec<Finding>) -> Template {
    known(
        document,
        "",
        &["template", "requirements", "defaults", "$schema"],
        findings,
    );
    let empty = Map::new();
    let template = map(document, "template", findings).unwrap_or(&empty);
    known(
        template,
        "template.",
        &["type", "version", "name"],
        findings,
    );
    let mut word = |key: &str| {
        let value = template
            .get(key)
            .and_then(Value::as_str)
            .filter(|text| !text.is_empty());
        if value.is_none() {
            findings.push(wrong(
                "template-metadata",
                format!("`template.{key}` must be a text"),
            ));
        }
        value.map(str::to_owned)
    };
    let (kind, name, version) = (word("type"), word("name"), word("version"));
    if let Some(kind) = kind.as_deref().filter(|kind| !KINDS.contains(kind)) {
        let message = format!("`{kind}` is no type of template");
        let help = format!("write one of {}", KINDS.join(", "));
        findings.push(wrong("template-type", message).help(help));
    }
    if let Some(version) = version.filter(|text| !is_version(text)) {
        let message = format!("`{version}` is no version");
        findings.push(wrong("template-version", message).help("write it as `1.0.0`"));
    }
    requirements(document, findings);
    Template { kind, name }
}

fn requirements(document: &Map<String, Value>, findings: &mut Vec<Finding>) {
    let Some(requirements) = document.get("requirements") else {
        return;
    };
    let Some(requirements) = requirements.as_object() else {
        findings.push(wrong(
            "template-metadata",
            "`requirements` must be a map".into(),
        ));
        return;
    };
    known(
        requirements,
        "requirements.",
        &["systemd_version", "kernel", "features"],
        findings,
    );
    for key in ["systemd_version", "kernel"] {
        let Some(value) = requirements.get(key) else {
            continue;
        };
        let fits = value
            .as_str()
            .and_then(|text| text.strip_prefix(">="))
            .is_some_and(is_version);
        if !fits {
            let message = format!("`requirements.{key}` is {value}, which is no least version");
            findings.push(wrong("template-requirement", message).help("write it as `>=258`"));
        }
    }
    let words = |value: &Value| {
        value
            .as_array()
            .is_some_and(|list| list.iter().all(Value::is_string))
    };
    if requirements
        .get("features")
        .is_some_and(|value| !words(value))
    {
        let message = "`requirements.features` must be a list of words".into();
        findings.push(wrong("template-requirement", message));
    }
}

fn known(map: &Map<String, Value>, prefix: &str, keys: &[&str], findings: &mut Vec<Finding>) {
    for key in map.keys().filter(|key| !keys.contains(&key.as_str())) {
        let message = format!("`{prefix}{key}` is not a key of a template's metadata");
        let help = format!("known are {}", keys.join(", "));
        findings.push(wrong("unknown-key", message).help(help));
    }
}

fn map<'d>(
    document: &'d Map<String, Value>,
    key: &str,
    findings: &mut Vec<Finding>,
) -> Option<&'d Map<String, Value>> {
    let found = document.get(key).and_then(Value::as_object);
    if found.is_none() {
        findings.push(wrong("template-metadata", format!("`{key}` must be a map")));
    }
    found
}

/// Numbers and dots, as `258` or `1.0.0`.
fn is_version(text: &str) -> bool {
    !text.is_empty()
        && text
            .split('.')
            .all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()))
}

fn wrong(rule: &str, message: String) -> Finding {
    Finding::error(Origin::file(FILE), rule, message)
}
