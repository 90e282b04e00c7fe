//! What the operator's policy may say and no host does yet. Nothing of it is ignored in silence.

use crate::document::default_policy;
use crate::finding::{Finding, Origin};
use crate::model::{Policy, Quota};

const FILE: &str = ".gitops/config.yaml";

/// Warnings about `policy`; where ignoring it would be less secure, tenants are refused when they are resolved.
pub fn unavailable(policy: &Policy) -> Vec<Finding> {
    let usual = default_policy();
    let says = [
        (
            policy.storage.quota != Quota::None,
            "`storage.quota` is not used yet: storage limits are not enforced",
        ),
        (
            !policy.templates.is_empty(),
            "`templates` are not fetched yet: the host has those that are installed on it",
        ),
        (
            policy.hook_timeout != usual.hook_timeout,
            "`hooks.timeout` is not used yet: lifecycle scripts are not run",
        ),
    ];
    let said = says.into_iter().filter(|(written, _)| *written);
    said.map(|(_, message)| Finding::warning(Origin::file(FILE), "not-available", message))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Millis;

    #[test]
    fn the_usual_policy_needs_nothing_more() {
        assert_eq!(unavailable(&default_policy()), []);
    }

    #[test]
    fn what_is_not_done_yet_is_said() {
        let mut policy = default_policy();
        policy.sync.interval = Millis(60_000);
        policy.storage.quota = Quota::Btrfs;
        let findings = unavailable(&policy);
        let messages: Vec<&str> = findings.iter().map(|f| f.message.as_str()).collect();
        assert_eq!(messages.len(), 1);
        assert!(messages[0].contains("storage.quota"));
    }
}
