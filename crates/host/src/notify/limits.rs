//! Tenants that use nearly all of what they may: memory and tasks, as the kernel counts them.

use super::{directory, receivers, tell};
use crate::atomic;
use crate::host::{Host, HostError};
use crate::paths::HostRoot;
use crate::reconcile::effective_registry;
use bitbuilder_core::model::Name;
use bitbuilder_core::notify::Kind;
use serde::{Deserialize, Serialize};
use serde_json::Map;
use std::collections::BTreeSet;
use std::fs;

/// Of a limit, in hundredths: from here on it is told, and below the second it is over.
const HIGH: u64 = 90;
const LOW: u64 = 80;

/// What is counted: its name, the file of what is used, and the file of the limit.
const COUNTED: [(&str, &str, &str); 2] = [
    ("memory", "memory.current", "memory.max"),
    ("tasks", "pids.current", "pids.max"),
];

/// `/var/lib/bitbuilder/notify/limits.json`: what was told and is not over.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Near {
    format: u64,
    /// `memory shop`.
    near: BTreeSet<String>,
}

/// Looks at every tenant, if anybody wants to know.
pub(crate) fn look(host: &dyn Host) -> Result<(), HostError> {
    let root = host.root();
    if !receivers(root)?.iter().any(|one| one.wants(Kind::Limit)) {
        return Ok(());
    }
    let path = directory(root).join("limits.json");
    let before: Near = atomic::read_json(&path)?.unwrap_or_default();
    let mut now = Near {
        format: atomic::FORMAT,
        near: BTreeSet::new(),
    };
    let tenants = effective_registry(root)?.map_or_else(Vec::new, |registry| registry.tenants);
    for tenant in &tenants {
        for counted in COUNTED {
            let key = format!("{} {}", counted.0, tenant.id);
            let was = before.near.contains(&key);
            let Some((used, limit)) = usage(root, &tenant.id, counted) else {
                continue;
            };
            let is = used * 100 > limit * if was { LOW } else { HIGH };
            if is {
                now.near.insert(key);
            }
            if is != was {
                let kind = if is { Kind::Limit } else { Kind::LimitOver };
                let reason = format!("{}: {used} of {limit}", counted.0);
                let details = Map::from_iter([("reason".to_owned(), reason.into())]);
                tell(root, host.now(), kind, Some(&tenant.id), details);
            }
        }
    }
    if now.near != before.near {
        atomic::write_json(&path, &now)?;
    }
    Ok(())
}

/// What the slice of a tenant uses, and its limit; nothing when there is no limit, or nothing runs.
fn usage(root: &HostRoot, id: &Name, (_, current, max): (&str, &str, &str)) -> Option<(u64, u64)> {
    // A name has no other character that units escape.
    let slice = format!("tenant-{}.slice", id.as_str().replace('-', "\\x2d"));
    let group = root.join("/sys/fs/cgroup/tenant.slice").join(slice);
    let number = |file: &str| {
        fs::read_to_string(group.join(file))
            .ok()?
            .trim()
            .parse()
            .ok()
    };
    Some((number(current)?, number(max)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notify::{configure, spool};
    use crate::reconcile::{EffectiveRegistry, EffectiveTenant};
    use crate::sim::SimHost;
    use bitbuilder_core::document::default_allow;
    use bitbuilder_core::finding::Origin;
    use bitbuilder_core::model::{Access, Limits, Registration};
    use bitbuilder_core::notify::{Receiver, Target};

    #[test]
    fn a_limit_is_told_when_it_is_near_and_when_that_is_over() {
        let directory = tempfile::tempdir().unwrap();
        let host = SimHost::open(directory.path()).unwrap();
        let root = host.root();
        let registry = EffectiveRegistry {
            format: atomic::FORMAT,
            system: "abc".into(),
            tenants: vec![EffectiveTenant {
                id: Name::new("my-shop").unwrap(),
                enabled: true,
                registration: Registration {
                    access: Access::default(),
                    webhook: None,
                    origin: Origin::file("tenants/registry.json"),
                    id: Name::new("my-shop").unwrap(),
                    name: String::new(),
                    repository: "file:///x".into(),
                    reference: "main".into(),
                    enabled: true,
                    limits: Limits::default(),
                    allow: default_allow(),
                    verify: None,
                    placement: Vec::new(),
                },
            }],
        };
        atomic::write_json(&root.registry(), &registry).unwrap();
        let group = root.join(r"/sys/fs/cgroup/tenant.slice/tenant-my\x2dshop.slice");
        fs::create_dir_all(&group).unwrap();
        fs::write(group.join("memory.max"), "1000\n").unwrap();
        fs::write(group.join("pids.max"), "max\n").unwrap();
        fs::write(group.join("pids.current"), "7\n").unwrap();
        let used = |bytes: u64| {
            fs::write(group.join("memory.current"), format!("{bytes}\n")).unwrap();
            look(&host).unwrap();
            let told = spool::take(root).unwrap();
            spool::done(root).unwrap();
            told.iter()
                .map(|notice| notice.message.clone())
                .collect::<Vec<_>>()
        };
        assert!(used(950).is_empty(), "nobody wants to know");
        let target = Target::Command {
            name: Name::new("pager").unwrap(),
        };
        let receiver = Receiver {
            target,
            events: vec![Kind::Limit, Kind::LimitOver],
        };
        configure(root, &[receiver]).unwrap();
        assert_eq!(used(900), [""; 0]);
        assert_eq!(used(901), ["my-shop: limit: memory: 901 of 1000"]);
        assert_eq!(used(950), [""; 0]);
        assert_eq!(used(801), [""; 0]);
        assert_eq!(used(800), ["my-shop: limit over: memory: 800 of 1000"]);
        assert_eq!(used(900), [""; 0]);
    }
}
