//! JSON Schemas (draft 2020-12) of all documents, from the types that read them.

use super::decode::Written;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// All schemas by name, as `bbctl schema NAME` prints them and `schemas/NAME.json` holds them.
pub fn all() -> Vec<(&'static str, Value)> {
    vec![
        (
            "metadata",
            of::<super::metadata::MetadataDoc>("metadata", "metadata.json"),
        ),
        (
            "registry",
            of::<super::registry::RegistryDoc>("registry", "tenants/registry.json"),
        ),
        (
            "policy",
            of::<super::policy::PolicyDoc>("policy", ".gitops/config.yaml"),
        ),
        (
            "container",
            of::<super::container::ContainerDoc>("container", "containers/*/config.yaml"),
        ),
        (
            "machine",
            of::<super::machine::MachineDoc>("machine", "machines/*/config.yaml"),
        ),
        (
            "topology",
            of::<super::topology::TopologyDoc>("topology", "network/topology.yaml"),
        ),
        (
            "firewall",
            of::<super::firewall::FirewallDoc>("firewall", "network/firewall/*.yaml"),
        ),
        (
            "wireguard",
            of::<super::wireguard::WireguardDoc>("wireguard", "network/wireguard/*.yaml"),
        ),
        (
            "infrastructure",
            of::<super::infrastructure::InfrastructureDoc>(
                "infrastructure",
                "infrastructure/config.yaml",
            ),
        ),
        (
            "resource-limits",
            of::<super::infrastructure::CeilingsDoc>(
                "resource-limits",
                "infrastructure/resource-limits.yaml",
            ),
        ),
        (
            "user",
            of::<super::user::UserDoc>("user", "users/*/homed-config.json"),
        ),
        (
            "template",
            of::<super::template::TemplateDoc>("template", "metadata.json of a template"),
        ),
    ]
}

/// The files of `schemas/`: names and texts.
pub fn files() -> BTreeMap<String, String> {
    let all = all().into_iter();
    all.map(|(name, schema)| (format!("{name}.json"), format!("{schema:#}\n")))
        .collect()
}

fn of<T: Written>(name: &str, title: &str) -> Value {
    let mut schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": format!("https://bitbuilder.io/schemas/{name}.json"),
        "title": title,
    });
    if let (Value::Object(schema), Value::Object(body)) = (&mut schema, T::schema()) {
        schema.extend(body);
        if let Some(Value::Object(properties)) = schema.get_mut("properties") {
            // Editors find the schema by this key.
            properties.insert("$schema".into(), json!({ "type": "string" }));
        }
    }
    schema
}

#[cfg(test)]
mod tests;
