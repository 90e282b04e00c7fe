//! How a pass went.

use crate::apply;
use bitbuilder_core::finding::Finding;
use bitbuilder_core::model::Name;
use bitbuilder_core::plan::{Plan, Waiting};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How a pass went.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Report {
    /// The system repository.
    pub system: SystemReport,
    /// The tenants of the scope, by id.
    pub tenants: Vec<TenantReport>,
}

impl Report {
    /// Whether nothing failed and nothing was refused.
    pub fn succeeded(&self) -> bool {
        self.system.error.is_none()
            && !bitbuilder_core::finding::has_errors(&self.system.findings)
            && self.tenants.iter().all(|tenant| !tenant.verdict.is_bad())
    }

    /// Adds `tenants`; those that are there already are replaced.
    pub(super) fn merge(&mut self, tenants: Vec<TenantReport>) {
        let is_new = |old: &TenantReport| tenants.iter().all(|new| new.tenant != old.tenant);
        self.tenants.retain(is_new);
        self.tenants.extend(tenants);
        self.tenants.sort_by(|a, b| a.tenant.cmp(&b.tenant));
    }

    /// Whether a tenant has a plan that is not empty.
    pub fn pending(&self) -> bool {
        self.tenants
            .iter()
            .any(|tenant| tenant.verdict == Verdict::Planned)
    }
}

/// What became of the system repository.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SystemReport {
    /// The commit that is in force.
    pub commit: Option<String>,
    /// Who signed it, when that was verified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signer: Option<String>,
    /// The newer commit that was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
    /// What is wrong with the newest commit.
    pub findings: Vec<Finding>,
    /// Texts that `findings` point into, by path.
    #[serde(skip)]
    pub sources: BTreeMap<String, String>,
    /// Why it could not be fetched or read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl SystemReport {
    /// Whether the newest commit is in force.
    pub(super) fn is_settled(&self) -> bool {
        self.error.is_none() && self.refused.is_none()
    }
}

/// What became of one tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TenantReport {
    /// The tenant.
    pub tenant: Name,
    /// In one word.
    pub verdict: Verdict,
    /// The commit that was looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// Who signed it, when that was verified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signer: Option<String>,
    /// The generation that is current now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<u64>,
    /// What was or would be done; `None` when it was not compiled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<Plan>,
    /// Why the tenant as a whole waits; what of a plan waits is in the plan.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waiting: Vec<Waiting>,
    /// How it went.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<apply::Outcome>,
    /// What is wrong with, or worth knowing of, the commit.
    pub findings: Vec<Finding>,
    /// Texts that `findings` point into, by path.
    #[serde(skip)]
    pub sources: BTreeMap<String, String>,
    /// Why it is refused or failed; for a remote that is down and for drift, beside any verdict.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Whether something of it is being tried or does not work.
    #[serde(skip)]
    pub(super) attend: bool,
}

impl TenantReport {
    /// A report with nothing but a verdict.
    pub fn new(tenant: Name, verdict: Verdict) -> Self {
        Self {
            tenant,
            verdict,
            commit: None,
            signer: None,
            generation: None,
            plan: None,
            waiting: Vec::new(),
            outcome: None,
            findings: Vec::new(),
            sources: BTreeMap::new(),
            error: None,
            attend: false,
        }
    }
}

/// What became of a tenant, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Nothing to do.
    Unchanged,
    /// A plan that is not empty was made and left at that.
    Planned,
    /// A plan was executed whole.
    Applied,
    /// The commit is not accepted; what was deployed goes on.
    Refused,
    /// The host failed; see the error.
    Failed,
    /// Passes leave it alone.
    Suspended,
    /// It left the registry and was taken down.
    Removed,
    /// What was deployed did not work; the last good generation is current again.
    RolledBack,
}

impl Verdict {
    /// Whether somebody should look.
    pub fn is_bad(self) -> bool {
        matches!(self, Self::Refused | Self::Failed | Self::RolledBack)
    }
}

/// Progress, as it happens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "event")]
pub enum Event {
    /// Another pass holds the lock.
    Waiting,
    /// The repository of a tenant is asked; `None` is the system repository.
    Fetching {
        /// The tenant.
        tenant: Option<Name>,
    },
    /// A plan that is not empty will be executed.
    Planned {
        /// The plan.
        plan: Plan,
    },
    /// A step of a plan.
    Apply {
        /// The event.
        #[serde(rename = "apply")]
        inner: apply::Event,
    },
    /// One tenant is done.
    Finished {
        /// Its report.
        report: Box<TenantReport>,
    },
}
