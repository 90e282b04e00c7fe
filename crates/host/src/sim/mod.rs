//! A whole host in a directory: a real second implementation of [`Host`], for tests and for people (`bbctl --sim DIR`).
//!
//! Everything below the directory is what would be below `/` of a real host. What a real host keeps in its kernel and in
//! its manager is in `DIR/sim.jsonl`, so that several processes, one after the other or at once, see one machine:
//!
//! - `daemon_reload` runs the generators. The manager knows the unit files and drop-ins of current generations as they
//!   were linked at the last reload. Starts pull in what is wanted and required in order, stops take along what
//!   requires or is part of a unit. A unit whose files are gone runs on until it is stopped.
//! - Units start for real as far as files go: mounts need their directories, containers their root, links, credentials
//!   and bridges; `tenant-network@` puts the network of the generation in place. `setup-tenant@` fails for an id that is
//!   not in the effective registry.
//! - Links and packet rules are kept, owners of files recorded and not set: root is not needed. Somebody else
//!   may change things: units with masks and drop-ins in `DIR/etc/systemd/system`, files, links, `DIR/nft/FAMILY-NAME`.
//! - The ciphertext of a credential is its base64, under any name.
//! - A workload with a health check is healthy at once. `BITBUILDER_SIM_UNHEALTHY=1` in its environment makes its check
//!   fail, `BITBUILDER_SIM_FAIL_START=1` its start.
//! - The clock shows one second more at each reading; a file `DIR/clock` with a number holds it still. The time since
//!   the start is the same, unless there is a file `DIR/uptime` with milliseconds. Invocation ids
//!   are made of the unit's name and the number of its starts. Equal calls give equal results.
//! - Root is who calls, nothing is sealed, and what is random on a real host is a count here.
//! - It is systemd 262 with the usual controllers; machine tags are read from `DIR/etc/machine-info`.
//!
//! Not simulated: time that passes (`OnUnitActiveSec=`, restarts), cycles and conflicts of jobs, packets.

mod catalog;
mod faults;
mod jobs;
mod network;
mod recorded;
mod run;
mod shipped;
mod state;
#[cfg(test)]
mod tests;
mod unit;
mod watch;

pub use faults::{Call, Faults};
pub use state::Part;

use crate::disk;
use crate::host::{Caller, Host, HostError, UnitState};
use crate::observe;
use crate::paths::HostRoot;
use crate::systemd::shared;
use base64ct::{Base64, Encoding};
use bitbuilder_core::digest::sha256;
use bitbuilder_core::model::Name;
use bitbuilder_core::resolve::HostFacts;
use catalog::{Catalog, Registered};
use faults::Gate;
use network::FilesRead;
use state::{State, Store};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::ops::Bound::{Included, Unbounded};
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// A simulated host.
pub struct SimHost {
    root: HostRoot,
    store: Store,
    catalog: Mutex<Arc<Catalog>>,
    registered: Registered,
    network: Mutex<FilesRead>,
    gate: Gate,
}

impl SimHost {
    /// The host in `directory`; one that is not there is made: our units, a template, and nothing running.
    ///
    /// # Errors
    /// When a file cannot be written, or `sim.jsonl` is damaged.
    pub fn open(directory: impl Into<PathBuf>) -> Result<Self, HostError> {
        let directory = directory.into();
        let directory = std::path::absolute(&directory).map_err(HostError::file(&directory))?;
        let root = HostRoot::new(&directory);
        let host = Self {
            store: Store::new(&directory),
            root,
            catalog: Mutex::default(),
            registered: Registered::default(),
            network: Mutex::default(),
            gate: Gate::default(),
        };
        elsewhere(|| shipped::install(&host.root))?;
        host.store.read(|_| ())?;
        Ok(host)
    }

    /// The same host, on which `faults` happen. Calls are counted from here.
    #[must_use]
    pub fn with_faults(self, faults: Faults) -> Self {
        Self {
            gate: Gate::new(faults),
            ..self
        }
    }

    /// The calls so far of this value, each with what it was about: units, links, or a path.
    pub fn calls(&self) -> Vec<(Call, String)> {
        self.gate.calls()
    }

