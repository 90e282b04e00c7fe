//! `/var/lib/bitbuilder/tenants.json`, the effective registry: of all that it says, two keys of each tenant.

use serde::Deserialize;
use std::borrow::Cow;

/// Where it is, relative to the root.
pub(crate) const PATH: &str = "var/lib/bitbuilder/tenants.json";

/// Largest registry that is read: a hundred thousand tenants take about that much.
pub(crate) const LIMIT: usize = 16 << 20;

/// The registry, as far as a generator reads it.
#[derive(Deserialize)]
pub(crate) struct Registry<'a> {
    /// The tenants, in the order of the file.
    #[serde(borrow)]
    pub(crate) tenants: Vec<Tenant<'a>>,
}

/// One tenant.
#[derive(Deserialize)]
pub(crate) struct Tenant<'a> {
    /// Its id, unchecked.
    #[serde(borrow)]
    pub(crate) id: Cow<'a, str>,
    /// Whether it starts; as in the operator's registry, it does when nothing is said.
    #[serde(default = "enabled")]
    pub(crate) enabled: bool,
}

fn enabled() -> bool {
    true
}

/// Reads a registry.
///
/// # Errors
/// When it is damaged: then no tenant is known.
pub(crate) fn parse(text: &[u8]) -> Result<Registry<'_>, serde_json::Error> {
    serde_json::from_slice(text)
}
