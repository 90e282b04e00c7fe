//! Which signatures the commits of a repository need, and with which keys they are verified.
//!
//! A tenant's commits: as the registry in force says, else the policy in force. The system repository's: as the host says
//! in its own configuration, and as the policy in force says, never as the new commit says.

use super::ground::Ground;
use super::init::HostConfig;
use super::system::Revision;
use crate::host::Host;
use crate::signature::{self, Trust, Verified, voa};
use crate::source::{Repository, SourceError};
use bitbuilder_core::model::{Registration, System, Verify, VerifyCommits};
use bitbuilder_core::signature::KeyRing;

/// All keys that a tenant's commits are verified with.
pub(super) fn keys(host: &dyn Host, revision: &Revision) -> KeyRing {
    let mut keys = voa::read(host.root(), voa::Context::Tenants).keys;
    keys.extend(revision.system.keys.clone());
    keys
}

/// How the commits of a tenant are verified.
pub(super) fn of_tenant<'g>(ground: &'g Ground, registration: &'g Registration) -> &'g Verify {
    let policy = &ground.revision.system.policy;
    registration.verify.as_ref().unwrap_or(&policy.verify)
}

/// Verifies what `commit` brings to a tenant that has `deployed`.
pub(super) fn verify_tenant(
    host: &dyn Host,
    ground: &Ground,
    registration: &Registration,
    repository: &Repository,
    deployed: Option<&str>,
    commit: &str,
) -> Result<Verified, SourceError> {
    let trust = Trust {
        keys: &ground.keys,
        verify: of_tenant(ground, registration),
        now: host.now(),
        scratch: &host.root().runtime(),
    };
    signature::verify(repository, deployed, commit, &trust)
}

/// Verifies what `commit` brings to the system repository, of which `accepted` is in force.
pub(super) fn verify_system(
    host: &dyn Host,
    config: &HostConfig,
    repository: &Repository,
    accepted: Option<&Revision>,
    commit: &str,
) -> Result<Verified, SourceError> {
    let verify = of_system(config, accepted.map(|revision| &revision.system));
    if verify.commits == VerifyCommits::Off {
        return Ok(Verified::default());
    }
    let mut keys = voa::read(host.root(), voa::Context::System).keys;
    keys.extend(accepted.map_or_else(KeyRing::default, |revision| revision.system.keys.clone()));
    let trust = Trust {
        keys: &keys,
        verify: &verify,
        now: host.now(),
        scratch: &host.root().runtime(),
    };
    let deployed = accepted.map(|revision| revision.commit.as_str());
    signature::verify(repository, deployed, commit, &trust)
}

/// The stricter of what host and policy say; whom either names may sign.
fn of_system(config: &HostConfig, accepted: Option<&System>) -> Verify {
    let said = [
        config.verify.as_ref(),
        accepted.map(|system| &system.policy.verify_system),
    ];
    let said = || said.into_iter().flatten();
    let strict = |wanted: VerifyCommits| said().any(|verify| verify.commits == wanted);
    Verify {
        commits: if strict(VerifyCommits::Required) {
            VerifyCommits::Required
        } else if strict(VerifyCommits::Warn) {
            VerifyCommits::Warn
        } else {
            VerifyCommits::Off
        },
        signers: said().flat_map(|verify| verify.signers.clone()).collect(),
    }
}
