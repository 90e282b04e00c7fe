//! Pieces of libnftables-json(5).

use super::{TABLE, own};
use crate::model::{Name, VXLAN_PORT};
use serde_json::{Value, json};

/// Longest comment of a rule, NFTNL_UDATA_COMMENT_MAXLEN less its NUL.
const COMMENT_MAX: usize = 127;
/// Longest prefix of a log line, NF_LOG_PREFIXLEN less its NUL.
const PREFIX_MAX: usize = 127;

/// The part of a table that belongs to one tenant, in the making. Names in it are the tenant's own: `input` is the chain
/// `<tenant>/input` of the table that all tenants share, and `@links` the set `<tenant>/links`.
pub(crate) struct Part<'a> {
    family: &'a str,
    tenant: &'a Name,
    chains: Vec<Value>,
    sets: Vec<Value>,
    rules: Vec<Value>,
    elements: Vec<Value>,
}

impl<'a> Part<'a> {
    pub(crate) fn new(family: &'a str, tenant: &'a Name) -> Self {
        Self {
            family,
            tenant,
            chains: Vec::new(),
            sets: Vec::new(),
            rules: Vec::new(),
            elements: Vec::new(),
        }
    }

    /// Everything, in an order that nft accepts whether or not it was there before: chains lose their rules, after that
    /// sets may go, and what led to the chains is said anew.
    pub(crate) fn commands(self) -> impl Iterator<Item = Value> {
        let chains = self.chains.into_iter().flat_map(|chain| {
            [
                json!({"add": {"chain": chain}}),
                json!({"flush": {"chain": chain}}),
            ]
        });
        let sets = self.sets.into_iter().flat_map(|set| {
            let bare = json!({"family": set["family"], "table": set["table"], "name": set["name"]});
            [
                json!({"destroy": {"set": bare}}),
                json!({"add": {"set": set}}),
            ]
        });
        // A key that leads to another tenant's chain could not be added.
        let elements = self.elements.into_iter().flat_map(|element| {
            let pairs = element["elem"].as_array().into_iter().flatten();
            let mut keys = element.clone();
            keys["elem"] = pairs.map(|pair| pair[0].clone()).collect();
            [
                json!({"destroy": {"element": keys}}),
                json!({"add": {"element": element}}),
            ]
        });
        chains.chain(sets).chain(self.rules).chain(elements)
    }

    /// A set of `kind`, left without elements when it would be empty: nft wants no empty list.
    pub(crate) fn set(&mut self, name: &str, kind: Value, elements: Vec<Value>) {
        let mut set = self.named(name);
        set["type"] = kind;
        if !elements.is_empty() {
            set["elem"] = Value::Array(elements);
        }
        self.sets.push(set);
    }

    /// A chain that others jump to.
    pub(crate) fn chain(&mut self, name: &str) {
        let chain = self.named(name);
        self.chains.push(chain);
    }

    /// A chain to which packets with one of `keys` come from the shared chain of the same name.
    pub(crate) fn entry(&mut self, name: &str, keys: &[Value]) {
        self.chain(name);
        if keys.is_empty() {
            return;
        }
        let target = json!({"goto": {"target": own(self.tenant, name)}});
        let pairs: Vec<Value> = keys.iter().map(|key| json!([key, target])).collect();
        self.elements.push(json!({
            "family": self.family, "table": TABLE, "name": name, "elem": pairs,
        }));
    }

    /// A rule at the end of `chain`. What is refused is counted; others count what they say.
    pub(crate) fn rule(&mut self, chain: &str, comment: &str, mut expressions: Vec<Value>) {
        for expression in &mut expressions {
            self.qualify(expression);
        }
        self.rules.push(rule(
            self.family,
            &own(self.tenant, chain),
            comment,
            expressions,
        ));
    }

    fn named(&self, name: &str) -> Value {
        json!({"family": self.family, "table": TABLE, "name": own(self.tenant, name)})
    }

    /// Names of sets and chains become those of the shared table.
    fn qualify(&self, value: &mut Value) {
        match value {
            Value::String(text) => {
                if let Some(set) = text.strip_prefix('@') {
                    *text = format!("@{}", own(self.tenant, set));
                }
            }
            Value::Array(values) => values.iter_mut().for_each(|one| self.qualify(one)),
            Value::Object(object) => {
                if let Some(Value::String(target)) = object.get_mut("target") {
                    *target = own(self.tenant, target);
                }
                object.values_mut().for_each(|one| self.qualify(one));
            }
            _ => {}
        }
    }
}

