//! Rendered transactions (libnftables-json(5)) as tables with chains and sets.

use super::TraceError;
use super::far::Tunnel;
use crate::model::Name;
use crate::nftables;
use serde_json::Value;
use std::collections::BTreeMap;

/// The tables that tenants share, with the parts of some.
#[derive(Debug)]
pub struct Rules {
    pub(super) tables: Vec<Table>,
    pub(super) tunnels: Vec<Tunnel>,
}

impl Default for Rules {
    fn default() -> Self {
        let mut rules = Self {
            tables: Vec::new(),
            tunnels: Vec::new(),
        };
        for command in nftables::shared() {
            // Of what is not added nothing is there yet.
            command.get("add").and_then(|added| rules.one(added));
        }
        rules
    }
}

/// A table.
#[derive(Debug, Default)]
pub(super) struct Table {
    pub(super) family: String,
    pub(super) name: String,
    pub(super) sets: BTreeMap<String, Vec<Value>>,
    pub(super) chains: BTreeMap<String, Chain>,
}

/// A chain.
#[derive(Debug, Default)]
pub(super) struct Chain {
    /// Where the kernel calls it; `None` when others jump to it.
    pub(super) hook: Option<Hook>,
    pub(super) rules: Vec<Rule>,
}

/// Where the kernel calls a chain.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Hook {
    pub(super) name: String,
    pub(super) priority: i64,
}

/// A rule.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) comment: String,
    pub(super) expressions: Vec<Value>,
}

impl Rules {
    /// Adds what the transaction of `tenant` makes.
    ///
    /// # Errors
    /// When it is none.
    pub fn add(&mut self, tenant: &Name, transaction: &[u8]) -> Result<(), TraceError> {
        let damaged = || TraceError::Damaged(tenant.clone());
        let value: Value = serde_json::from_slice(transaction).map_err(|_| damaged())?;
        let commands = value["nftables"].as_array().ok_or_else(damaged)?;
        for command in commands {
            if let Some(added) = command.get("add") {
                self.one(added).ok_or_else(damaged)?;
            }
        }
        Ok(())
    }

    /// Adds a tunnel of `tenant`, as its file for networkd makes it: who is behind which peer.
    ///
    /// # Errors
    /// When it is none.
    pub fn add_tunnel(&mut self, tenant: &Name, netdev: &[u8]) -> Result<(), TraceError> {
        let netdev = String::from_utf8_lossy(netdev);
        self.tunnels.push(Tunnel::read(tenant, &netdev)?);
        Ok(())
    }

    fn one(&mut self, added: &Value) -> Option<()> {
        let (kind, body) = added.as_object()?.iter().next()?;
        let text = |key: &str| body[key].as_str().map(str::to_owned);
        let family = text("family")?;
        let name = text(if kind == "table" { "name" } else { "table" })?;
        let known = |table: &Table| table.family == family && table.name == name;
        let at = self.tables.iter().position(known).unwrap_or_else(|| {
            self.tables.push(Table {
                family: family.clone(),
                name: name.clone(),
                ..Table::default()
            });
            self.tables.len() - 1
        });
        let table = &mut self.tables[at];
        match kind.as_str() {
            "set" | "map" => {
                let elements = body["elem"].as_array().cloned().unwrap_or_default();
                table.sets.insert(text("name")?, elements);
            }
            "element" => {
                let elements = body["elem"].as_array()?.iter().cloned();
                table
                    .sets
                    .entry(text("name")?)
                    .or_default()
                    .extend(elements);
            }
            "chain" => {
                let hook = text("hook").map(|name| Hook {
                    name,
                    priority: body["prio"].as_i64().unwrap_or_default(),
                });
                table.chains.entry(text("name")?).or_default().hook = hook;
            }
            "rule" => {
                let rule = Rule {
                    comment: text("comment").unwrap_or_default(),
                    expressions: body["expr"].as_array()?.clone(),
                };
                table.chains.get_mut(&text("chain")?)?.rules.push(rule);
            }
            _ => {}
        }
        Some(())
    }

    /// Chains that the kernel calls at `hook` of `family`, in its order.
    pub(super) fn at(&self, family: &str, hook: &str) -> Vec<(&Table, &str)> {
        let mut found: Vec<(i64, &Table, &str)> = self
            .tables
            .iter()
            .filter(|table| table.family == family)
            .flat_map(|table| {
                let chains = table.chains.iter();
                chains.filter_map(move |(name, chain)| {
                    let at = chain.hook.as_ref().filter(|at| at.name == hook)?;
                    Some((at.priority, table, name.as_str()))
                })
            })
            .collect();
        found.sort_by_key(|(priority, ..)| *priority);
        let found = found.into_iter();
        found.map(|(_, table, chain)| (table, chain)).collect()
    }

    /// Whether `link` is the host's end of a workload's: a port of a bridge, or alone.
    pub fn knows_port(&self, link: &str) -> bool {
        ["bridge", "inet"]
            .iter()
            .any(|family| self.leads(family, "antispoof", link))
    }

    /// Whether `link` is the uplink of a bridge.
    pub(super) fn knows_uplink(&self, link: &str) -> bool {
        self.leads("bridge", "uplink", link)
    }

    /// Whether `link` is one of a tenant's networks.
    pub fn knows_link(&self, link: &str) -> bool {
        self.leads("inet", "from", link)
    }

    /// Whether what comes from `link` may go outside.
    pub fn knows_nat(&self, link: &str) -> bool {
        self.leads("inet", "srcnat", link)
    }

    /// Whether a map of verdicts of `family` sends packets of `link` to somebody's chain.
    fn leads(&self, family: &str, map: &str, link: &str) -> bool {
        self.tables
            .iter()
            .filter(|table| table.family == family)
            .filter_map(|table| table.sets.get(map))
            .any(|pairs| pairs.iter().any(|pair| pair[0] == link))
    }
}
