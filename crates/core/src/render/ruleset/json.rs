//! Pieces of libnftables-json(5).

use serde_json::{Value, json};

/// Longest comment of a rule, NFTNL_UDATA_COMMENT_MAXLEN less its NUL.
const COMMENT_MAX: usize = 127;
/// Longest prefix of a log line, NF_LOG_PREFIXLEN less its NUL.
const PREFIX_MAX: usize = 127;

/// A table in the making.
pub(super) struct Table<'a> {
    family: &'a str,
    name: &'a str,
    objects: Vec<Value>,
    rules: Vec<Value>,
}

impl<'a> Table<'a> {
    pub(super) fn new(family: &'a str, name: &'a str) -> Self {
        Self {
            family,
            name,
            objects: Vec::new(),
            rules: Vec::new(),
        }
    }

    /// Everything, in an order that nft accepts. The table is added first because deleting one that is not there
    /// would fail.
    pub(super) fn commands(self) -> Vec<Value> {
        let table = json!({"table": {"family": self.family, "name": self.name}});
        let head = [
            json!({"add": table}),
            json!({"delete": table}),
            json!({"add": table}),
        ];
        head.into_iter()
            .chain(self.objects)
            .chain(self.rules)
            .collect()
    }

    /// A set of `kind`, left out when it would be empty unless rules refer to it: nft wants no empty element list.
    pub(super) fn set(&mut self, name: &str, kind: Value, elements: Vec<Value>) {
        let mut set = json!({
            "family": self.family, "table": self.name, "name": name, "type": kind,
        });
        if !elements.is_empty() {
            set["elem"] = Value::Array(elements);
        }
        self.objects.push(json!({"add": {"set": set}}));
    }

    /// A chain that others jump to.
    pub(super) fn chain(&mut self, name: &str) {
        self.objects.push(json!({"add": {"chain": {
            "family": self.family, "table": self.name, "name": name,
        }}}));
    }

    /// A chain that the kernel calls; what no rule decides passes.
    pub(super) fn hook(&mut self, name: &str, kind: &str, hook: &str, priority: i32) {
        self.objects.push(json!({"add": {"chain": {
            "family": self.family, "table": self.name, "name": name,
            "type": kind, "hook": hook, "prio": priority, "policy": "accept",
        }}}));
    }

    /// A rule at the end of `chain`. What is refused is counted; others count what they say.
    pub(super) fn rule(&mut self, chain: &str, comment: &str, mut expressions: Vec<Value>) {
        let refuses = |last: &Value| *last == drop() || last.get("reject").is_some();
        if expressions.last().is_some_and(refuses) {
            expressions.insert(expressions.len() - 1, counter());
        }
        let mut rule = json!({
            "family": self.family, "table": self.name, "chain": chain, "expr": expressions,
        });
        if !comment.is_empty() {
            rule["comment"] = json!(shortened(comment, COMMENT_MAX));
        }
        self.rules.push(json!({"add": {"rule": rule}}));
    }
}

/// Logs as `table` what the rule at `place` decides on, at most ten times a second.
pub(super) fn log(table: &Table<'_>, place: &str) -> [Value; 2] {
    let (table, rest) = (table.name, PREFIX_MAX - table.name.len() - " : ".len());
    [
        json!({"limit": {"rate": 10, "per": "second"}}),
        json!({"log": {"prefix": format!("{table} {}: ", shortened(place, rest))}}),
    ]
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

pub(super) fn meta(key: &str) -> Value {
    json!({"meta": {"key": key}})
}

pub(super) fn field(protocol: &str, field: &str) -> Value {
    json!({"payload": {"protocol": protocol, "field": field}})
}

pub(super) fn concat(parts: &[Value]) -> Value {
    json!({"concat": parts})
}

pub(super) fn any_of(values: &[Value]) -> Value {
    match values {
        [one] => one.clone(),
        many => json!({"set": many}),
    }
}

pub(super) fn is(left: Value, right: Value) -> Value {
    json!({"match": {"op": "==", "left": left, "right": right}})
}

pub(super) fn is_not(left: Value, right: Value) -> Value {
    json!({"match": {"op": "!=", "left": left, "right": right}})
}

/// `ct state established,related`.
pub(super) fn answers() -> Value {
    json!({"match": {"op": "in", "left": {"ct": {"key": "state"}}, "right": ["established", "related"]}})
}

/// `ct status dnat`: came by a published port.
pub(super) fn published() -> Value {
    json!({"match": {"op": "in", "left": {"ct": {"key": "status"}}, "right": "dnat"}})
}

/// What a connection by a published port is, whichever of its packets this is: protocol, port of the host, and address (of
/// `ip` or `ip6`) and port of the machine that answers.
pub(super) fn publication(family: &str) -> Value {
    let ct = |key: &str, dir: &str| json!({"ct": {"key": key, "dir": dir}});
    concat(&[
        json!({"ct": {"key": "protocol"}}),
        ct("proto-dst", "original"),
        ct(&format!("{family} saddr"), "reply"),
        ct("proto-src", "reply"),
    ])
}

pub(super) fn accept() -> Value {
    json!({"accept": null})
}

pub(super) fn drop() -> Value {
    json!({"drop": null})
}

/// Packets and bytes that came to this place of a rule.
pub(super) fn counter() -> Value {
    json!({"counter": null})
}

pub(super) fn goto(chain: &str) -> Value {
    json!({"goto": {"target": chain}})
}

pub(super) fn jump(chain: &str) -> Value {
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
        let table = Table::new("inet", "bb-shop");
        let [_, said] = log(&table, "network/firewall/web.yaml:7");
        assert_eq!(
            said["log"]["prefix"],
            "bb-shop network/firewall/web.yaml:7: "
        );
        let [_, said] = log(&table, &format!("{}:7", "d/".repeat(100)));
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
