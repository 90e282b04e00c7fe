//! Reads a tenant's transaction in libnftables-json(5) into the parts of the shared tables that it makes; what is not
//! expected there is not taken.

use crate::nftables::TABLE;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The tenant's part of one table, as it is after the transaction. Names are as the tenant knows them.
pub(super) struct Part {
    family: &'static str,
    /// How the names of everything of the tenant begin.
    prefix: String,
    pub(super) sets: BTreeMap<String, Vec<Value>>,
    /// Keys in maps of all tenants that lead to the tenant's chain of the same name.
    pub(super) entries: BTreeMap<String, Vec<Value>>,
    chains: BTreeSet<String>,
    flushed: BTreeSet<String>,
    destroyed: BTreeSet<String>,
    /// Keys that lead nowhere any more, by map.
    taken_away: BTreeMap<String, Vec<Value>>,
    /// Expressions of the rules, by chain.
    rules: BTreeMap<String, Vec<Vec<Value>>>,
}

impl Part {
    pub(super) fn new(family: &'static str, tenant: &str) -> Self {
        Self {
            family,
            prefix: format!("{tenant}/"),
            sets: BTreeMap::new(),
            entries: BTreeMap::new(),
            chains: BTreeSet::new(),
            flushed: BTreeSet::new(),
            destroyed: BTreeSet::new(),
            taken_away: BTreeMap::new(),
            rules: BTreeMap::new(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.sets.is_empty() && self.chains.is_empty()
    }

    pub(super) fn set(&self, name: &str) -> &[Value] {
        self.sets.get(name).map(Vec::as_slice).unwrap_or_default()
    }

    /// Links, or other keys, whose packets come to the chain.
    pub(super) fn entry(&self, name: &str) -> &[Value] {
        self.entries
            .get(name)
            .map(Vec::as_slice)
            .unwrap_or_default()
    }

    pub(super) fn rules(&self, chain: &str) -> &[Vec<Value>] {
        self.rules.get(chain).map(Vec::as_slice).unwrap_or_default()
    }

    /// Takes a command that is about this part; `None` when it is not, or is not understood completely.
    pub(super) fn take(&mut self, command: &Value) -> Option<()> {
        let (verb, object) = only(command)?;
        let (kind, body) = only(object)?;
        let body = body.as_object()?;
        if text(body, "family")? != self.family || text(body, "table")? != TABLE {
            return None;
        }
        match (verb, kind) {
            ("add", "chain") => self.take_chain(body),
            ("flush", "chain") => {
                bare(body)?;
                let name = self.own(text(body, "name")?)?;
                (self.rules(&name).is_empty() && self.flushed.insert(name)).then_some(())
            }
            ("destroy", "set") => {
                bare(body)?;
                let name = self.own(text(body, "name")?)?;
                (!self.sets.contains_key(&name) && self.destroyed.insert(name)).then_some(())
            }
            ("add", "set") => self.take_set(body),
            ("add", "rule") => self.take_rule(body),
            ("destroy", "element") => {
                keys(body, &["family", "table", "name", "elem"])?;
                let keys = body.get("elem")?.as_array()?.clone();
                let map = text(body, "name")?.to_owned();
                self.taken_away.insert(map, keys).is_none().then_some(())
            }
            ("add", "element") => self.take_element(body),
            _ => None,
        }
    }

    /// The name of something that is the tenant's.
    fn own(&self, name: &str) -> Option<String> {
        let own = name.strip_prefix(&self.prefix)?;
        (!own.contains('/')).then(|| own.to_owned())
    }

    /// Names of chains and sets in an expression become those that the tenant knows; others' are not taken.
    fn unqualify(&self, value: &mut Value) -> Option<()> {
        match value {
            Value::String(text) => {
                if let Some(set) = text.strip_prefix('@') {
                    *text = format!("@{}", self.own(set)?);
                }
            }
            Value::Array(values) => {
                for one in values {
                    self.unqualify(one)?;
                }
            }
            Value::Object(object) => {
                if let Some(target) = object.get_mut("target") {
                    *target = self.own(target.as_str()?)?.into();
                }
                for one in object.values_mut() {
                    self.unqualify(one)?;
                }
            }
            _ => {}
        }
        Some(())
    }

    fn take_set(&mut self, body: &Map<String, Value>) -> Option<()> {
        keys(body, &["family", "table", "name", "type", "elem"])?;
        let elements = match body.get("elem") {
            Some(elements) => elements.as_array()?.clone(),
            None => Vec::new(),
        };
        let name = self.own(text(body, "name")?)?;
        let anew = self.destroyed.contains(&name);
        (anew && self.sets.insert(name, elements).is_none()).then_some(())
    }

    fn take_chain(&mut self, body: &Map<String, Value>) -> Option<()> {
        bare(body)?;
        let name = self.own(text(body, "name")?)?;
        self.chains.insert(name).then_some(())
    }

    fn take_rule(&mut self, body: &Map<String, Value>) -> Option<()> {
        keys(body, &["family", "table", "chain", "expr", "comment"])?;
        let mut expressions = body.get("expr")?.as_array()?.clone();
        // Counting changes nothing.
        expressions.retain(|expression| *expression != json!({"counter": null}));
        for expression in &mut expressions {
            self.unqualify(expression)?;
        }
        let chain = self.own(text(body, "chain")?)?;
        let anew = self.flushed.contains(&chain);
        self.rules.entry(chain).or_default().push(expressions);
        anew.then_some(())
    }

    /// Keys that lead to the tenant's own chain of the map's name, and nowhere else.
    fn take_element(&mut self, body: &Map<String, Value>) -> Option<()> {
        keys(body, &["family", "table", "name", "elem"])?;
        let map = text(body, "name")?;
        let target = json!({"goto": {"target": format!("{}{map}", self.prefix)}});
        let mut added = Vec::new();
        for pair in body.get("elem")?.as_array()? {
            match pair.as_array()?.as_slice() {
                [key, verdict] if *verdict == target => added.push(key.clone()),
                _ => return None,
            }
        }
        self.entries
            .insert(map.to_owned(), added)
            .is_none()
            .then_some(())
    }

    /// Tells of chains beyond `known`, and of what leads or belongs to none.
    pub(super) fn check_chains(&self, known: &[&str], wrong: &mut Vec<String>) {
        let foreign = self.chains.iter();
        let foreign = foreign.filter(|name| !known.contains(&name.as_str()));
        wrong.extend(foreign.map(|name| format!("chain `{name}` is not known")));
        if self.taken_away != self.entries {
            wrong.push("keys of maps are taken away that do not come back".to_owned());
        }
        let kept = self.chains.difference(&self.flushed);
        wrong.extend(kept.map(|name| format!("chain `{name}` keeps rules of before")));
        let lost = self.rules.keys().chain(self.entries.keys());
        let lost = lost.filter(|name| !self.chains.contains(*name));
        wrong
            .extend(lost.map(|name| format!("there is something for `{name}`, which is no chain")));
    }
}

/// The one key of an object, and its value.
fn only(value: &Value) -> Option<(&str, &Value)> {
    let mut entries = value.as_object()?.iter();
    let (key, value) = entries.next()?;
    entries.next().is_none().then_some((key.as_str(), value))
}

fn text<'a>(body: &'a Map<String, Value>, key: &str) -> Option<&'a str> {
    body.get(key)?.as_str()
}

/// Nothing but where it is and its name.
fn bare(body: &Map<String, Value>) -> Option<()> {
    keys(body, &["family", "table", "name"])
}

fn keys(body: &Map<String, Value>, known: &[&str]) -> Option<()> {
    let all = body.keys().all(|key| known.contains(&key.as_str()));
    all.then_some(())
}
