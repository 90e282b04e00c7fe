//! What `tenant-network@` runs.

use crate::failure::{Failure, Result};
use crate::tenant::no_generation;
use bitbuilder_core::model::Name;
use bitbuilder_host::generations;
use bitbuilder_host::host::{Host, HostError};
use bitbuilder_host::network;

/// Puts bridges and packet rules of the current generation of `id` in place.
///
/// # Errors
/// When there is no current generation, or networkd or nft refuses.
pub fn set_up(host: &dyn Host, id: &Name) -> Result {
    if generations::current(host.root(), id)?.is_none() {
        return Err(no_generation(id, "so there is no network to set up"));
    }
    network::load(host, id).map_err(|error| failure(id, "set up", error))
}

/// Takes away what [`set_up`] put in place.
///
/// # Errors
/// When networkd or nft refuses.
pub fn tear_down(host: &dyn Host, id: &Name) -> Result {
    network::unload(host, id).map_err(|error| failure(id, "taken down", error))
}

fn failure(id: &Name, what: &str, error: HostError) -> Failure {
    let error = anyhow::Error::new(error)
        .context(format!("the network of tenant {id} could not be {what}"));
    Failure::new(error).next(format!("systemctl status tenant-network@{id}.service"))
}
