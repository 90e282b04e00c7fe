//! Reads a transaction in libnftables-json(5) into tables; what is not expected there is not taken.

use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Type, hook and priority of a chain that the kernel calls.
type Hook = (String, String, i64);

/// One table, as it is after the transaction.
pub(super) struct Table {
    family: &'static str,
    name: String,
    /// Whether what was there before is gone.
    anew: bool,
    pub(super) sets: BTreeMap<String, Vec<Value>>,
    pub(super) hooks: BTreeMap<String, Hook>,
    chains: BTreeSet<String>,
    /// Expressions of the rules, by chain.
    rules: BTreeMap<String, Vec<Vec<Value>>>,
}

impl Table {
    pub(super) fn new(family: &'static str, name: &str) -> Self {
        Self {
            family,
            name: name.to_owned(),
            anew: false,
            sets: BTreeMap::new(),
            hooks: BTreeMap::new(),
            chains: BTreeSet::new(),
            rules: BTreeMap::new(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.sets.is_empty() && self.hooks.is_empty() && self.rules.is_empty()
    }

    pub(super) fn set(&self, name: &str) -> &[Value] {
        self.sets.get(name).map(Vec::as_slice).unwrap_or_default()
    }

    pub(super) fn rules(&self, chain: &str) -> &[Vec<Value>] {
        self.rules.get(chain).map(Vec::as_slice).unwrap_or_default()
    }

    /// Takes a command that is about this table; `None` when it is not, or is not understood completely.
    pub(super) fn take(&mut self, command: &Value) -> Option<()> {
        let (verb, object) = only(command)?;
        let (kind, body) = only(object)?;
        let body = body.as_object()?;
        let owner = if kind == "table" { "name" } else { "table" };
        if text(body, "family")? != self.family || text(body, owner)? != self.name {
            return None;
        }
        match (verb, kind) {
            ("add", "table") => keys(body, &["family", "name"]),
            ("delete", "table") if self.is_empty() => {
                self.anew = true;
                keys(body, &["family", "name"])
            }
            ("add", "set") if self.anew => self.take_set(body),
            ("add", "chain") if self.anew => self.take_chain(body),
            ("add", "rule") if self.anew => self.take_rule(body),
            _ => None,
        }
    }

    fn take_set(&mut self, body: &Map<String, Value>) -> Option<()> {
        keys(body, &["family", "table", "name", "type", "elem"])?;
        let elements = match body.get("elem") {
            Some(elements) => elements.as_array()?.clone(),
            None => Vec::new(),
        };
        let name = text(body, "name")?.to_owned();
        self.sets.insert(name, elements).is_none().then_some(())
    }

    fn take_chain(&mut self, body: &Map<String, Value>) -> Option<()> {
        let name = text(body, "name")?.to_owned();
        if self.chains.contains(&name) || self.hooks.contains_key(&name) {
            return None;
        }
        if !body.contains_key("hook") {
            keys(body, &["family", "table", "name"])?;
            self.chains.insert(name);
            return Some(());
        }
        keys(
            body,
            &["family", "table", "name", "type", "hook", "prio", "policy"],
        )?;
        if text(body, "policy")? != "accept" {
            return None;
        }
        let hook = (
            text(body, "type")?.to_owned(),
            text(body, "hook")?.to_owned(),
            body.get("prio")?.as_i64()?,
        );
        self.hooks.insert(name, hook);
        Some(())
    }

    fn take_rule(&mut self, body: &Map<String, Value>) -> Option<()> {
        keys(body, &["family", "table", "chain", "expr", "comment"])?;
        let mut expressions = body.get("expr")?.as_array()?.clone();
        // Counting changes nothing.
        expressions.retain(|expression| *expression != json!({"counter": null}));
        let chain = text(body, "chain")?.to_owned();
        self.rules.entry(chain).or_default().push(expressions);
        Some(())
    }

    /// Tells of chains beyond `hooks` and the plain ones in `chains`.
    pub(super) fn check_hooks(
        &self,
        hooks: &[(&str, (&str, &str, i64))],
        chains: &[&str],
        wrong: &mut Vec<String>,
    ) {
        let hooked = |(name, (kind, hook, prio)): (&String, &Hook)| {
            hooks.contains(&(name.as_str(), (kind.as_str(), hook.as_str(), *prio)))
        };
        let foreign = self.hooks.iter().filter(|one| !hooked(*one));
        wrong.extend(foreign.map(|(name, _)| format!("chain `{name}` hangs in a wrong hook")));
        let foreign = self
            .chains
            .iter()
            .filter(|name| !chains.contains(&name.as_str()));
        wrong.extend(foreign.map(|name| format!("chain `{name}` is not known")));
        let known = |name: &str| self.chains.contains(name) || self.hooks.contains_key(name);
        let lost = self.rules.keys().filter(|name| !known(name));
        wrong.extend(lost.map(|name| format!("there are rules for `{name}`, which is no chain")));
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

fn keys(body: &Map<String, Value>, known: &[&str]) -> Option<()> {
    let all = body.keys().all(|key| known.contains(&key.as_str()));
    all.then_some(())
}
