//! Where everything lives on a host, relative to a root that tests and the simulated host choose.

use bitbuilder_core::model::Name;
use std::path::{Path, PathBuf};

/// Root of a host's file tree: `/`, or the directory of a simulated host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostRoot(PathBuf);

impl HostRoot {
    /// A host whose `/` is `root`.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self(root.into())
    }

    /// The root itself.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// `absolute`, a path of the host such as `/etc/hosts`, below the root.
    pub fn join(&self, absolute: impl AsRef<Path>) -> PathBuf {
        let absolute = absolute.as_ref();
        self.0.join(absolute.strip_prefix("/").unwrap_or(absolute))
    }

    /// `/var/lib/bitbuilder/`: state of the whole host.
    pub fn state(&self) -> PathBuf {
        self.join("/var/lib/bitbuilder")
    }

    /// Bare mirror of the system repository.
    pub fn system_mirror(&self) -> PathBuf {
        self.state().join("system")
    }

    /// Where a host keeps embedded repositories.
    pub const EMBEDDED: &'static str = "/var/lib/bitbuilder/git";

    /// The embedded repository that `url` names: `file:///var/lib/bitbuilder/git/<id>.git`, and nothing below it.
    pub fn embedded_path(&self, url: &str) -> Option<PathBuf> {
        let name = url
            .strip_prefix("file://")?
            .strip_prefix(Self::EMBEDDED)?
            .strip_prefix('/')?;
        Name::new(name.strip_suffix(".git")?).ok()?;
        Some(self.join(Self::EMBEDDED).join(name))
    }

    /// `url` as this process reaches it: an embedded repository is below the root.
    pub fn url(&self, url: &str) -> String {
        match self.embedded_path(url) {
            Some(path) => format!("file://{}", path.display()),
            None => url.to_owned(),
        }
    }

    /// Embedded bare repository of `id` (a tenant's, or `system`).
    pub fn embedded(&self, id: &str) -> PathBuf {
        self.state().join("git").join(format!("{id}.git"))
    }

    /// The effective registry, input of the generators.
    pub fn registry(&self) -> PathBuf {
        self.state().join("tenants.json")
    }

    /// The audit trail, a bare repository.
    pub fn audit_trail(&self) -> PathBuf {
        self.state().join("audit.git")
    }

    /// Key of the audit trail, and what is not in the trail yet.
    pub fn audit(&self) -> PathBuf {
        self.state().join("audit")
    }

    /// The allocations.
    pub fn allocations(&self) -> PathBuf {
        self.state().join("allocations.json")
    }

    /// What the probe of KVM found in this boot: `yes` or `no`.
    pub fn kvm(&self) -> PathBuf {
        self.join("/run/bitbuilder/kvm")
    }

    /// Templates shipped with the host.
    pub fn templates(&self) -> PathBuf {
        self.join("/usr/lib/bitbuilder/templates")
    }

    /// Runtime state: lock and health results.
    pub fn runtime(&self) -> PathBuf {
        self.join("/run/bitbuilder")
    }

    /// Result of the last health check of a workload.
    pub fn health(&self, tenant: &Name, workload: &Name) -> PathBuf {
        self.runtime()
            .join("health")
            .join(tenant.as_str())
            .join(format!("{workload}.json"))
    }

    /// When the window of a tenant's generation began: gone with a restart of the host, as what runs is.
    pub fn window(&self, id: &Name) -> PathBuf {
        self.runtime().join("window").join(format!("{id}.json"))
    }

    /// Links to the generations that trials go back to.
    pub fn trials(&self) -> PathBuf {
        self.state().join("trials")
    }

    /// The link of one trial: while it exists, what is current is not what the host starts with.
    pub fn trial(&self, id: &Name) -> PathBuf {
        self.trials().join(id.as_str())
    }

    /// That this start of the host has made the trial.
    pub fn trial_mark(&self, id: &Name) -> PathBuf {
        self.runtime().join("trial").join(format!("{id}.json"))
    }

    /// What the manager was asked to start later.
    pub fn armed(&self, id: &Name) -> PathBuf {
        self.runtime().join("armed").join(format!("{id}.json"))
    }

    /// That the time for which data is kept is counted since this start of the host.
    pub fn counted(&self) -> PathBuf {
        self.runtime().join("counted")
    }

    /// Private keys of WireGuard links, `<tenant>.<network>.key`: what networkd may read and nobody else but root.
    pub fn wireguard_keys(&self) -> PathBuf {
        self.state().join("wireguard")
    }

    /// Preshared keys in plain text, until the next start of the host: `<tenant>.<network>.<peer>.<digest>.psk`.
    pub fn wireguard_secrets(&self) -> PathBuf {
        self.runtime().join("wireguard")
    }

    /// Directory of networkd's runtime configuration.
    pub fn network(&self) -> PathBuf {
        self.join("/run/systemd/network")
    }

    /// `/var/lib/tenants/`.
    pub fn tenants(&self) -> PathBuf {
        self.join("/var/lib/tenants")
    }

    /// `/var/lib/tenants/<id>/`.
    pub fn tenant(&self, id: &Name) -> PathBuf {
        self.tenants().join(id.as_str())
    }

    /// Bare mirror of a tenant's repository.
    pub fn mirror(&self, id: &Name) -> PathBuf {
        self.tenant(id).join("config.git")
    }

    /// Directory of a tenant's generations.
    pub fn generations(&self, id: &Name) -> PathBuf {
        self.tenant(id).join("generations")
    }

    /// One generation.
    pub fn generation(&self, id: &Name, number: u64) -> PathBuf {
        self.generations(id).join(number.to_string())
    }

    /// The link to the current generation.
    pub fn current(&self, id: &Name) -> PathBuf {
        self.tenant(id).join("current")
    }

    /// The journal of the apply in flight.
    pub fn journal(&self, id: &Name) -> PathBuf {
        self.tenant(id).join("journal.json")
    }

    /// What the host remembers of a tenant between passes.
    pub fn tenant_state(&self, id: &Name) -> PathBuf {
        self.tenant(id).join("state.json")
    }

    /// Root of the tenant's layers.
    pub fn layers(&self, id: &Name) -> PathBuf {
        self.tenant(id).join("layers")
    }
}
