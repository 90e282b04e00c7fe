#![allow(clippy::disallowed_methods, reason = "stored examples are files")]

use super::*;
use crate::document::node::{Kind, Node};
use crate::document::parse::{MAX_VALUES, parse};
use crate::document::source::Source;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn value(node: &Node) -> Value {
    match &node.kind {
        Kind::Null => Value::Null,
        Kind::Bool(flag) => (*flag).into(),
        Kind::Number(text) => serde_json::from_str(text).unwrap(),
        Kind::Text(text) => text.clone().into(),
        Kind::List(items) => items.iter().map(value).collect(),
        Kind::Map(entries) => entries
            .iter()
            .map(|entry| (entry.key.clone(), value(&entry.value)))
            .collect(),
    }
}

/// The document at `path` as an editor hands it to a validator.
fn document(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).unwrap();
    let source = Source::new(path.to_str().unwrap(), &text);
    let mut problems = Vec::new();
    let node = parse(&source, &mut MAX_VALUES.clone(), &mut problems);
    assert!(problems.is_empty(), "{}: {problems:?}", path.display());
    value(&node.unwrap())
}

/// The name of the schema for the document at `path` of a repository.
fn schema_for(path: &str) -> Option<&'static str> {
    let parts: Vec<&str> = path.split('/').collect();
    Some(match parts.as_slice() {
        ["metadata.json"] => "metadata",
        ["tenants", "registry.json"] => "registry",
        [".gitops", "config.yaml"] => "policy",
        ["containers", _, "config.yaml"] => "container",
        ["machines", _, "config.yaml"] => "machine",
        ["network", "topology.yaml"] => "topology",
        ["network", "firewall", _] => "firewall",
        ["network", "wireguard", name] if name.ends_with(".yaml") => "wireguard",
        ["infrastructure", "config.yaml"] => "infrastructure",
        ["infrastructure", "resource-limits.yaml"] => "resource-limits",
        ["users", _, "homed-config.json"] => "user",
        _ => return None,
    })
}

fn schema(name: &str) -> Value {
    let all = all();
    let found = all.into_iter().find(|(known, _)| *known == name);
    found.unwrap_or_else(|| panic!("no schema {name}")).1
}

fn files_below(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut open = vec![directory.to_path_buf()];
    while let Some(next) = open.pop() {
        for entry in std::fs::read_dir(next).unwrap().map(Result::unwrap) {
            match entry.file_type().unwrap() {
                kind if kind.is_dir() => open.push(entry.path()),
                kind if kind.is_file() => files.push(entry.path()),
                _ => {}
            }
        }
    }
    files.sort();
    files
}

/// Documents of repositories without errors, with the name of their schema.
fn right_documents() -> Vec<(&'static str, PathBuf)> {
    let cases = root().join("tests/cases/documents");
    let cases = std::fs::read_dir(cases)
        .unwrap()
        .map(|case| case.unwrap().path());
    let right = cases.filter(|case| case.join("model").exists());
    let mut repositories: Vec<PathBuf> = right.map(|case| case.join("repository")).collect();
    if let Ok(examples) = std::fs::read_dir(root().join("examples")) {
        let examples = examples.map(|example| example.unwrap().path());
        repositories.extend(examples.filter(|example| example.is_dir()));
    }
    let documents = repositories.iter().flat_map(|repository| {
        files_below(repository).into_iter().filter_map(move |path| {
            let inside = path.strip_prefix(repository).unwrap().to_str().unwrap();
            Some((schema_for(inside)?, path.clone()))
        })
    });
    documents.collect()
}

#[test]
fn stored_schemas_are_those_of_the_types() {
    let directory = root().join("schemas");
    let made = files();
    if std::env::var("BLESS").is_ok() {
        std::fs::create_dir_all(&directory).unwrap();
        for (name, text) in &made {
            std::fs::write(directory.join(name), text).unwrap();
        }
    }
    let stored: BTreeMap<String, String> = files_below(&directory)
        .into_iter()
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, std::fs::read_to_string(path).unwrap())
        })
        .collect();
    assert_eq!(
        made.keys().collect::<Vec<_>>(),
        stored.keys().collect::<Vec<_>>()
    );
    for (name, text) in made {
        assert_eq!(text, stored[&name], "schemas/{name}; BLESS=1 rewrites");
    }
}

