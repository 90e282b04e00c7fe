//! The index of all current generations that the generators read: [`bitbuilder_generators::index`].
//!
//! Whoever switches a link `current` removes it before, durably, so that there is none from then until [`index`] has written
//! it anew, whatever happens between; without one the generators read the generations themselves. Whoever writes it holds
//! the host's lock: nobody switches meanwhile.

use crate::atomic;
use crate::host::HostError;
use crate::paths::HostRoot;
use bitbuilder_generators::{Generator, index as format};
use std::fs;
use std::sync::{Mutex, PoisonError};

const GENERATORS: [Generator; 2] = [Generator::Tenant, Generator::Mount];

/// Writes what the generators shall read, unless it is there.
///
/// # Errors
/// When it cannot be written; then the generators read every generation, and nothing is lost but time at a reload.
pub fn index(root: &HostRoot) -> Result<(), HostError> {
    for generator in GENERATORS {
        if !format::counts(generator, root.path()) {
            let content = compose(generator, root)?;
            atomic::write(&root.join(format::path(generator)), &content, 0o644)?;
        }
    }
    Ok(())
}

/// Whether there is one that counts and is not as the current generations are: somebody has changed something by hand.
///
/// # Errors
/// When the registry or the index cannot be read.
pub fn index_is_stale(root: &HostRoot) -> Result<bool, HostError> {
    for generator in GENERATORS {
        let path = root.join(format::path(generator));
        if format::counts(generator, root.path())
            && fs::read(&path).map_err(HostError::file(&path))? != compose(generator, root)?
        {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Removes it. When this returns it does not come back with the next boot either.
pub(super) fn unindex(root: &HostRoot) -> Result<(), HostError> {
    // Tenants switch side by side: one removes the files, and the others wait until that is on the disk.
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let remove = |generator| atomic::remove(&root.join(format::path(generator))).map(drop);
    GENERATORS.into_iter().try_for_each(remove)
}

fn compose(generator: Generator, root: &HostRoot) -> Result<Vec<u8>, HostError> {
    format::compose(generator, root.path()).map_err(HostError::file(&root.registry()))
}