    /// Links that networkd made.
    ///
    /// # Errors
    /// When the machine's state cannot be read.
    pub fn links(&self) -> Result<BTreeSet<String>, HostError> {
        self.store
            .read(|state| state.links.keys().cloned().collect())
    }

    /// What tenants have in the tables of packet rules, by `family tenant`; what they share is nobody's.
    ///
    /// # Errors
    /// When the machine's state cannot be read.
    pub fn rules(&self) -> Result<BTreeMap<String, Part>, HostError> {
        self.store.read(network::rules)
    }

    /// What was asked for with [`Host::start_later`]: times of [`Host::uptime`], by unit. Nothing of it happens.
    ///
    /// # Errors
    /// When the machine's state cannot be read.
    pub fn timers(&self) -> Result<BTreeMap<String, Vec<u64>>, HostError> {
        self.store.read(|state| (*state.timers).clone())
    }

    /// The owner that a file was given with [`Host::chown`], by the name that it had then.
    ///
    /// # Errors
    /// When the machine's state cannot be read.
    pub fn owner(&self, path: &Path) -> Result<Option<u32>, HostError> {
        let path = self.below_root(path);
        self.store.read(|state| state.owners.get(&path).copied())
    }

    /// Turns the machine off and on: `/run`, links, rules and units are gone; the generators run, and what is wanted by
    /// `multi-user.target` starts. A unit that does not start keeps no other from starting.
    ///
    /// # Errors
    /// When a file operation fails.
    pub fn reboot(&self) -> Result<(), HostError> {
        disk::remove_tree(&self.root.join("/run"))?;
        disk::remove_tree(&network::listing(&self.root))?;
        self.store.change(|state| {
            state.units.clear();
            state.timers.clear();
            state.links.clear();
            state.ports.clear();
            state.parts.clear();
            state.keys.clear();
            reload(&self.root, state)
        })?;
        // A failed unit is in the state of the machine.
        elsewhere(|| self.start_units(&["multi-user.target".to_owned()])).map(drop)
    }

    fn below_root(&self, path: &Path) -> String {
        let path = path.strip_prefix(self.root.path()).unwrap_or(path);
        path.to_string_lossy().into_owned()
    }

    /// What the manager knows since the last reload.
    fn catalog(&self) -> Result<Arc<Catalog>, HostError> {
        let (reload, generations) = self
            .store
            .read(|state| (state.reloads, state.generations.deref().clone()))?;
        let mut catalog = self.catalog.lock().unwrap_or_else(PoisonError::into_inner);
        if catalog.reload != reload {
            *catalog = Arc::new(Catalog::new(&self.root, reload, &generations));
        }
        Ok(Arc::clone(&catalog))
    }

    fn is_active(&self, unit: &str) -> Result<bool, HostError> {
        self.store
            .read(|state| state.units.get(unit).is_some_and(UnitState::is_active))
    }

    /// Starts units and what they pull in; the failures, by unit.
    fn start_units(&self, units: &[String]) -> Result<BTreeMap<String, String>, HostError> {
        let catalog = self.catalog()?;
        let mut failed = BTreeMap::new();
        let concerned = match jobs::to_start(&catalog, &self.root, units) {
            Ok(concerned) => concerned,
            Err(unknown) => {
                failed.insert(unknown.clone(), format!("Unit {unknown} not found."));
                failed.extend(
                    units
                        .iter()
                        .map(|unit| (unit.clone(), format!("Unit {unknown} not found."))),
                );
                return Ok(failed);
            }
        };
        for name in jobs::order(&concerned) {
            let unit = &concerned[&name];
            if self.is_active(&name)? {
                continue;
            }
            if unit.masked {
                failed.insert(name.clone(), format!("Unit {name} is masked."));
                continue;
            }
            if let Some(missing) = unit
                .requires()
                .iter()
                .find(|other| failed.contains_key(*other))
            {
                failed.insert(name, format!("Dependency {missing} failed."));
                continue;
            }
            let result = run::start(self, &name, unit);
            let state = after_start(&name, unit, result.is_ok());
            self.store.change(|machine| {
                machine.started(&name, state);
                Ok(())
            })?;
            match result {
                Ok(()) => run::check(self, &name)?,
                Err(failure) => drop(failed.insert(name, failure)),
            }
        }
        Ok(failed)
    }

