use super::*;
use crate::model::{NetworkMode, TenantKind};
use crate::tree::{Blob, Entry, Tree};
use std::sync::Arc;

/// A tree of regular files.
pub(crate) fn tree(files: &[(&str, &str)]) -> Tree {
    let mut tree = Tree::default();
    for (path, text) in files {
        tree.entries
            .insert((*path).to_owned(), file(text.as_bytes()));
    }
    tree
}

pub(crate) fn file(content: &[u8]) -> Entry {
    Entry::File(Blob {
        size: content.len() as u64,
        executable: false,
        oid: String::new(),
        content: Some(Arc::from(content)),
    })
}

/// The quick start's example, as the README has it.
const QUICK_START: &str = r#"{
  "tenant": {
    "id": "tenant-001",
    "name": "Example Tenant",
    "type": "vm",
    "enabled": true
  },
  "resources": {
    "cpu": 2,
    "memory": "4G",
    "storage": "50G"
  },
  "network": {
    "mode": "isolated-bridge",
    "interfaces": [
      {
        "name": "eth0",
        "type": "bridge",
        "bridge": "br-tenant001"
      }
    ]
  },
  "extensions": [],
  "services": [],
  "security": {
    "isolation": "namespace"
  }
}
"#;

#[test]
fn the_quick_start_is_accepted_as_it_stands() {
    let id = Name::new("tenant-001").unwrap();
    let checked = read_tenant(&tree(&[("metadata.json", QUICK_START)]), Some(&id));
    assert_eq!(checked.findings, []);
    let metadata = checked.value.unwrap().metadata;
    assert_eq!(metadata.id, id);
    assert_eq!(metadata.kind, TenantKind::Vm);
    assert_eq!(metadata.resources.memory.unwrap().0, 4 << 30);
    assert_eq!(
        metadata.interfaces[0].bridge.as_deref(),
        Some("br-tenant001")
    );
    assert_eq!(
        (metadata.kind_origin.line, metadata.kind_origin.column),
        (5, 13)
    );
}

#[test]
fn what_is_not_written_has_safe_defaults() {
    let registry = r#"{"tenants":[{"id":"shop","repository":"https://git.example/shop.git"}]}"#;
    let checked = read_system(&tree(&[("tenants/registry.json", registry)]));
    assert_eq!(checked.findings, []);
    let system = checked.value.unwrap();
    assert_eq!(system.policy, default_policy());
    let shop = &system.tenants[0];
    assert_eq!(
        (shop.reference.as_str(), shop.enabled, shop.name.as_str()),
        ("main", true, "shop")
    );
    assert!(shop.allow.containers && shop.allow.machines && !shop.allow.hooks && !shop.allow.users);
    assert!(!shop.allow.networks.contains(&NetworkMode::Vlan));
}
