//! Layers come from the mirrors of the tenants' repositories.

use crate::apply::LayerSource;
use crate::host::HostError;
use crate::paths::HostRoot;
use crate::source::{SourceError, TreeLimits, export_layer, open};
use bitbuilder_core::desired::Layer;
use bitbuilder_core::model::Name;
use std::path::Path;

/// The mirrors of a host.
pub(super) struct Mirrors<'a>(pub(super) &'a HostRoot);

impl LayerSource for Mirrors<'_> {
    fn export_layer(&self, tenant: &Name, layer: &Layer, into: &Path) -> Result<(), HostError> {
        let failed = |error: SourceError| match error {
            SourceError::Host(error) => error,
            other => HostError::damaged(into, format!("{}: {other}", layer.path)),
        };
        let repository = open(&self.0.mirror(tenant)).map_err(failed)?;
        // The step that asked sets owners itself.
        let owner = |_: &Path| Ok(());
        let limits = TreeLimits::default();
        export_layer(&repository, &layer.key, into, &limits, &owner).map_err(failed)?;
        Ok(())
    }
}
