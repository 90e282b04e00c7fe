//! Documents, registry, policy and templates to the desired state of one tenant.
