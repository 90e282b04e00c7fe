//! Limits in force against those that the generation says.

use super::View;
use crate::host::HostError;
use bitbuilder_core::artefact::{Manifest, UnitKind};
use bitbuilder_core::drift::{Item, limits};
use std::fs;

/// Units whose limits are others than their files say.
pub(super) fn look(sight: &View<'_>, manifest: &Manifest) -> Result<Vec<Item>, HostError> {
    let concerned: Vec<&str> = manifest
        .units
        .iter()
        .filter(|unit| matches!(unit.kind, UnitKind::Slice | UnitKind::Workload))
        .map(|unit| unit.name.as_str())
        .filter(|unit| sight.is_up(unit))
        .collect();
    if concerned.is_empty() {
        return Ok(Vec::new());
    }
    let found = sight.host.properties(&concerned, &limits::PROPERTIES)?;
    let root = sight.host.root();
    let generation = root.generation(&manifest.tenant, manifest.number);
    let items = found.iter().filter_map(|(unit, properties)| {
        let path = match unit.ends_with(".slice") {
            true => format!("system/{unit}"),
            false => format!("system/{unit}.d/60-limits.conf"),
        };
        let text = fs::read_to_string(generation.join(path)).ok()?;
        limits::compare(unit, &text, properties)
    });
    Ok(items.collect())
}
