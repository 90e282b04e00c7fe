//! The trait between decisions and the machine. Files are written below [`Host::root`] by `generations`;
//! everything that is not a file goes through here, so that the simulated host is a real second implementation.

mod watch;

pub use watch::{Watch, Witness};

use crate::paths::HostRoot;
use bitbuilder_core::resolve::HostFacts;
use std::collections::BTreeMap;
use std::path::Path;

/// A machine with systemd, real or simulated.
pub trait Host: Watch + Send + core::marker::Sync {
    /// Where its files are.
    fn root(&self) -> &HostRoot;

    /// Seconds since the epoch.
    fn now(&self) -> u64;

    /// Milliseconds of a clock that nobody sets and that goes on from start to start of the host.
    fn uptime(&self) -> u64;

    /// The host's own name, hostname(7).
    fn name(&self) -> String {
        rustix::system::uname()
            .nodename()
            .to_string_lossy()
            .into_owned()
    }

    /// Has `unit`, a service, started after each of `delays` (milliseconds); what was asked for it before is forgotten.
    ///
    /// # Errors
    /// When the manager refuses.
    fn start_later(&self, unit: &str, delays: &[u64]) -> Result<(), HostError>;

    /// Forgets what [`Host::start_later`] asked for `unit`, if anything.
    ///
    /// # Errors
    /// When the manager refuses.
    fn forget_later(&self, unit: &str) -> Result<(), HostError>;

    /// Who runs this process.
    fn caller(&self) -> Caller;

    /// Bytes that nobody can guess.
    ///
    /// # Errors
    /// When the kernel has none.
    fn random(&self) -> Result<[u8; 32], HostError>;

    /// `secret` as a ciphertext of systemd-creds(1), which only this host can read, and only by this `name`; `None` when
    /// there is nothing to encrypt with.
    ///
    /// # Errors
    /// When the credential service refuses.
    fn encrypt(&self, name: &str, secret: &[u8]) -> Result<Option<Vec<u8>>, HostError>;

    /// What it can do: version of systemd, cgroup controllers, machine tags.
    ///
    /// # Errors
    /// When it cannot be found out.
    fn facts(&self) -> Result<HostFacts, HostError>;

    /// Reloads the manager; generators run (`systemctl daemon-reload`).
    ///
    /// # Errors
    /// When the manager refuses or times out.
    fn daemon_reload(&self) -> Result<(), HostError>;

    /// Starts `units` in one call and waits for their jobs.
    ///
    /// # Errors
    /// When one of them fails to start; names it.
    fn start(&self, units: &[String]) -> Result<(), HostError>;

    /// Queues the start of `units` and returns at once.
    ///
    /// # Errors
    /// When the manager refuses.
    fn start_no_block(&self, units: &[String]) -> Result<(), HostError>;

    /// Stops `units` in one call and waits for their jobs. Units that are not loaded count as stopped.
    ///
    /// # Errors
    /// When one of them fails to stop; names it.
    fn stop(&self, units: &[String]) -> Result<(), HostError>;

    /// Makes sure that a running unit has `properties`, which its drop-ins hold already: after [`Host::daemon_reload`]
    /// the manager applies changed resource settings to running units by itself.
    ///
    /// # Errors
    /// When the manager has not read the drop-ins.
    fn set_properties(&self, unit: &str, properties: &[(String, String)]) -> Result<(), HostError>;

    /// State of every loaded unit that matches one of `patterns` (as `systemctl list-units` globs).
    ///
    /// # Errors
    /// When the manager does not answer.
    fn units(&self, patterns: &[&str]) -> Result<BTreeMap<String, UnitState>, HostError>;

    /// Makes networkd read its files again and waits until the links named are set up.
    ///
    /// # Errors
    /// When networkd refuses or a link does not appear in time.
    fn reload_network(&self, wait_for: &[String]) -> Result<(), HostError>;

    /// Makes links that networkd cannot make: one transaction for `ip -batch`.
    ///
    /// # Errors
    /// The message of ip(8), for example that the link below is not there.
    fn make_links(&self, batch: &str) -> Result<(), HostError>;

    /// Removes links that no file describes any more; a link that does not exist counts as removed.
    ///
    /// # Errors
    /// When networkd refuses.
    fn delete_links(&self, links: &[String]) -> Result<(), HostError>;

