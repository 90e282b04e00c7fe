//! What the receiver of webhooks gets from the system repository.

use super::{PassError, Revision};
use crate::host::Host;
use crate::paths::HostRoot;
use crate::source::{self, SourceError};
use bitbuilder_core::sync::units::{ALL, Receiver, Secret};
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// The receiver that the policy wants, with every secret of the repository.
pub(super) fn receiver(
    root: &HostRoot,
    revision: &Revision,
) -> Result<Option<Receiver>, SourceError> {
    let Some(policy) = &revision.system.policy.webhooks else {
        return Ok(None);
    };
    let tenants = revision.system.tenants.iter();
    let tenants = tenants
        .filter(|tenant| tenant.enabled)
        .filter_map(|tenant| Some((tenant.id.as_str(), tenant.webhook.as_ref()?)));
    let of_all = policy.secret.iter().map(|path| (ALL, path));
    let wanted: Vec<_> = of_all.chain(tenants).collect();
    let mut secrets = Vec::new();
    if !wanted.is_empty() {
        let repository = source::open(&root.system_mirror())?;
        for (target, path) in wanted {
            let content = source::read_file(&repository, &revision.commit, path)?;
            secrets.push(Secret {
                target: target.to_owned(),
                // A credential is called like its file.
                name: path.rsplit('/').next().unwrap_or(path).to_owned(),
                ciphertext: String::from_utf8_lossy(&content).into_owned(),
            });
        }
    }
    Ok(Some(Receiver {
        address: SocketAddr::new(policy.address, policy.port),
        secrets,
    }))
}

/// Leaves out what the service could not start with: secrets that do not open, and a second one of the same name.
///
/// # Errors
/// The first that was left out, once all were looked at.
pub(super) fn keep_usable(host: &dyn Host, receiver: &mut Receiver) -> Result<(), PassError> {
    let mut failed = Ok(());
    let mut names: BTreeMap<String, String> = BTreeMap::new();
    receiver.secrets.retain(|secret| {
        let opened = match names.get(&secret.name) {
            Some(ciphertext) if *ciphertext == secret.ciphertext => Ok(()),
            Some(_) => Err(PassError::Secret {
                target: secret.target.clone(),
                reason: format!(
                    "another one is called `{}`, too: give its file another name",
                    secret.name
                ),
            }),
            None => host
                .decrypt(&secret.name, secret.ciphertext.as_bytes())
                .map(drop)
                .map_err(|error| PassError::Secret {
                    target: secret.target.clone(),
                    reason: error.to_string(),
                }),
        };
        match opened {
            Ok(()) => {
                names.insert(secret.name.clone(), secret.ciphertext.clone());
                true
            }
            Err(error) => {
                if failed.is_ok() {
                    failed = Err(error);
                }
                false
            }
        }
    });
    failed
}
