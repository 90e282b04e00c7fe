//! Every tenant in a few words.
//!
//! - `memory`: what the host remembers of a tenant, from its files. `workload`, `tenant`: what that and the units mean.

mod memory;
mod tenant;
#[cfg(test)]
mod tests;
mod workload;

use super::presence::Presence;
use crate::atomic;
use crate::host::{Host, HostError};
use crate::paths::HostRoot;
use crate::reconcile::{
    self, Degradation, Drift, EffectiveTenant, FetchFailure, Left, PassError, Refusal, Suspension,
    SystemState,
};
use bitbuilder_core::allocate::Allocations;
use bitbuilder_core::finding::Finding;
use bitbuilder_core::model::{HealthPolicy, Limits, Name};
use bitbuilder_core::window::Seen;
use memory::Memory;
use serde::{Deserialize, Serialize};

/// The host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostStatus {
    /// The system repository.
    pub system: SystemStatus,
    /// The tenants of the effective registry, by id.
    pub tenants: Vec<TenantStatus>,
    /// The tenants that left and whose data is kept, by id.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left: Vec<Left>,
}

/// The system repository.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SystemStatus {
    /// URL.
    pub repository: String,
    /// Commit in force.
    pub commit: Option<String>,
    /// Who signed it, when that was verified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signer: Option<String>,
    /// A newer commit is not accepted.
    pub refused: Option<Refusal>,
    /// The remote cannot be read.
    pub fetch_failure: Option<FetchFailure>,
}

/// One tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TenantStatus {
    /// Its id.
    pub id: Name,
    /// Name for people.
    pub name: String,
    /// Whether the repository and the host agree.
    pub sync: SyncState,
    /// Whether it works.
    pub health: Health,
    /// Why it is not Synced or not Healthy, in one sentence; the most important reason.
    pub reason: Option<String>,
    /// Current generation.
    pub generation: Option<u64>,
    /// Its commit.
    pub commit: Option<String>,
    /// Who signed it, when that was verified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signer: Option<String>,
    /// Ceilings of the registry.
    pub limits: Limits,
    /// The newest commit is not accepted.
    pub refused: Option<Refusal>,
    /// Passes leave it alone.
    pub suspended: Option<Suspension>,
    /// The remote cannot be read.
    pub fetch_failure: Option<FetchFailure>,
    /// What differed from the current generation at the last pass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drift: Option<Drift>,
    /// What is worth knowing of the deployed commit.
    pub findings: Vec<Finding>,
    /// The current generation is being tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<WindowStatus>,
    /// The current generation is on trial.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trial: Option<TrialStatus>,
    /// A change is under way, or was interrupted.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub changing: bool,
    /// It is going back to this generation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub returning: Option<u64>,
    /// The current generation does not work, and since when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub degraded: Option<Degradation>,
    /// Its workloads, by name.
    pub workloads: Vec<WorkloadStatus>,
    /// Its WireGuard networks that are in place, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tunnels: Vec<TunnelStatus>,
}

/// What a peer has to know of a WireGuard network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TunnelStatus {
    /// Name of the network.
    pub network: Name,
    /// Its link on the host.
    pub link: String,
    /// UDP port that it listens on.
    pub port: u16,
    /// Public key, base64.
    #[serde(rename = "publicKey")]
    pub public_key: String,
}

/// A generation on trial.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrialStatus {
    /// Seconds since the epoch at which it is left; `None` when it is over.
    pub until: Option<u64>,
    /// The generation that returns then.
    pub confirmed: u64,
    /// The reference that is tried; `None` is the tenant's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
}

/// The window in which a generation has to show that it works.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowStatus {
    /// Which try it is, from 1.
    #[serde(rename = "try")]
    pub attempt: u64,
    /// How many there are.
    pub tries: u64,
    /// Seconds since the epoch at which this try ends; `None` when it begins with the next look.
    pub until: Option<u64>,
}

/// One container or machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkloadStatus {
    /// Its name.
    pub name: Name,
    /// Its unit.
    pub unit: String,
    /// systemd's word for the unit: `active`, `failed`.
    pub active: String,
    /// Whether it works.
    pub health: Health,
    /// Why not.
    pub reason: Option<String>,
    /// Address in each of its networks.
    pub addresses: Vec<String>,
}

/// Whether the repository and the host agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum SyncState {
    /// The newest commit is deployed.
    Synced,
    /// It is not, or what runs differs from it.
    OutOfSync,
    /// An older generation is current, and its newer commit is quarantined.
    RolledBack,
    /// What is current is gone soon, unless somebody confirms it.
    Trial,
    /// Passes leave it alone.
    Suspended,
    /// Not known: never synced.
    Unknown,
}

/// Whether something works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Health {
    /// Everything that shall run runs, and every check is passed.
    Healthy,
    /// Something is starting.
    Progressing,
    /// Something is down, fails its check, or was left out.
    Degraded,
    /// It is not to run.
    Stopped,
    /// Not known.
    Unknown,
}