    /// Lets whoever has an address by DHCP behind `links`, ends of a tenant's links on the host, ask for one anew.
    ///
    /// # Errors
    /// When the kernel refuses.
    fn renew_leases(&self, links: &[String]) -> Result<(), HostError>;

    /// Applies one nftables transaction in nft's JSON form (libnftables-json(5)): all or nothing.
    ///
    /// # Errors
    /// The message of nft.
    fn apply_ruleset(&self, json: &[u8]) -> Result<(), HostError>;

    /// The plain text of a ciphertext of systemd-creds(1) that was made under `name`.
    ///
    /// # Errors
    /// When it was made under another name or for another host, is damaged, or nobody is there who has the key.
    fn decrypt(&self, name: &str, ciphertext: &[u8]) -> Result<Vec<u8>, HostError>;

    /// Gives `path` (a directory or file, not followed) an owner.
    ///
    /// # Errors
    /// As chown(2).
    fn chown(&self, path: &Path, owner: u32) -> Result<(), HostError>;
}

/// Who runs a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Caller {
    /// Its real user id.
    pub uid: u32,
    /// Who logged in at first, whatever the process became since (sudo, su): the kernel keeps it. None for what systemd
    /// started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login: Option<u32>,
}

impl Caller {
    /// Of this process.
    pub fn of_this_process() -> Self {
        let login = std::fs::read_to_string("/proc/self/loginuid").ok();
        Self {
            uid: rustix::process::getuid().as_raw(),
            login: login
                .and_then(|text| text.trim().parse().ok())
                // -1 is nobody yet.
                .filter(|uid| *uid != u32::MAX),
        }
    }
}

/// State of a unit, systemd's words.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct UnitState {
    /// `loaded`, `not-found`, `masked`, `bad-setting`.
    pub load: String,
    /// `active`, `inactive`, `failed`, `activating`, `deactivating`.
    pub active: String,
    /// `running`, `exited`, `dead`, `mounted`, `auto-restart`.
    pub sub: String,
    /// Invocation id, hex: another one after each start; empty while it never ran.
    #[serde(default)]
    pub invocation: String,
    /// It is down because it was stopped, not because it ended by itself. Known of containers and machines that are inactive.
    #[serde(default)]
    pub stopped: bool,
}

impl UnitState {
    /// Whether it is up.
    pub fn is_active(&self) -> bool {
        self.active == "active"
    }
}

/// A failure of the machine, with what was tried.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// A tool could not be started.
    #[error("cannot run {program}: {source}")]
    Spawn {
        /// The program.
        program: String,
        /// Why.
        source: std::io::Error,
    },
    /// A tool failed.
    #[error("{command} failed: {message}")]
    Tool {
        /// The command line, for people.
        command: String,
        /// What it said, last lines first to matter.
        message: String,
    },
    /// A file operation failed.
    #[error("{}: {source}", path.display())]
    File {
        /// The path.
        path: std::path::PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file is there and is not what it must be: broken JSON, an unknown format, a wrong digest.
    #[error("{}: {reason}", path.display())]
    Damaged {
        /// The path.
        path: std::path::PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A generation with this number exists and holds something else.
    #[error("{}: this generation exists with other content; generations never change", path.display())]
    Immutable {
        /// The generation's directory.
        path: std::path::PathBuf,
    },
    /// Something that was asked about belongs to no tenant.
    #[error("{what}: {reason}")]
    Unrelated {
        /// What was asked about.
        what: String,
        /// Why it is nobody's.
        reason: String,
    },
    /// It did not happen in time.
    #[error("timed out: {0}")]
    Timeout(String),
}

impl HostError {
    /// Turns an I/O error at `path` into a [`HostError::File`], for `map_err`.
    pub fn file(path: &Path) -> impl FnOnce(std::io::Error) -> Self + '_ {
        move |source| Self::File {
            path: path.to_owned(),
            source,
        }
    }

    /// [`HostError::Damaged`] at `path`.
    pub fn damaged(path: &Path, reason: impl Into<String>) -> Self {
        Self::Damaged {
            path: path.to_owned(),
            reason: reason.into(),
        }
    }
}
