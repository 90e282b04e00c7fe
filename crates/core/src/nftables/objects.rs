//! What a tenant's transaction makes, and how it goes.

use super::{TABLE, own, shared};
use crate::model::Name;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// How the names of maps begin whose keys are ports.
const PORTS: &str = "dstnat";

/// Something of a tenant in a shared table, by the table's family.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Object {
    /// A key in a map of all tenants, in JSON: packets that have it go to the chain of the tenant of that name.
    Key(String, String, String),
    /// The same of a port, which another tenant may have meanwhile.
    Port(String, String, String),
    /// A chain.
    Chain(String, String),
    /// A set.
    Set(String, String),
}

/// Objects that `transaction` makes; none when it is damaged.
pub fn made(transaction: &[u8]) -> BTreeSet<Object> {
    let commands = commands(transaction).unwrap_or_default();
    commands.iter().flat_map(objects).collect()
}

fn objects(command: &Value) -> Vec<Object> {
    let added = &command["add"];
    let text = |body: &Value, key: &str| body[key].as_str().unwrap_or_default().to_owned();
    let named = |body: &Value| (text(body, "family"), text(body, "name"));
    if let Some(chain) = added.get("chain") {
        let (family, name) = named(chain);
        return vec![Object::Chain(family, name)];
    }
    if let Some(set) = added.get("set") {
        let (family, name) = named(set);
        return vec![Object::Set(family, name)];
    }
    let element = &added["element"];
    let (family, map) = named(element);
    let kind = match map.starts_with(PORTS) {
        true => Object::Port,
        false => Object::Key,
    };
    let keys = element["elem"].as_array().into_iter().flatten();
    keys.map(|pair| kind(family.clone(), map.clone(), pair[0].to_string()))
        .collect()
}

/// The whole transaction for nft: what all tenants share, where it is not there yet, and what `ruleset` makes of one.
///
/// # Errors
/// When `ruleset` is no transaction.
pub fn transaction(ruleset: &[u8]) -> serde_json::Result<Vec<u8>> {
    Ok(with_shared(commands(ruleset)?))
}

/// Transactions that take the ports among `objects` away from `tenant`. Each is refused when another tenant has the port by
/// now ("File exists"), and then nothing is to be done.
pub fn releases(tenant: &Name, objects: &BTreeSet<Object>) -> Vec<Vec<u8>> {
    let release = |family: &str, map: &str, key: &str| {
        let key: Value = serde_json::from_str(key).unwrap_or_default();
        let chain = own(tenant, map);
        let element = |elem: Value| json!({"element": {"family": family, "table": TABLE, "name": map, "elem": [elem]}});
        with_shared(vec![
            json!({"add": {"chain": {"family": family, "table": TABLE, "name": chain}}}),
            json!({"add": element(json!([key, {"goto": {"target": chain}}]))}),
            json!({"delete": element(key)}),
        ])
    };
    let ports = objects.iter().filter_map(|object| match object {
        Object::Port(family, map, key) => Some(release(family, map, key)),
        _ => None,
    });
    ports.collect()
}

/// The transaction that takes `objects` away, whether or not they are there; their ports are released before.
pub fn removal(objects: &BTreeSet<Object>) -> Vec<u8> {
    let named = |family: &str, name: &str| json!({"family": family, "table": TABLE, "name": name});
    let mut commands = Vec::new();
    let (mut rules, mut last) = (Vec::new(), Vec::new());
    for object in objects {
        match object {
            Object::Key(family, map, key) => {
                let mut element = named(family, map);
                let key: Value = serde_json::from_str(key).unwrap_or_default();
                element["elem"] = json!([key]);
                commands.push(json!({"destroy": {"element": element}}));
            }
            Object::Port(..) => {}
            // A chain can go when nothing leads to it, and a set when no rule asks it: without its rules none of them does.
            Object::Chain(family, name) => {
                let chain = named(family, name);
                rules.push(json!({"add": {"chain": chain}}));
                rules.push(json!({"flush": {"chain": chain}}));
                last.push(json!({"delete": {"chain": chain}}));
            }
            Object::Set(family, name) => {
                last.push(json!({"destroy": {"set": named(family, name)}}));
            }
        }
    }
    commands.extend(rules);
    commands.extend(last);
    with_shared(commands)
}

/// The transaction that takes everything away, of whomever it is.
pub fn end() -> Vec<u8> {
    let destroy = |family| json!({"destroy": {"table": {"family": family, "name": TABLE}}});
    let all: Vec<Value> = ["inet", "bridge"].map(destroy).into();
    json!({ "nftables": all }).to_string().into_bytes()
}

fn with_shared(own: Vec<Value>) -> Vec<u8> {
    let all: Vec<Value> = shared().iter().cloned().chain(own).collect();
    json!({ "nftables": all }).to_string().into_bytes()
}

fn commands(transaction: &[u8]) -> serde_json::Result<Vec<Value>> {
    #[derive(Deserialize)]
    struct Transaction {
        nftables: Vec<Value>,
    }
    serde_json::from_slice::<Transaction>(transaction).map(|transaction| transaction.nftables)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: &[u8] = br#"{"nftables":[
        {"add":{"chain":{"family":"inet","table":"bitbuilder","name":"a/input"}}},
        {"flush":{"chain":{"family":"inet","table":"bitbuilder","name":"a/input"}}},
        {"destroy":{"set":{"family":"inet","table":"bitbuilder","name":"a/links"}}},
        {"add":{"set":{"family":"inet","table":"bitbuilder","name":"a/links","type":"ifname"}}},
        {"add":{"element":{"family":"inet","table":"bitbuilder","name":"input","elem":[["br-a",{"goto":{"target":"a/input"}}]]}}}
    ]}"#;

    #[test]
    fn what_is_made_can_be_taken_away() {
        let made = made(OWN);
        assert_eq!(made.len(), 3);
        let removal: Value = serde_json::from_slice(&removal(&made)).unwrap();
        let commands = removal["nftables"].as_array().unwrap();
        let own = &commands[shared().len()..];
        let verbs = own
            .iter()
            .map(|one| one.as_object().unwrap().keys().next().unwrap().as_str());
        assert_eq!(
            verbs.collect::<Vec<_>>(),
            ["destroy", "add", "flush", "delete", "destroy"]
        );
        assert_eq!(own[0]["destroy"]["element"]["elem"], json!(["br-a"]));
    }

    #[test]
    fn what_is_shared_comes_first() {
        let whole: Value = serde_json::from_slice(&transaction(OWN).unwrap()).unwrap();
        let commands = whole["nftables"].as_array().unwrap();
        assert_eq!(&commands[..shared().len()], shared());
        assert_eq!(commands.len(), shared().len() + 5);
        assert!(transaction(b"{}").is_err());
    }
}