/// The host, or only the tenant `only`.
///
/// What is damaged of one tenant is its reason, and hides no other.
///
/// # Errors
/// When the host's own state is unreadable or the manager does not answer.
pub fn status(host: &dyn Host, only: Option<&Name>) -> Result<HostStatus, PassError> {
    let root = host.root();
    let registry = reconcile::effective_registry(root)?;
    let tenants: Vec<EffectiveTenant> = registry
        .into_iter()
        .flat_map(|registry| registry.tenants)
        .filter(|tenant| only.is_none_or(|only| tenant.id == *only))
        .collect();
    let allocations: Allocations = atomic::read_json(&root.allocations())?.unwrap_or_default();
    let memories: Vec<Result<Memory, HostError>> = tenants
        .iter()
        .map(|tenant| Memory::read(root, &tenant.id, allocations.tenants.get(&tenant.id)))
        .collect();
    let presence = presence(host, only, &memories)?;
    let windows = Windows::read(host, &memories);
    let mut left = reconcile::left(host)?;
    left.retain(|one| only.is_none_or(|only| one.tenant == *only));
    let judged = tenants.iter().zip(memories);
    Ok(HostStatus {
        left,
        system: system(root)?,
        tenants: judged
            .map(|(tenant, memory)| match memory {
                Ok(memory) => {
                    let times = Times {
                        window: windows.of(host, &tenant.id, &memory),
                        trial: trial(host, &tenant.id, &memory),
                    };
                    tenant::judge(tenant, memory, &presence, times)
                }
                Err(error) => tenant::unknown(tenant, error.to_string()),
            })
            .collect(),
    })
}

/// What the units of a tenant show of the generation that is current.
///
/// # Errors
/// When its state is unreadable or the manager does not answer.
pub(crate) fn standings(host: &dyn Host, tenant: &EffectiveTenant) -> Result<Vec<Seen>, HostError> {
    let memories = [Memory::read(host.root(), &tenant.id, None)];
    let presence = presence(host, Some(&tenant.id), &memories)?;
    let [memory] = memories;
    Ok(tenant::standings(tenant, &memory?, &presence))
}

/// What the policy says of windows; nothing of it is read when no tenant is in one.
struct Windows(Option<HealthPolicy>);

impl Windows {
    fn read(host: &dyn Host, memories: &[Result<Memory, HostError>]) -> Self {
        let mut states = memories.iter().flatten().map(|memory| &memory.state);
        let any = states.any(|state| state.window.is_some());
        // Without a policy that can be read there is no end to be told.
        let policy = any.then(|| reconcile::accepted_system(host).ok()).flatten();
        Self(policy.map(|revision| revision.system.policy.health))
    }

    fn of(&self, host: &dyn Host, id: &Name, memory: &Memory) -> Option<WindowStatus> {
        let window = memory.state.window.as_ref()?;
        let current = memory.manifest.as_ref().map(|manifest| manifest.number);
        let policy = self.0.filter(|_| current == Some(window.generation))?;
        let end = reconcile::watch::end_of(host, id, policy.window);
        let until = end.map(|end| clock_at(host, end));
        Some(WindowStatus {
            attempt: window.attempt,
            tries: policy.tries,
            until,
        })
    }
}

/// What comes to an end by itself.
struct Times {
    window: Option<WindowStatus>,
    trial: Option<TrialStatus>,
}

fn trial(host: &dyn Host, id: &Name, memory: &Memory) -> Option<TrialStatus> {
    let trial = memory.state.trial.as_ref()?;
    let current = memory.manifest.as_ref().map(|manifest| manifest.number);
    let until = reconcile::trial::until(host, id);
    (current == Some(trial.generation)).then(|| TrialStatus {
        until: until.map(|until| clock_at(host, until)),
        confirmed: trial.confirmed,
        reference: trial.reference.clone(),
    })
}

/// The time of day, in seconds since the epoch, at a time of [`Host::uptime`] that is to come.
fn clock_at(host: &dyn Host, uptime: u64) -> u64 {
    host.now() + uptime.saturating_sub(host.uptime()).div_ceil(1000)
}

/// One question to the manager, about no more than is needed.
fn presence(
    host: &dyn Host,
    only: Option<&Name>,
    memories: &[Result<Memory, HostError>],
) -> Result<Presence, HostError> {
    if only.is_none() {
        return Presence::read(host);
    }
    let manifests = memories
        .iter()
        .flatten()
        .flat_map(|memory| &memory.manifest);
    let units = manifests.flat_map(|manifest| &manifest.units);
    let names: Vec<&str> = units.map(|unit| unit.name.as_str()).collect();
    if names.is_empty() {
        return Ok(Presence::default());
    }
    Presence::of(host, &names)
}

fn system(root: &HostRoot) -> Result<SystemStatus, HostError> {
    let memory = SystemState::read(root)?;
    Ok(SystemStatus {
        repository: reconcile::read_config(root)?
            .map_or_else(String::new, |config| config.repository),
        commit: memory.accepted,
        signer: memory.signer,
        refused: memory.refused,
        fetch_failure: memory.fetch_failure,
    })
}
