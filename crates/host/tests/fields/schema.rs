//! The fields of all documents, from their schemas.

use bitbuilder_core::document::schema;
use serde_json::Value;
use std::collections::BTreeSet;

/// Document and path of every field that holds a value: `("container", "env.*")`, `("topology", "publish[].port")`.
pub(crate) fn fields() -> BTreeSet<(String, String)> {
    let mut fields = BTreeSet::new();
    for (name, schema) in schema::all() {
        below(name, &schema, "", &mut fields);
    }
    fields
}

/// Whether there was anything below `path`.
fn below(
    document: &str,
    schema: &Value,
    path: &str,
    fields: &mut BTreeSet<(String, String)>,
) -> bool {
    let mut found = false;
    let mut enter = |schema: &Value, path: String| {
        found = true;
        // `false`: nobody may write it. `$schema` is for editors.
        if *schema != Value::Bool(false)
            && !path.ends_with("$schema")
            && !below(document, schema, &path, fields)
        {
            fields.insert((document.to_owned(), path));
        }
    };
    let members = schema["properties"].as_object();
    for (key, inner) in members.into_iter().flatten() {
        let dot = if path.is_empty() { "" } else { "." };
        enter(inner, format!("{path}{dot}{key}"));
    }
    if schema["additionalProperties"].is_object() {
        enter(&schema["additionalProperties"], format!("{path}.*"));
    }
    if schema["items"]["properties"].is_object() {
        enter(&schema["items"], format!("{path}[]"));
    }
    for way in ["anyOf", "oneOf", "allOf"] {
        for inner in schema[way].as_array().into_iter().flatten() {
            found |= below(document, inner, path, fields);
        }
    }
    found
}
