//! A host for tests: a directory, units in memory, and tenants that the real compiler made from documents.

use crate::atomic;
use crate::generations;
use crate::host::{Host, HostError, UnitState, Watch};
use crate::observe::health::{CheckResult, digest_of, write_result};
use crate::paths::HostRoot;
use crate::reconcile::{EffectiveRegistry, EffectiveTenant, TenantState};
use bitbuilder_core::allocate::{Allocations, allocate};
use bitbuilder_core::artefact::{Manifest, Provenance, UnitKind, manifest};
use bitbuilder_core::desired::{ResolvedImage, Template, Templates};
use bitbuilder_core::document::{read_system, read_tenant};
use bitbuilder_core::finding::Checked;
use bitbuilder_core::model::{Name, System, Tenant};
use bitbuilder_core::render::render;
use bitbuilder_core::resolve::{HostFacts, resolve};
use bitbuilder_core::tree::{Blob, Entry, Tree};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Mutex;

pub(super) const COMMIT: &str = "c0ffee0123456789c0ffee0123456789c0ffee01";
pub(super) const LAYER: &str = "fedcfedcfedcfedcfedcfedcfedcfedcfedcfedc";

const REGISTRY: &str = r#"{"tenants":[
  {"id":"shop","name":"Shop","repository":"https://git.example/shop.git",
   "limits":{"memory":"8G"},"allow":{"publish":["tcp/8000-8099"]}},
  {"id":"my-blog","repository":"https://git.example/blog.git"}]}"#;

const SHOP: [(&str, &str); 6] = [
    (
        "metadata.json",
        r#"{"tenant":{"id":"shop","type":"container"}}"#,
    ),
    (
        "network/topology.yaml",
        "networks:\n  default: { mode: isolated-bridge }\n",
    ),
    (
        "containers/web/config.yaml",
        "dependsOn: [db]\nhealth: { tcp: 80, interval: 5s }\nnetworks:\n  - network: default\n",
    ),
    ("containers/web/rootfs-overlay/etc/motd", "hello\n"),
    (
        "containers/db/config.yaml",
        "volumes:\n  - { name: data, mount: /data }\n",
    ),
    ("containers/spare/config.yaml", "autostart: false\n"),
];

const BLOG: [(&str, &str); 1] = [(
    "metadata.json",
    r#"{"tenant":{"id":"my-blog","type":"container"}}"#,
)];

pub(super) fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

/// A host whose units are what a test says.
pub(super) struct Fake {
    root: HostRoot,
    pub(super) units: Mutex<BTreeMap<String, UnitState>>,
    /// Questions to the manager.
    pub(super) asked: Mutex<Vec<Vec<String>>>,
}

impl Watch for Fake {}

impl Host for Fake {
    fn root(&self) -> &HostRoot {
        &self.root
    }

    fn now(&self) -> u64 {
        1_000_000
    }

    fn uptime(&self) -> u64 {
        1_000_000
    }

    fn start_later(&self, _unit: &str, _delays: &[u64]) -> Result<(), HostError> {
        unreachable!("observation changes nothing")
    }

    fn forget_later(&self, _unit: &str) -> Result<(), HostError> {
        unreachable!("observation changes nothing")
    }

    fn caller(&self) -> crate::host::Caller {
        unreachable!("observation asks for nobody")
    }

    fn random(&self) -> Result<[u8; 32], HostError> {
        unreachable!("observation needs no secrets")
    }

    fn encrypt(&self, _name: &str, _secret: &[u8]) -> Result<Option<Vec<u8>>, HostError> {
        unreachable!("observation needs no secrets")
    }

    fn facts(&self) -> Result<HostFacts, HostError> {
        crate::observe::facts_of(&self.root, 262)
    }

    fn daemon_reload(&self) -> Result<(), HostError> {
        unreachable!("observation changes nothing")
    }

    fn start(&self, _units: &[String]) -> Result<(), HostError> {
        unreachable!("observation changes nothing")
    }

    fn start_no_block(&self, _units: &[String]) -> Result<(), HostError> {
        unreachable!("observation changes nothing")
    }

    fn stop(&self, _units: &[String]) -> Result<(), HostError> {
        unreachable!("observation changes nothing")
    }