    fn stop_units(&self, units: &[String]) -> Result<(), HostError> {
        let catalog = self.catalog()?;
        let up = self.store.read(|state| state.units.deref().clone())?;
        let concerned = jobs::to_stop(&catalog, &self.root, units, &up);
        for name in jobs::order(&concerned).iter().rev() {
            if up.get(name).is_some_and(UnitState::is_active) {
                run::stop(self, &concerned[name]);
            }
            self.store.change(|machine| {
                // One that failed stays failed.
                if machine
                    .units
                    .get(name)
                    .is_some_and(|unit| unit.active != "failed")
                {
                    machine.units.remove(name);
                }
                Ok(())
            })?;
        }
        Ok(())
    }
}

impl State {
    /// Notes a start, and gives it an invocation id.
    fn started(&mut self, name: &str, state: UnitState) {
        let count = self.starts.get(name).map_or(1, |count| count + 1);
        self.starts.insert(name, count);
        let mut invocation = sha256(format!("{name} {count}").as_bytes());
        invocation.truncate(32);
        if state.active == "inactive" {
            self.units.remove(name);
        } else {
            self.units.insert(
                name,
                UnitState {
                    invocation,
                    ..state
                },
            );
        }
    }
}

/// State of a unit that was started.
fn after_start(name: &str, unit: &unit::Unit, started: bool) -> UnitState {
    let get = |key| unit.get("Service", key).unwrap_or_default();
    let restarts = ["always", "on-failure"].contains(&get("Restart"));
    let (active, sub) = match (name.rsplit_once('.').map_or("", |(_, kind)| kind), started) {
        ("service", false) if restarts => ("activating", "auto-restart"),
        (_, false) => ("failed", "failed"),
        ("service", true) if get("Type") == "oneshot" => match get("RemainAfterExit") {
            "yes" => ("active", "exited"),
            _ => ("inactive", "dead"),
        },
        ("service", true) => ("active", "running"),
        ("mount", true) => ("active", "mounted"),
        ("timer", true) => ("active", "waiting"),
        (_, true) => ("active", "active"),
    };
    UnitState {
        load: "loaded".to_owned(),
        active: active.to_owned(),
        sub: sub.to_owned(),
        invocation: String::new(),
        stopped: false,
    }
}

/// The generators run, and the manager reads what they found.
fn reload(root: &HostRoot, state: &mut State) -> Result<(), HostError> {
    state.generations.replace(catalog::generate(root)?);
    state.reloads += 1;
    Ok(())
}

/// What the manager does goes on when the one who asked for it is killed.
fn elsewhere<T>(body: impl FnOnce() -> T) -> T {
    #[cfg(test)]
    return disk::crash::elsewhere(body);
    #[cfg(not(test))]
    body()
}

impl Host for SimHost {
    fn name(&self) -> String {
        "sim".to_owned()
    }

    fn root(&self) -> &HostRoot {
        &self.root
    }

    fn now(&self) -> u64 {
        let held = fs::read_to_string(self.root.join("/clock"));
        if let Some(held) = held.ok().and_then(|text| text.trim().parse().ok()) {
            return held;
        }
        let tick = |state: &mut State| {
            state.clock += 1;
            Ok(state.clock)
        };
        // A clock cannot fail; a machine whose state cannot be written fails at the next call.
        elsewhere(|| self.store.change(tick)).unwrap_or_default()
    }

    fn uptime(&self) -> u64 {
        let held = fs::read_to_string(self.root.join("/uptime"));
        let held = held.ok().and_then(|text| text.trim().parse().ok());
        let clock = || {
            fs::read_to_string(self.root.join("/clock"))
                .ok()?
                .trim()
                .parse()
                .ok()
        };
        let ticks = || self.store.read(|state| state.clock).unwrap_or_default();
        held.unwrap_or_else(|| 1000 * clock().unwrap_or_else(ticks))
    }