/// The command that adds a rule to a chain of the shared table.
pub(super) fn rule(family: &str, chain: &str, comment: &str, mut expressions: Vec<Value>) -> Value {
    let refuses = |last: &Value| *last == drop() || last.get("reject").is_some();
    if expressions.last().is_some_and(refuses) {
        expressions.insert(expressions.len() - 1, counter());
    }
    let mut rule = json!({
        "family": family, "table": TABLE, "chain": chain, "expr": expressions,
    });
    if !comment.is_empty() {
        rule["comment"] = json!(shortened(comment, COMMENT_MAX));
    }
    json!({"add": {"rule": rule}})
}

/// Logs for `tenant` what the rule at `place` decides on, at most ten times a second.
pub(crate) fn log(tenant: &Name, place: &str) -> [Value; 2] {
    let who = log_prefix(tenant);
    let rest = PREFIX_MAX - who.len() - ": ".len();
    [
        json!({"limit": {"rate": 10, "per": "second"}}),
        json!({"log": {"prefix": format!("{who}{}: ", shortened(place, rest))}}),
    ]
}

/// How every line of the log about packets of `tenant` begins.
pub(crate) fn log_prefix(tenant: &Name) -> String {
    format!("bb-{tenant} ")
}

/// The end of a place tells more than its beginning: directories come first.
fn shortened(text: &str, most: usize) -> String {
    let clean: String = text
        .chars()
        .filter(|c| !c.is_control() && *c != '"')
        .collect();
    let mut start = clean.len().saturating_sub(most);
    while !clean.is_char_boundary(start) {
        start += 1;
    }
    clean[start..].to_owned()
}

pub(crate) fn meta(key: &str) -> Value {
    json!({"meta": {"key": key}})
}

pub(crate) fn field(protocol: &str, field: &str) -> Value {
    json!({"payload": {"protocol": protocol, "field": field}})
}

pub(crate) fn concat(parts: &[Value]) -> Value {
    json!({"concat": parts})
}

pub(crate) fn any_of(values: &[Value]) -> Value {
    match values {
        [one] => one.clone(),
        many => json!({"set": many}),
    }
}

pub(crate) fn is(left: Value, right: Value) -> Value {
    json!({"match": {"op": "==", "left": left, "right": right}})
}

pub(crate) fn is_not(left: Value, right: Value) -> Value {
    json!({"match": {"op": "!=", "left": left, "right": right}})
}

/// `ct state established,related`.
pub(crate) fn answers() -> Value {
    json!({"match": {"op": "in", "left": {"ct": {"key": "state"}}, "right": ["established", "related"]}})
}

/// `ct status dnat`: came by a published port.
pub(crate) fn published() -> Value {
    json!({"match": {"op": "in", "left": {"ct": {"key": "status"}}, "right": "dnat"}})
}

/// What a connection by a published port is, whichever of its packets this is: protocol, port of the host, and address (of
/// `ip` or `ip6`) and port of the machine that answers.
pub(crate) fn publication(family: &str) -> Value {
    let ct = |key: &str, dir: &str| json!({"ct": {"key": key, "dir": dir}});
    concat(&[
        json!({"ct": {"key": "protocol"}}),
        ct("proto-dst", "original"),
        ct(&format!("{family} saddr"), "reply"),
        ct("proto-src", "reply"),
    ])
}

/// Packets that carry a VXLAN segment, and its number in them: in UDP, behind flags of 32 bits (RFC 7348).
pub(crate) fn segment_of() -> (Value, Value) {
    let number = json!({"payload": {"base": "th", "offset": 96, "len": 24}});
    (is(field("udp", "dport"), json!(VXLAN_PORT)), number)
}

pub(crate) fn accept() -> Value {
    json!({"accept": null})
}

pub(crate) fn drop() -> Value {
    json!({"drop": null})
}

/// Packets and bytes that came to this place of a rule.
pub(crate) fn counter() -> Value {
    json!({"counter": null})
}

pub(crate) fn goto(chain: &str) -> Value {
    json!({"goto": {"target": chain}})
}

pub(crate) fn jump(chain: &str) -> Value {
    json!({"jump": {"target": chain}})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_comment_keeps_its_end() {
        let comment = shortened(&format!("{}web.yaml", "d/".repeat(100)), COMMENT_MAX);
        assert_eq!(comment.len(), COMMENT_MAX);
        assert!(comment.ends_with("/web.yaml"));
    }

    #[test]
    fn a_log_line_says_whose_rule_of_which_line_it_is() {
        let shop = Name::new("shop").unwrap();
        let [_, said] = log(&shop, "network/firewall/web.yaml:7");
        assert_eq!(
            said["log"]["prefix"],
            "bb-shop network/firewall/web.yaml:7: "
        );
        let [_, said] = log(&shop, &format!("{}:7", "d/".repeat(100)));
        assert_eq!(
            said["log"]["prefix"].as_str().map(str::len),
            Some(PREFIX_MAX)
        );
    }

    #[test]
    fn a_comment_cannot_break_out() {
        assert_eq!(shortened("a\"b\nc", COMMENT_MAX), "abc");
    }
}
