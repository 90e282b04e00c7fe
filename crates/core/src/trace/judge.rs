//! One rule on one packet.

use super::facts::Facts;
use super::rules::{Rule, Table};
use serde_json::Value;
use std::net::IpAddr;

/// What a rule does.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// It is not about the packet.
    None,
    Accept,
    Drop,
    Reject,
    Return,
    /// It logs, and the next rule is asked.
    Log,
    /// The packet goes to another chain; whether it comes back from there.
    Enter(String, bool),
    Dnat(IpAddr, u16),
    Masquerade,
}

/// What `rule` does to the packet; `Err` is the expression that nobody understands.
pub(super) fn judge(table: &Table, rule: &Rule, facts: &Facts) -> Result<Effect, Value> {
    let mut effect = Effect::None;
    for expression in &rule.expressions {
        let unknown = || expression.clone();
        let (key, value) = expression
            .as_object()
            .and_then(|object| object.iter().next())
            .ok_or_else(unknown)?;
        let target = || value["target"].as_str().map(str::to_owned);
        effect = match key.as_str() {
            "match" if matches(table, value, facts).map_err(|()| unknown())? => continue,
            "match" => return Ok(Effect::None),
            // Of one packet alone: a limit is not reached, and what is beyond it does not happen.
            "limit" | "ct count" if value["inv"] == true => return Ok(Effect::None),
            "limit" | "ct count" | "counter" | "mangle" => continue,
            "log" => Effect::Log,
            "accept" => Effect::Accept,
            "drop" => Effect::Drop,
            "reject" => Effect::Reject,
            "return" => Effect::Return,
            "masquerade" => Effect::Masquerade,
            "vmap" => match look_up(table, value, facts).map_err(|()| unknown())? {
                Some(chain) => Effect::Enter(chain, false),
                None => return Ok(Effect::None),
            },
            "jump" => Effect::Enter(target().ok_or_else(unknown)?, true),
            "goto" => Effect::Enter(target().ok_or_else(unknown)?, false),
            "dnat" => dnat(value).ok_or_else(unknown)?,
            _ => return Err(unknown()),
        };
    }
    Ok(effect)
}

/// The chain to which a map of verdicts sends the packet.
fn look_up(table: &Table, value: &Value, facts: &Facts) -> Result<Option<String>, ()> {
    let map = value["data"]
        .as_str()
        .and_then(|name| name.strip_prefix('@'));
    let pairs = table.sets.get(map.ok_or(())?).ok_or(())?;
    let Some(key) = facts.value(&value["key"])? else {
        return Ok(None);
    };
    let found = pairs.iter().find(|pair| is(&key, &pair[0]));
    let chain = |pair: &Value| pair[1]["goto"]["target"].as_str().map(str::to_owned);
    found.map(|pair| chain(pair).ok_or(())).transpose()
}

fn dnat(value: &Value) -> Option<Effect> {
    let port = u16::try_from(value["port"].as_u64()?).ok()?;
    Some(Effect::Dnat(value["addr"].as_str()?.parse().ok()?, port))
}

fn matches(table: &Table, value: &Value, facts: &Facts) -> Result<bool, ()> {
    let Some(left) = facts.value(&value["left"])? else {
        return Ok(false);
    };
    let among = match value["right"]
        .as_str()
        .and_then(|set| set.strip_prefix('@'))
    {
        Some(set) => {
            let elements = table.sets.get(set).ok_or(())?;
            elements.iter().any(|element| is(&left, element))
        }
        None => is(&left, &value["right"]),
    };
    match value["op"].as_str() {
        Some("==" | "in") => Ok(among),
        Some("!=") => Ok(!among),
        _ => Err(()),
    }
}

/// Whether the value is what a rule says: itself, one of several, or in a range or network. A value that is a list is a set
/// of flags, of which one is enough.
fn is(left: &Value, right: &Value) -> bool {
    if let Some(flags) = left.as_array() {
        return flags.iter().any(|flag| is(flag, right));
    }
    let several = right.as_array().or_else(|| right["set"].as_array());
    if let Some(several) = several {
        return several.iter().any(|one| is(left, one));
    }
    if let (Some(left), Some(right)) = (left["concat"].as_array(), right["concat"].as_array()) {
        let mut pairs = left.iter().zip(right);
        return left.len() == right.len() && pairs.all(|(left, right)| is(left, right));
    }
    if let (Some(number), Some(first), Some(last)) = (
        left.as_u64(),
        right["range"][0].as_u64(),
        right["range"][1].as_u64(),
    ) {
        return (first..=last).contains(&number);
    }
    if right["prefix"].is_object() {
        return within(left, &right["prefix"]).unwrap_or(false);
    }
    left == right || (address(left).is_some() && address(left) == address(right))
}

fn address(value: &Value) -> Option<IpAddr> {
    value.as_str()?.parse().ok()
}

fn within(left: &Value, prefix: &Value) -> Option<bool> {
    let length = u32::try_from(prefix["len"].as_u64()?).ok()?;
    Some(match (address(left)?, address(&prefix["addr"])?) {
        (IpAddr::V4(one), IpAddr::V4(network)) => {
            let other = u32::from(one) ^ u32::from(network);
            other.checked_shr(32u32.checked_sub(length)?).unwrap_or(0) == 0
        }
        (IpAddr::V6(one), IpAddr::V6(network)) => {
            let other = u128::from(one) ^ u128::from(network);
            other.checked_shr(128u32.checked_sub(length)?).unwrap_or(0) == 0
        }
        _ => false,
    })
}