    fn start_later(&self, unit: &str, delays: &[u64]) -> Result<(), HostError> {
        self.gate.enter(Call::StartLater, unit)?;
        disk::point();
        let now = self.uptime();
        self.store.change(|state| {
            let times = delays.iter().map(|delay| now + delay);
            state.timers.insert(unit, times.collect());
            Ok(())
        })
    }

    fn forget_later(&self, unit: &str) -> Result<(), HostError> {
        self.gate.enter(Call::StartLater, unit)?;
        disk::point();
        self.store.change(|state| {
            state.timers.remove(unit);
            Ok(())
        })
    }

    fn caller(&self) -> Caller {
        Caller {
            uid: 0,
            login: None,
        }
    }

    fn random(&self) -> Result<[u8; 32], HostError> {
        let count = self.store.change(|state| {
            state.random += 1;
            Ok(state.random)
        })?;
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&count.to_le_bytes());
        Ok(bytes)
    }

    fn encrypt(&self, _name: &str, _secret: &[u8]) -> Result<Option<Vec<u8>>, HostError> {
        Ok(None)
    }

    fn facts(&self) -> Result<HostFacts, HostError> {
        observe::facts_of(&self.root, shipped::SYSTEMD)
    }

    fn daemon_reload(&self) -> Result<(), HostError> {
        self.gate.enter(Call::DaemonReload, "")?;
        disk::point();
        elsewhere(|| {
            let before = self.store.read(|state| (*state.generations).clone())?;
            self.store.change(|state| reload(&self.root, state))?;
            run::check_again(self, &before)
        })?;
        disk::point();
        Ok(())
    }

    fn start(&self, units: &[String]) -> Result<(), HostError> {
        self.gate.enter(Call::Start, &units.join(" "))?;
        disk::point();
        let failed = elsewhere(|| self.start_units(units))?;
        disk::point();
        if units.iter().any(|unit| failed.contains_key(unit)) {
            let said = failed.iter().map(|(unit, why)| format!("{unit}: {why}"));
            return Err(HostError::Tool {
                command: format!("systemctl start -- {}", units.join(" ")),
                message: said.collect::<Vec<_>>().join("\n"),
            });
        }
        Ok(())
    }

    fn start_no_block(&self, units: &[String]) -> Result<(), HostError> {
        self.gate.enter(Call::Start, &units.join(" "))?;
        disk::point();
        // How it went is in the state of the units.
        elsewhere(|| self.start_units(units)).map(drop)
    }

    fn stop(&self, units: &[String]) -> Result<(), HostError> {
        self.gate.enter(Call::Stop, &units.join(" "))?;
        disk::point();
        elsewhere(|| self.stop_units(units))?;
        disk::point();
        Ok(())
    }

    fn set_properties(
        &self,
        unit: &str,
        _properties: &[(String, String)],
    ) -> Result<(), HostError> {
        self.gate.enter(Call::SetProperties, unit)?;
        let settings = self.catalog()?.unit(&self.root, unit);
        let tenant = settings.get("Unit", "X-BitBuilder-Tenant").map(Name::new);
        let Some(Ok(tenant)) = tenant else {
            return Ok(());
        };
        let read = self
            .store
            .read(|state| state.generations.get(tenant.as_str()).copied())?;
        if read == crate::generations::current(&self.root, &tenant)? {
            return Ok(());
        }
        Err(HostError::Tool {
            command: format!("daemon-reload for the changed properties of {unit}"),
            message: "the manager still has the old settings".to_owned(),
        })
    }

    fn units(&self, patterns: &[&str]) -> Result<BTreeMap<String, UnitState>, HostError> {
        self.gate.enter(Call::Units, &patterns.join(" "))?;
        let catalog = self.catalog()?;
        let mut found = BTreeMap::new();
        self.store.read(|state| {
            for pattern in patterns {
                let from = (Included(first(pattern)), Unbounded);
                let up = state.units.range::<str, _>(from);
                let up = up.take_while(|(name, _)| name.starts_with(first(pattern)));
                let up = up.filter(|(name, _)| matches(pattern.as_bytes(), name.as_bytes()));
                found.extend(up.map(|(name, unit)| (name.clone(), unit.clone())));
            }
        })?;
        for (name, unit) in &mut found {
            // A mount without a file is one all the same: the kernel knows it.
            if !name.ends_with(".mount") && !catalog.unit(&self.root, name).found {
                unit.load = "not-found".to_owned();
            }
            if catalog.unit(&self.root, name).masked {
                unit.load = "masked".to_owned();
            }
        }
        for name in patterns.iter().flat_map(|pattern| catalog.named(pattern)) {
            let unit = catalog.unit(&self.root, name);
            if !found.contains_key(name) && unit.found {
                let state = UnitState {
                    load: if unit.masked { "masked" } else { "loaded" }.to_owned(),
                    active: "inactive".to_owned(),
                    sub: "dead".to_owned(),
                    invocation: String::new(),
                    stopped: false,
                };
                found.insert(name.clone(), state);
            }
        }
        Ok(found)
    }

    fn reload_network(&self, wait_for: &[String]) -> Result<(), HostError> {
        self.gate.enter(Call::ReloadNetwork, &wait_for.join(" "))?;
        disk::point();
        let path = self.root.runtime().join("networkd.reload");
        shared::run(&path, || {
            let mut files = self.network.lock().unwrap_or_else(PoisonError::into_inner);
            self.store
                .change(|state| network::reload(&self.root, state, &mut files))
        })?;
        self.store.read(|state| network::wait(state, wait_for))?
    }

    fn make_links(&self, batch: &str) -> Result<(), HostError> {
        self.gate.enter(Call::MakeLinks, batch.trim_end())?;
        disk::point();
        self.store
            .change(|state| network::make(&self.root, state, batch))
    }

    fn delete_links(&self, links: &[String]) -> Result<(), HostError> {
        self.gate.enter(Call::DeleteLinks, &links.join(" "))?;
        disk::point();
        self.store.change(|state| {
            for link in links {
                state.links.remove(link);
                state.ports.remove(link);
            }
            let left = |(_, bridge): &(&String, &String)| !links.contains(bridge);
            let left = state.ports.iter().filter(left);
            let left = left.map(|(port, bridge)| (port.clone(), bridge.clone()));
            let left = left.collect();
            state.ports.replace(left);
            Ok(())
        })
    }

    fn renew_leases(&self, links: &[String]) -> Result<(), HostError> {
        self.gate.enter(Call::RenewLeases, &links.join(" "))?;
        disk::point();
        Ok(())
    }

    fn apply_ruleset(&self, json: &[u8]) -> Result<(), HostError> {
        self.gate.enter(Call::ApplyRuleset, "")?;
        disk::point();
        self.store.change(|state| {
            state.rulesets += 1;
            network::apply(state, json)
        })?;
        elsewhere(|| network::list(&self.root, json))
    }

    fn decrypt(&self, name: &str, ciphertext: &[u8]) -> Result<Vec<u8>, HostError> {
        let text = String::from_utf8_lossy(ciphertext);
        let text: String = text.split_whitespace().collect();
        Base64::decode_vec(&text).map_err(|error| HostError::Tool {
            command: format!("systemd-creds decrypt --name={name}"),
            message: error.to_string(),
        })
    }

    fn chown(&self, path: &Path, owner: u32) -> Result<(), HostError> {
        self.gate.enter(Call::Chown, &self.below_root(path))?;
        disk::point();
        fs::symlink_metadata(path).map_err(HostError::file(path))?;
        let path = self.below_root(path);
        self.store.change(|state| {
            state.owners.insert(path, owner);
            Ok(())
        })
    }
}

/// Where names begin that a pattern can match, in the order of names.
fn first(pattern: &str) -> &str {
    pattern.split(['*', '?']).next().unwrap_or_default()
}

/// Globs as `systemctl list-units` takes them: `*` and `?`; a backslash is itself.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    match (pattern.split_first(), name.split_first()) {
        (None, None) => true,
        (Some((b'*', rest)), _) => {
            matches(rest, name)
                || name
                    .split_first()
                    .is_some_and(|(_, tail)| matches(pattern, tail))
        }
        (Some((b'?', rest)), Some((_, tail))) => matches(rest, tail),
        (Some((p, rest)), Some((n, tail))) => p == n && matches(rest, tail),
        _ => false,
    }
}
