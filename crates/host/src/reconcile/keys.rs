//! Keys of WireGuard networks.

use super::ground::Ground;
use super::operate::operator;
use super::{PassError, accepted_system, lock};
use crate::apply;
use crate::audit::{self, Command, Event};
use crate::generations;
use crate::host::Host;
use crate::network as links;
use crate::wireguard;
use bitbuilder_core::model::Name;

/// What a rotation did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotated {
    /// The public key that peers had.
    pub before: String,
    /// The one that they need.
    pub after: String,
}

/// Gives the WireGuard network `network` of `id` another key, at once. Its peers reach it again when they know the new
/// public key.
///
/// # Errors
/// When there is no such tenant or network, its network is not set up, or the host cannot be changed.
pub fn rotate_key(host: &dyn Host, id: &Name, network: &Name) -> Result<Rotated, PassError> {
    let _lock = lock::take(host.root(), || {})?;
    let command = Command::new("network-rotate-key", Some(id)).with("network", network.as_str());
    audit::act(host, &operator(host), Some(command), || {
        rotate(host, id, network)
    })
}

fn rotate(host: &dyn Host, id: &Name, network: &Name) -> Result<Rotated, PassError> {
    let root = host.root();
    Ground::find(&accepted_system(host)?, id)?;
    apply::recover(host, id)?;
    let fail = |reason: String| PassError::Generation {
        tenant: id.clone(),
        reason,
    };
    if generations::current(root, id)?.is_none() {
        return Err(fail("it has no generation yet".to_owned()));
    }
    let before = wireguard::read(root, id, network.as_str())?;
    let placed = links::public_keys(root, id)?;
    let Some(before) = before.filter(|key| placed.values().any(|other| other == key)) else {
        return Err(fail(format!(
            "no network `{network}` of mode wireguard is set up: `bbctl status {id}` lists those that are"
        )));
    };
    let event = Event::new(Some(id), "key-rotated")
        .with("network", network.as_str())
        .with("before", before.as_str());
    audit::ahead(host, vec![event.clone()])?;
    let after = wireguard::make(host, id, network.as_str())?;
    links::load(host, id)?;
    audit::note(root, event.with("after", after.as_str()));
    Ok(Rotated { before, after })
}
