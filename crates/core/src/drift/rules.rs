//! Packet rules: what nft lists against what was rendered. nft says the same thing in other words at times: both sides
//! are brought into one form before they are compared.

use super::{How, Item, Remedy, What};
use crate::nftables;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Parts of our tables, by family and tenant: their content in one form, a line per chain, set, key and rule. What all
/// tenants share is nobody's, `""`.
pub type Tables = BTreeMap<(String, String), Vec<String>>;

/// nft's burst of a limit that says none, and that nft says all the same.
const BURST: u64 = 5;
/// Most differing lines that an item names.
const LINES: usize = 3;
/// Longest line that an item shows, in characters.
const LONGEST: usize = 160;

/// Our tables in the answer of `nft -j list ruleset` (libnftables-json(5)).
///
/// # Errors
/// When it is not JSON.
pub fn tables(listing: &[u8]) -> serde_json::Result<Tables> {
    let listing: Value = serde_json::from_slice(listing)?;
    let objects = listing["nftables"].as_array().cloned().unwrap_or_default();
    Ok(collect(objects.into_iter()))
}

/// What a rendered ruleset makes, and what it shares with others; nothing of its own when it is damaged.
pub fn rendered(ruleset: &[u8]) -> Tables {
    let ruleset: Value = serde_json::from_slice(ruleset).unwrap_or_default();
    let commands = ruleset["nftables"].as_array().cloned().unwrap_or_default();
    let commands = nftables::shared().iter().cloned().chain(commands);
    collect(commands.filter_map(|mut command| {
        let added = command.get_mut("add")?;
        Some(added.take())
    }))
}

/// Differences of the tenant's parts of the tables; `found` are all parts.
pub fn rules(expected: &Tables, found: &Tables) -> Vec<Item> {
    let differs = |(table, wanted): (&(String, String), &Vec<String>)| {
        let subject = match table.1.as_str() {
            "" => format!("{} {}", table.0, nftables::TABLE),
            tenant => format!("{} {} {tenant}/*", table.0, nftables::TABLE),
        };
        let item = |how, expected: String, seen: String| Item {
            what: What::Rules,
            how,
            subject: subject.clone(),
            expected,
            seen,
            since: None,
            by: None,
            remedy: Remedy::Network,
        };
        match found.get(table) {
            None => Some(item(
                How::Missing,
                format!("{} lines", wanted.len()),
                "nothing".into(),
            )),
            Some(found) if found == wanted => None,
            Some(found) => {
                let (expected, seen) = (only(wanted, found), only(found, wanted));
                Some(item(How::Changed, expected, seen))
            }
        }
    };
    expected.iter().filter_map(differs).collect()
}

/// Lines of one side that the other does not have.
fn only(these: &[String], those: &[String]) -> String {
    let mut left: Vec<&String> = those.iter().collect();
    let mut lines: Vec<String> = Vec::new();
    for line in these {
        match left.iter().position(|other| *other == line) {
            Some(at) => drop(left.swap_remove(at)),
            None => lines.push(line.chars().take(LONGEST).collect()),
        }
    }
    let more = lines.len().saturating_sub(LINES);
    lines.truncate(LINES);
    if more > 0 {
        lines.push(format!("{more} more"));
    }
    match lines.is_empty() {
        true if these.len() == those.len() => "the same in another order".to_owned(),
        true => "nothing more".to_owned(),
        false => lines.join("; "),
    }
}

/// What is in a table.
#[derive(Default)]
struct Content {
    /// Chains and sets.
    declared: BTreeSet<String>,
    /// By chain, in order.
    rules: BTreeMap<String, Vec<String>>,
}

fn collect(objects: impl Iterator<Item = Value>) -> Tables {
    let mut parts: BTreeMap<(String, String), Content> = BTreeMap::new();
    for object in objects {
        let Value::Object(object) = object else {
            continue;
        };
        let Some((kind, Value::Object(mut object))) = object.into_iter().next() else {
            continue;
        };
        object.remove("handle");
        let mut take = |key: &str| match object.remove(key) {
            Some(Value::String(text)) => text,
            _ => String::new(),
        };
        let family = take("family");
        let table = take(if kind == "table" { "name" } else { "table" });
        if table != nftables::TABLE {
            continue;
        }
        let name = take(if kind == "rule" { "chain" } else { "name" });
        let owner = nftables::owner(&name).map_or("", |(owner, _)| owner);
        let part = (family.clone(), owner.to_owned());
        match kind.as_str() {
            "table" => {}
            "rule" => {
                let rule = text(object, normal_rule);
                let line = format!("rule of {name} {rule}");
                let content = parts.entry(part).or_default();
                content.rules.entry(name).or_default().push(line);
            }
            _ => {
                if let Some(Value::Array(pairs)) = keys_of(&kind, &mut object) {
                    keys(&family, &name, pairs, &mut parts);
                }
                if kind != "element" {
                    let rest = text(object, normal_set);
                    let content = parts.entry(part).or_default();
                    content.declared.insert(format!("{kind} {name} {rest}"));
                }
            }
        }
    }
    parts
        .into_iter()
        .map(|(part, content)| {
            // Chains are independent of each other; within one the order counts.
            let lines = content
                .declared
                .into_iter()
                .chain(content.rules.into_values().flatten());
            (part, lines.collect())
        })
        .collect()
}

/// The keys that a map leads to chains: of all tenants.
fn keys_of(kind: &str, object: &mut Map<String, Value>) -> Option<Value> {
    matches!(kind, "map" | "element").then(|| object.remove("elem"))?
}

