//! Desired state and allocations to artefacts.
