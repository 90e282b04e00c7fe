//! What the units of a tenant do.

use super::{Subject, View};
use crate::host::HostError;
use bitbuilder_core::artefact::{Manifest, UnitKind};
use bitbuilder_core::drift::{self, Activity, Item, Units};

/// The unit that sets up the network.
pub(super) fn network(manifest: &Manifest) -> String {
    format!("tenant-network@{}.service", manifest.tenant)
}

/// Units that are not as they shall be; those that have a job are on their way.
pub(super) fn look(sight: &View<'_>, subject: &Subject<'_>) -> Result<Vec<Item>, HostError> {
    let activity = |unit: &str| activity(sight, unit);
    let units = Units {
        manifest: subject.manifest,
        activity: &activity,
        finished: subject.finished,
    };
    let mut items = drift::units(&units);
    if !items.is_empty() {
        let queued = sight.queued()?;
        let tenants = subject.manifest.units.iter();
        // Everything of a tenant that starts is on its way.
        let starts = tenants
            .filter(|unit| unit.kind == UnitKind::Tenant)
            .any(|unit| queued.contains(&unit.name));
        items.retain(|item| !starts && !queued.contains(&item.subject));
    }
    Ok(items)
}

fn activity(sight: &View<'_>, unit: &str) -> Activity {
    let state = sight.presence.units.get(unit);
    match state.map_or("inactive", |state| state.active.as_str()) {
        "active" | "reloading" | "refreshing" => Activity::Up,
        "failed" => Activity::Failed,
        "inactive" => Activity::Down,
        _ => Activity::Moving,
    }
}