/// Each key is of the tenant to whose chain it leads.
fn keys(
    family: &str,
    map: &str,
    pairs: Vec<Value>,
    parts: &mut BTreeMap<(String, String), Content>,
) {
    for mut pair in pairs {
        pair.sort_all_objects();
        let target = pair[1]["goto"]["target"].as_str().and_then(nftables::owner);
        let owner = target.map_or("", |(owner, _)| owner).to_owned();
        let content = parts.entry((family.to_owned(), owner)).or_default();
        content.declared.insert(format!("key of {map} {pair}"));
    }
}

/// `object` in one form, as text. nft lists the keys of an object in another order each time; `normal` sorts by what
/// elements say, and may remove keys, which leaves the others in no order.
fn text(object: Map<String, Value>, normal: fn(&mut Value)) -> String {
    let mut object = Value::Object(object);
    object.sort_all_objects();
    normal(&mut object);
    object.sort_all_objects();
    object.to_string()
}

/// Elements of a named set have no order.
fn normal_set(set: &mut Value) {
    // A type that has no name is said by an expression, and listed as a number by some versions of nft.
    if set["type"].is_object() {
        set["type"] = "integer".into();
    }
    if let Some(Value::Array(elements)) = set.get_mut("elem") {
        elements.sort_by_key(Value::to_string);
    }
}

fn normal_rule(rule: &mut Value) {
    if let Some(Value::Array(expressions)) = rule.get_mut("expr") {
        let all = Value::Array(expressions.clone()).to_string();
        expressions.retain(|one| !is_implied(one, &all) && one.get("counter").is_none());
        expressions.iter_mut().for_each(normal);
    }
}

/// `meta nfproto` beside a match on a header of that protocol.
fn is_implied(expression: &Value, all: &str) -> bool {
    let matched = &expression["match"];
    if matched["left"]["meta"]["key"] != "nfproto" {
        return false;
    }
    let protocol = match matched["right"].as_str() {
        Some("ipv4") => "ip",
        Some("ipv6") => "ip6",
        _ => return false,
    };
    all.contains(&format!("\"protocol\":\"{protocol}\""))
}

fn normal(value: &mut Value) {
    match value {
        Value::Array(values) => values.iter_mut().for_each(normal),
        Value::Object(object) => {
            if let Some(Value::Object(limit)) = object.get_mut("limit")
                && limit.get("burst") == Some(&BURST.into())
            {
                limit.remove("burst");
            }
            if let Some(Value::Object(limit)) = object.get_mut("limit") {
                in_bytes(limit);
            }
            object.values_mut().for_each(normal);
            if let Some(Value::Array(elements)) = object.get_mut("set") {
                merge(elements);
            }
            if let Some(shorter) = object.get("prefix").and_then(prefix) {
                *value = shorter;
            }
        }
        Value::String(text) if text == "icmpv6" => *text = "ipv6-icmp".to_owned(),
        _ => {}
    }
}

/// Rates and bursts in bytes: nft says them in the largest unit that fits.
fn in_bytes(limit: &mut Map<String, Value>) {
    for key in ["rate", "burst"] {
        let unit = format!("{key}_unit");
        let bits = match limit.get(&unit).and_then(Value::as_str) {
            Some("mbytes") => 20,
            Some("kbytes") => 10,
            _ => continue,
        };
        let number = limit.get(key).and_then(Value::as_u64).unwrap_or_default();
        limit.insert(key.to_owned(), (number << bits).into());
        limit.insert(unit, "bytes".into());
    }
}

/// A prefix without host bits; a plain address when it is one.
fn prefix(prefix: &Value) -> Option<Value> {
    let length = u32::try_from(prefix["len"].as_u64()?).ok()?;
    let address: IpAddr = prefix["addr"].as_str()?.parse().ok()?;
    let (network, bits) = match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX
                .checked_shl(32u32.checked_sub(length)?)
                .unwrap_or(0);
            (IpAddr::V4(Ipv4Addr::from(u32::from(address) & mask)), 32)
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX
                .checked_shl(128u32.checked_sub(length)?)
                .unwrap_or(0);
            (IpAddr::V6(Ipv6Addr::from(u128::from(address) & mask)), 128)
        }
    };
    Some(match length == bits {
        true => Value::from(network.to_string()),
        false => serde_json::json!({"prefix": {"addr": network, "len": length}}),
    })
}

/// Sorts the elements of an anonymous set; ranges of numbers that touch become one.
fn merge(elements: &mut Vec<Value>) {
    let range = |element: &Value| match element.as_u64() {
        Some(number) => Some((number, number)),
        None => Some((element["range"][0].as_u64()?, element["range"][1].as_u64()?)),
    };
    let has_range = elements
        .iter()
        .any(|element| element.get("range").is_some());
    let numbers: Option<Vec<(u64, u64)>> = elements.iter().map(range).collect();
    match numbers {
        Some(mut numbers) if has_range => {
            numbers.sort_unstable();
            let mut merged: Vec<(u64, u64)> = Vec::new();
            for (first, last) in numbers {
                match merged.last_mut() {
                    Some(before) if first <= before.1.saturating_add(1) => {
                        before.1 = before.1.max(last);
                    }
                    _ => merged.push((first, last)),
                }
            }
            let element = |(first, last): (u64, u64)| match first == last {
                true => Value::from(first),
                false => serde_json::json!({"range": [first, last]}),
            };
            *elements = merged.into_iter().map(element).collect();
        }
        _ => {
            elements.sort_by_key(Value::to_string);
            elements.dedup();
        }
    }
}