#[test]
fn every_schema_is_one_and_says_what_it_is_for() {
    for (name, schema) in all() {
        assert_eq!(
            schema["$schema"],
            "https://json-schema.org/draft/2020-12/schema"
        );
        assert_eq!(
            schema["$id"],
            format!("https://bitbuilder.io/schemas/{name}.json")
        );
        jsonschema::draft202012::meta::validate(&schema)
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        for key in ["title", "description"] {
            assert!(
                schema[key].as_str().is_some_and(|text| !text.is_empty()),
                "{name}: {key}"
            );
        }
        described(&schema, name);
    }
}

/// Every key of every map has a description, and no map takes unknown keys.
fn described(schema: &Value, place: &str) {
    if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
        assert_eq!(schema["additionalProperties"], false, "{place}");
        for (key, inner) in properties {
            let place = format!("{place}.{key}");
            let nothing_to_say = key == "$schema" || inner == &Value::Bool(false);
            assert!(
                nothing_to_say || inner["description"].is_string(),
                "{place}"
            );
            described(inner, &place);
        }
    }
    for key in ["items", "additionalProperties"] {
        if let Some(inner) = schema.get(key).filter(|inner| inner.is_object()) {
            described(inner, &format!("{place}.{key}"));
        }
    }
    for inner in schema
        .get("anyOf")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        described(inner, place);
    }
}

#[test]
fn what_the_reader_takes_the_schema_takes() {
    let documents = right_documents();
    for (name, _) in all() {
        let exists = name == "template" || documents.iter().any(|(known, _)| *known == name);
        assert!(exists, "an example of {name}");
    }
    for (name, path) in documents {
        let validator = jsonschema::draft202012::new(&schema(name)).unwrap();
        let errors: Vec<String> = validator
            .iter_errors(&document(&path))
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(
            errors.is_empty(),
            "{} against {name}: {errors:?}",
            path.display()
        );
    }
}

#[test]
fn an_unknown_key_is_refused_at_every_depth() {
    for (name, path) in right_documents() {
        let validator = jsonschema::draft202012::new(&schema(name)).unwrap();
        let right = document(&path);
        let mut maps = Vec::new();
        closed_maps(&right, &schema(name), "", &mut maps);
        assert!(maps.contains(&String::new()), "{name}");
        for pointer in maps {
            let mut wrong = right.clone();
            let map = wrong
                .pointer_mut(&pointer)
                .and_then(Value::as_object_mut)
                .unwrap();
            map.insert("unknownKey".into(), true.into());
            assert!(!validator.is_valid(&wrong), "{}: {pointer}", path.display());
        }
    }
}

/// Places of the maps in `value` whose keys are not the writer's.
fn closed_maps(value: &Value, schema: &Value, pointer: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            if schema.get("properties").is_some() {
                found.push(pointer.to_owned());
            }
            for (key, inner) in map {
                let known = schema["properties"].get(key);
                let schema = known.unwrap_or(&schema["additionalProperties"]);
                closed_maps(inner, schema, &format!("{pointer}/{key}"), found);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                closed_maps(item, &schema["items"], &format!("{pointer}/{index}"), found);
            }
        }
        _ => {}
    }
}

#[test]
fn mistakes_that_a_schema_can_see_are_refused() {
    let cases = [
        ("metadata", json!({})),
        ("metadata", json!({ "tenant": { "id": "Shop" } })),
        (
            "metadata",
            json!({ "tenant": { "id": "shop" }, "resources": { "memory": 4 } }),
        ),
        (
            "metadata",
            json!({ "tenant": { "id": "shop" }, "resources": { "memory": "4GB" } }),
        ),
        (
            "metadata",
            json!({ "tenant": { "id": "shop", "type": "pod" } }),
        ),
        ("registry", json!({ "tenants": [{ "id": "shop" }] })),
        (
            "registry",
            json!({ "tenants": [{ "id": "shop", "repository": "ext::sh -c x" }] }),
        ),
        ("container", json!({ "credentials": { "a": "secret" } })),
        ("container", json!({ "restart": false })),
        ("container", json!({ "health": { "tcp": 70000 } })),
        ("machine", json!({ "kvm": true })),
        (
            "topology",
            json!({ "networks": { "a": { "subnet": "10.0.0.0" } } }),
        ),
        ("firewall", json!({ "rules": [{ "from": "any" }] })),
        ("user", json!({ "userName": "ada", "uid": 0 })),
    ];
    for (name, wrong) in cases {
        let validator = jsonschema::draft202012::new(&schema(name)).unwrap();
        assert!(!validator.is_valid(&wrong), "{name}: {wrong}");
    }
}
