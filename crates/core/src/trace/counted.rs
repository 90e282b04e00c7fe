//! What the kernel counted at each rule.

use crate::model::Name;
use crate::nftables;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A rule and what met it since the rules were last changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    /// Family of the table.
    pub family: String,
    /// The chain, as the tenant knows it.
    pub chain: String,
    /// The rule's comment: file and line of one that a person wrote, the reason of one that is built in.
    pub rule: String,
    /// `accept`, `drop`, `reject` or `dnat`.
    pub action: String,
    /// Packets.
    pub packets: u64,
    /// Bytes.
    pub bytes: u64,
}

/// The rules of `tenant` that count, in their order, out of a listing (`nft -j list ruleset`). Rules of one chain, comment
/// and action are one: a rule that a person wrote is several for the kernel, one for each way in which it fits.
///
/// # Errors
/// When the listing is no JSON.
pub fn counted(listing: &[u8], tenant: &Name) -> serde_json::Result<Vec<Counted>> {
    let listing: Value = serde_json::from_slice(listing)?;
    let mut found: Vec<Counted> = Vec::new();
    let objects = listing["nftables"].as_array();
    for rule in objects.into_iter().flatten().map(|object| &object["rule"]) {
        let chain = rule["chain"].as_str().and_then(nftables::owner);
        let Some((_, chain)) = chain.filter(|(owner, _)| *owner == tenant.as_str()) else {
            continue;
        };
        let Some(one) = one(rule, chain) else {
            continue;
        };
        let same = |other: &&mut Counted| {
            (&other.family, &other.chain, &other.rule, &other.action)
                == (&one.family, &one.chain, &one.rule, &one.action)
        };
        match found.iter_mut().find(same) {
            Some(known) => {
                known.packets += one.packets;
                known.bytes += one.bytes;
            }
            None => found.push(one),
        }
    }
    Ok(found)
}

fn one(rule: &Value, chain: &str) -> Option<Counted> {
    let text = |key: &str| rule[key].as_str().map(str::to_owned);
    let expressions = rule["expr"].as_array()?;
    let counter = expressions.iter().find_map(|one| one.get("counter"))?;
    let action = expressions.last()?.as_object()?.keys().next()?;
    Some(Counted {
        family: text("family")?,
        chain: chain.to_owned(),
        rule: text("comment").unwrap_or_default(),
        action: action.clone(),
        packets: counter["packets"].as_u64().unwrap_or_default(),
        bytes: counter["bytes"].as_u64().unwrap_or_default(),
    })
}