    fn set_properties(
        &self,
        _unit: &str,
        _properties: &[(String, String)],
    ) -> Result<(), HostError> {
        unreachable!("observation changes nothing")
    }

    fn units(&self, patterns: &[&str]) -> Result<BTreeMap<String, UnitState>, HostError> {
        let asked = patterns
            .iter()
            .map(|pattern| (*pattern).to_owned())
            .collect();
        self.asked.lock().unwrap().push(asked);
        let matches = |pattern: &str, unit: &str| match pattern.split_once('*') {
            Some((before, after)) => unit.starts_with(before) && unit.ends_with(after),
            None => pattern == unit,
        };
        let units = self.units.lock().unwrap();
        let known = units
            .iter()
            .filter(|(unit, _)| patterns.iter().any(|pattern| matches(pattern, unit)));
        Ok(known
            .map(|(unit, state)| (unit.clone(), state.clone()))
            .collect())
    }

    fn reload_network(&self, _wait_for: &[String]) -> Result<(), HostError> {
        unreachable!("observation changes nothing")
    }

    fn make_links(&self, _batch: &str) -> Result<(), HostError> {
        unreachable!("observation changes nothing")
    }

    fn delete_links(&self, _links: &[String]) -> Result<(), HostError> {
        unreachable!("observation changes nothing")
    }

    fn renew_leases(&self, _links: &[String]) -> Result<(), HostError> {
        unreachable!("observation changes nothing")
    }

    fn apply_ruleset(&self, _json: &[u8]) -> Result<(), HostError> {
        unreachable!("observation changes nothing")
    }

    fn decrypt(&self, _name: &str, _ciphertext: &[u8]) -> Result<Vec<u8>, HostError> {
        unreachable!("observation changes nothing")
    }

    fn chown(&self, _path: &Path, _owner: u32) -> Result<(), HostError> {
        unreachable!("observation changes nothing")
    }
}

/// The host with the tenants `shop` (web with a health check, db, spare without autostart) and `my-blog` (main).
pub(super) struct Scene {
    pub(super) host: Fake,
    pub(super) system: System,
    allocations: Allocations,
    _dir: tempfile::TempDir,
}

impl Scene {
    /// Both tenants deployed as generation 1 and running; web passed its check.
    pub(super) fn running() -> Self {
        let mut scene = Self::empty();
        for (id, files) in [("shop", &SHOP[..]), ("my-blog", &BLOG)] {
            let manifest = scene.deploy(id, files, 1);
            for unit in &manifest.units {
                if unit.kind != UnitKind::Workload || unit.autostart {
                    scene.set(&unit.name, "active", "running");
                }
            }
        }
        scene.check("i1", Some(true), 0, "");
        scene
    }

