//! One hash over everything that the compiler reads: while it is equal, compiling would lead to equal artefacts.

use crate::allocate::{Partner, TenantAllocation};
use crate::desired::Templates;
use crate::digest::sha256_parts;
use crate::finding::Origin;
use crate::model::{Access, Policy, Registration};
use crate::resolve::HostFacts;

/// Version of the compiler. Whoever changes what equal input is compiled to raises it, so that hosts compile again.
pub const COMPILER: u32 = 5;

/// What the compiler reads of one tenant.
#[derive(Debug, Clone, Copy)]
pub struct Inputs<'a> {
    /// What identifies the documents that were read: Git object id of a commit or of its tree, hex. Which of them does
    /// not matter as long as it is always the same; with the commit, one that changes no document is compiled once more.
    pub revision: &'a str,
    /// The tenant's entry in the registry, with defaults.
    pub registration: &'a Registration,
    /// The system's configuration.
    pub policy: &'a Policy,
    /// What the host offers.
    pub facts: &'a HostFacts,
    /// Images that are on the host.
    pub templates: &'a Templates,
    /// [`crate::signature::KeyRing::digest`] of the keys that its commits are verified with; `None` when they are not.
    pub keys: Option<&'a str>,
    /// With whom it shares networks.
    pub partners: &'a [Partner],
    /// The numbers and names that the tenant has; `None` before it is given any.
    pub allocation: Option<&'a TenantAllocation>,
}

/// SHA-256 of `inputs` and [`COMPILER`], hex.
///
/// Compare it only with hashes that were made with the allocation that the compiler ended with: the first compilation of
/// a tenant makes its allocation.
pub fn inputs_hash(inputs: &Inputs<'_>) -> String {
    // A tenant that moves within the registry stays the same, and so does one that is reached in another way.
    let registration = Registration {
        origin: Origin::default(),
        access: Access::default(),
        webhook: None,
        ..inputs.registration.clone()
    };
    // Derived `Debug` cannot fail, says everything that the types hold, and keeps the order of sorted maps.
    let parts = [
        COMPILER.to_string(),
        inputs.revision.to_owned(),
        format!("{registration:?}"),
        format!("{:?}", inputs.policy),
        format!("{:?}", inputs.facts),
        format!("{:?}", inputs.templates),
        format!("{:?}", inputs.allocation),
        inputs.keys.unwrap_or_default().to_owned(),
        format!("{:?}", inputs.partners),
    ];
    sha256_parts(parts.iter().map(String::as_bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::*;
    use crate::sample::{at, name, pools};

    fn registration() -> Registration {
        Registration {
            origin: at("tenants/registry.json", 4),
            id: name("shop"),
            name: "Shop".into(),
            repository: "file:///srv/shop.git".into(),
            reference: "main".into(),
            enabled: true,
            limits: Limits::default(),
            allow: Allow {
                machines: false,
                containers: true,
                portable: false,
                users: false,
                hooks: false,
                publish: Vec::new(),
                networks: Vec::new(),
            },
            verify: None,
            placement: Vec::new(),
            access: Access::default(),
            webhook: None,
        }
    }

    fn policy() -> Policy {
        Policy {
            sync: Sync {
                interval: Millis(300_000),
                jitter: Millis(0),
                timeout: Millis(60_000),
            },
            verify: Verify::off(),
            verify_system: Verify::off(),
            pools: pools(),
            storage: Storage {
                quota: Quota::None,
                encrypt: false,
            },
            retention: Retention {
                generations: 10,
                removed_tenants: Millis(0),
            },
            notifications: Vec::new(),
            templates: Vec::new(),
            hook_timeout: Millis(60_000),
            health: HealthPolicy::default(),
            drift: Drift {
                policy: DriftPolicy::Report,
            },
            webhooks: None,
        }
    }

    #[test]
    fn every_part_counts_and_the_line_in_the_registry_does_not() {
        let (one, policy) = (registration(), policy());
        let (facts, templates) = (HostFacts::default(), Templates::default());
        let base = Inputs {
            revision: "aa",
            registration: &one,
            policy: &policy,
            facts: &facts,
            templates: &templates,
            keys: None,
            partners: &[],
            allocation: None,
        };
        let known = inputs_hash(&base);
        let other = |inputs: Inputs<'_>| assert_ne!(inputs_hash(&inputs), known);
        other(Inputs {
            revision: "ab",
            ..base
        });
        let mut changed = one.clone();
        changed.limits.cpu = Some(MilliCores(1));
        let registration = &changed;
        other(Inputs {
            registration,
            ..base
        });
        let mut changed = policy.clone();
        changed.pools.ipv4.1 = 13;
        let policy = &changed;
        other(Inputs { policy, ..base });
        let facts = &HostFacts {
            systemd: 262,
            ..HostFacts::default()
        };
        other(Inputs { facts, ..base });
        let partners = &[Partner {
            tenant: name("blog"),
            network: name("default"),
            links: ["br-blog".to_owned()].into(),
        }];
        other(Inputs { partners, ..base });
        let keys = Some("ring");
        other(Inputs { keys, ..base });
        let allocation = Some(&TenantAllocation {
            number: 1,
            uid_base: 65536,
            networks: Default::default(),
            machines: Default::default(),
            ports: Default::default(),
            peerings: Default::default(),
            released: None,
            kept: 0,
        });
        other(Inputs { allocation, ..base });

        let mut moved = one.clone();
        moved.origin.line += 1;
        let registration = &moved;
        assert_eq!(
            inputs_hash(&Inputs {
                registration,
                ..base
            }),
            known
        );
    }
}
