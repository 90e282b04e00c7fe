//! The packet rules of a host, for nft(8) in its JSON form, libnftables-json(5).
//!
//! All tenants share two tables, `inet` for what is routed or for the host and `bridge` for what passes between machines:
//! the kernel calls at most 1,024 chains at a place, and each of them sees every packet of the host, so that a table for
//! each tenant would make all slower with every one. In a shared table the chains that the kernel calls look up in a map
//! whose packet it is, by its link, and go to that tenant's chain: what a packet costs does not depend on how many tenants
//! there are. Everything of a tenant is named `<tenant>/…`, is made by a transaction of its own ([`transaction`]), and goes
//! with one ([`removal`]).

pub(crate) mod json;
mod objects;
mod shared;

pub use objects::{Object, end, made, releases, removal, transaction};
pub(crate) use shared::shared;

use crate::model::Name;

/// The name of both tables.
pub(crate) const TABLE: &str = "bitbuilder";

/// What a rule of chain `to` says about packets on which `from` has decided.
pub(crate) const DECIDED: &str = "decided where it comes from";

/// The name of a tenant's chain or set in the shared table.
pub(crate) fn own(tenant: &Name, name: &str) -> String {
    format!("{tenant}/{name}")
}

/// Whose a chain or set is: its tenant, and the name that it has there. What is shared is nobody's.
pub fn owner(name: &str) -> Option<(&str, &str)> {
    name.split_once('/')
}