    /// Both tenants registered, nothing deployed.
    pub(super) fn empty() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let checked = read_system(&tree(&[("tenants/registry.json", REGISTRY)]));
        let scene = Self {
            host: Fake {
                root: HostRoot::new(dir.path()),
                units: Mutex::default(),
                asked: Mutex::default(),
            },
            system: value(checked),
            allocations: Allocations::default(),
            _dir: dir,
        };
        scene.register(|_| {});
        scene
    }

    pub(super) fn root(&self) -> &HostRoot {
        &self.host.root
    }

    /// Writes the effective registry after `change` of each of its entries.
    pub(super) fn register(&self, change: impl Fn(&mut EffectiveTenant)) {
        let tenants = self.system.tenants.iter().map(|registration| {
            let mut tenant = EffectiveTenant {
                id: registration.id.clone(),
                enabled: true,
                registration: registration.clone(),
            };
            change(&mut tenant);
            tenant
        });
        let registry = EffectiveRegistry {
            format: 1,
            system: "5".repeat(40),
            tenants: tenants.collect(),
        };
        atomic::write_json(&self.root().registry(), &registry).unwrap();
    }

    /// Compiles `files` and makes them the current generation `number`.
    pub(super) fn deploy(&mut self, id: &str, files: &[(&str, &str)], number: u64) -> Manifest {
        let id = name(id);
        let tree = tree(files);
        let tenant: Tenant = value(read_tenant(&tree, Some(&id)));
        let mut registrations = self.system.tenants.iter();
        let registration = registrations
            .find(|registration| registration.id == id)
            .unwrap();
        let facts = self.host.facts().unwrap();
        let policy = &self.system.policy;
        let desired = value(resolve(
            &tenant,
            &tree,
            registration,
            policy,
            &templates(),
            &facts,
        ));
        self.allocations = allocate(&self.allocations, &desired, &policy.pools).unwrap();
        let artefacts = render(&desired, &self.allocations.tenants[&id]).unwrap();
        let provenance = Provenance {
            tenant: id.clone(),
            number,
            parent: None,
            commit: COMMIT.to_owned(),
            reference: "main".to_owned(),
            repository: registration.repository.clone(),
            system: "5".repeat(40),
            signer: None,
            inputs: String::new(),
            created: 1,
        };
        let manifest = manifest(provenance, &artefacts);
        generations::write(self.root(), &manifest, &artefacts).unwrap();
        generations::switch(self.root(), &id, number).unwrap();
        atomic::write_json(&self.root().allocations(), &self.allocations).unwrap();
        manifest
    }

    /// Sets the state of a unit; its invocation is `i1`.
    pub(super) fn set(&self, unit: &str, active: &str, sub: &str) {
        let state = UnitState {
            load: "loaded".to_owned(),
            active: active.to_owned(),
            sub: sub.to_owned(),
            invocation: "i1".to_owned(),
            stopped: false,
        };
        self.host
            .units
            .lock()
            .unwrap()
            .insert(unit.to_owned(), state);
    }

    /// Forgets a unit, as the manager does when nothing refers to it.
    pub(super) fn unload(&self, unit: &str) {
        self.host.units.lock().unwrap().remove(unit);
    }

    /// Records a result for shop/web.
    pub(super) fn check(
        &self,
        invocation: &str,
        healthy: Option<bool>,
        failures: u64,
        message: &str,
    ) {
        let manifest = generations::read_current(self.root(), &name("shop")).unwrap();
        let check = digest_of(&manifest.unwrap(), &name("web")).unwrap();
        let result = CheckResult {
            format: 1,
            invocation: invocation.to_owned(),
            check,
            healthy,
            failures,
            since: 1,
            checked: 2,
            begun: None,
            message: message.to_owned(),
        };
        write_result(self.root(), &name("shop"), &name("web"), &result).unwrap();
    }

    /// Changes what the host remembers of shop.
    pub(super) fn remember(&self, change: impl FnOnce(&mut TenantState)) {
        let id = name("shop");
        let mut state = TenantState::read(self.root(), &id).unwrap();
        change(&mut state);
        state.write(self.root(), &id).unwrap();
    }
}

fn value<T>(checked: Checked<T>) -> T {
    checked
        .value
        .unwrap_or_else(|| panic!("{:#?}", checked.findings))
}

fn tree(files: &[(&str, &str)]) -> Tree {
    let mut tree = Tree::default();
    for (path, text) in files {
        let content = text.as_bytes();
        let blob = Blob {
            size: content.len() as u64,
            executable: false,
            oid: String::new(),
            content: Some(content.into()),
        };
        tree.entries.insert((*path).to_owned(), Entry::File(blob));
        let directories = Path::new(path).ancestors().skip(1);
        for directory in directories.filter(|directory| *directory != Path::new("")) {
            let directory = directory.to_str().unwrap().to_owned();
            tree.directories.insert(directory, LAYER.to_owned());
        }
    }
    tree
}

fn templates() -> Templates {
    let image = ResolvedImage {
        name: "tenant-container".to_owned(),
        digest: "ab".repeat(32),
        root: "/usr/lib/bitbuilder/templates/tenant-container/rootfs".to_owned(),
    };
    let template = Template {
        image,
        defaults: Default::default(),
        boot: None,
    };
    Templates::from([(name("tenant-container"), template)])
}

/// Names in a set, for comparisons.
pub(super) fn set<'a>(names: impl IntoIterator<Item = &'a str>) -> BTreeSet<String> {
    names.into_iter().map(str::to_owned).collect()
}
