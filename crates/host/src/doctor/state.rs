//! What the host keeps.

use super::Check;
use crate::audit;
use crate::generations;
use crate::host::{Host, HostError};
use crate::notify;
use crate::observe::{damaged_templates, templates};
use crate::paths::HostRoot;
use crate::reconcile::{EffectiveTenant, accepted_system, effective_registry, read_config};
use crate::signature::VERIFIER;
use crate::signature::voa::{self, Found};
use crate::tool::is_installed;
use bitbuilder_core::model::Name;
use bitbuilder_core::signature::KeyRing;
use std::path::Path;

/// Where the generators of the running system have written to.
const GENERATED: &str = "/run/systemd/generator";

/// Looks at templates, and at every tenant's generation.
pub fn state(host: &dyn Host) -> Vec<Check> {
    let root = host.root();
    let mut checks = vec![
        Check::of("templates", container_templates(root)),
        Check::of("system", system(root)),
        audit(host),
    ];
    checks.extend(signatures(host));
    checks.extend(notifications(root));
    match effective_registry(root) {
        Ok(registry) => {
            let tenants = registry.into_iter().flat_map(|registry| registry.tenants);
            checks.extend(tenants.map(|tenant| tenant_check(root, &tenant)));
        }
        Err(error) => checks.push(damaged("registry", &error)),
    }
    checks.extend(index(root));
    checks
}

/// What the generators read of all tenants; nothing when it is what their generations say.
fn index(root: &HostRoot) -> Option<Check> {
    let name = "index";
    match generations::index_is_stale(root) {
        Ok(false) => None,
        Ok(true) => Some(Check::fail(
            name,
            "it is not as the current generations are: a link or a file was changed by hand",
            "`rm /var/lib/bitbuilder/*.index`, then `systemctl daemon-reload`",
        )),
        Err(error) => Some(damaged(name, &error)),
    }
}

/// Whether what is done is recorded.
fn audit(host: &dyn Host) -> Check {
    let name = "audit";
    let found = audit::check(host).and_then(|count| Ok((count, audit::waiting(host.root())?)));
    let advice = "docs/audit.md says what may be wrong with its key or its repository";
    match found {
        Ok((count, 0)) => Check::ok(name, format!("the trail has {count} records")),
        Ok((_, waiting)) => {
            let message = format!("{waiting} records wait to be added to the trail");
            Check::warn(
                name,
                message,
                "the next pass that changes something adds them",
            )
        }
        Err(error) => Check::fail(name, error.to_string(), advice),
    }
}

/// What waits to be told; nothing when nothing does.
fn notifications(root: &HostRoot) -> Vec<Check> {
    let check = |(receiver, count): (String, usize)| {
        let name = format!("notify {receiver}");
        let advice =
            "`journalctl -u 'bitbuilder-notify*'` says why; docs/notifications.md says more";
        Check::warn(&name, format!("{count} notices wait"), advice)
    };
    match notify::waiting(root) {
        Ok(waiting) => waiting.into_iter().map(check).collect(),
        Err(error) => vec![damaged("notify", &error)],
    }
}

fn container_templates(root: &HostRoot) -> Result<Check, HostError> {
    let name = "templates";
    let damaged = damaged_templates(root)?;
    if let Some(first) = damaged.first() {
        return Ok(Check::fail(
            name,
            first.to_string(),
            "install the template again",
        ));
    }
    let found = templates(root)?;
    let names: Vec<String> = found.keys().map(ToString::to_string).collect();
    if names.is_empty() {
        let message = format!("there is none in {}", root.templates().display());
        return Ok(Check::fail(
            name,
            message,
            "install one: containers start from it",
        ));
    }
    Ok(Check::ok(name, names.join(", ")))
}

fn system(root: &HostRoot) -> Result<Check, HostError> {
    let name = "system";
    Ok(match read_config(root)? {
        Some(config) => Check::ok(
            name,
            format!("follows {} of {}", config.reference, config.repository),
        ),
        None => Check::fail(
            name,
            "the host follows no system repository",
            "`bbctl host init`",
        ),
    })
}

/// The keys that commits are verified with; nothing on a host that has none.
fn signatures(host: &dyn Host) -> Option<Check> {
    let name = "signatures";
    let mut found = voa::read(host.root(), voa::Context::System);
    // Without a system repository in force there are only the host's own.
    let system = accepted_system(host).map(|revision| revision.system.keys);
    found.keys.extend(system.unwrap_or_default());
    let Found { keys, notes } = found;
    if let Some(first) = notes.first() {
        let message = format!("{} files or lines are passed over: {first}", notes.len());
        return Some(Check::warn(name, message, "correct it, or take it away"));
    }
    if !keys.certificates.is_empty() && !is_installed(VERIFIER) {
        let message = format!("{VERIFIER} is missing: no OpenPGP signature can be verified");
        return Some(Check::fail(name, message, format!("install {VERIFIER}")));
    }
    let message = format!(
        "{} keys, {} certificates, {} revoked",
        keys.allowed.len(),
        keys.certificates.len(),
        keys.revoked.len()
    );
    (keys != KeyRing::default()).then(|| Check::ok(name, message))
}

fn tenant_check(root: &HostRoot, tenant: &EffectiveTenant) -> Check {
    let name = format!("tenant {}", tenant.id);
    Check::of(&name, examine(root, &name, tenant))
}

fn examine(root: &HostRoot, name: &str, tenant: &EffectiveTenant) -> Result<Check, HostError> {
    let id = &tenant.id;
    if root.journal(id).exists() {
        let message = "an apply was interrupted";
        let advice = format!("`bbctl sync {id}` finishes or undoes it");
        return Ok(Check::warn(name, message, advice));
    }
    let Some(current) = generations::current(root, id)? else {
        let message = "it has no generation yet";
        let advice = format!("`bbctl sync {id}`");
        return Ok(if tenant.enabled {
            Check::warn(name, message, advice)
        } else {
            Check::ok(name, "disabled")
        });
    };
    if let Some(first) = generations::verify(root, id, current)?.first() {
        let message = format!("generation {current} is damaged: {first}");
        let advice =
            format!("`bbctl rollback {id}` leaves it; `bbctl sync {id} --retry` makes it anew");
        return Ok(Check::fail(name, message, advice));
    }
    if tenant.enabled
        && let Some(link) = not_generated(root, id)
    {
        let message = format!(
            "{GENERATED}/{link} is missing: the generators did not place generation {current}"
        );
        return Ok(Check::fail(
            name,
            message,
            "`systemctl daemon-reload`, then `journalctl -k -b -g generator`",
        ));
    }
    Ok(Check::ok(name, format!("generation {current} is whole")))
}

/// The first link of the current generation that the generators should have made and have not.
fn not_generated(root: &HostRoot, id: &Name) -> Option<String> {
    let generated = root.join(GENERATED);
    if !generated.is_dir() {
        return None;
    }
    let boot = std::fs::read_to_string(root.current(id).join("boot")).ok()?;
    let links = boot.lines().filter_map(|line| line.split_once('\t'));
    let mut missing = links.filter(|(link, _)| !is_link(&generated.join(link)));
    missing.next().map(|(link, _)| link.to_owned())
}

fn is_link(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

fn damaged(name: &str, error: &HostError) -> Check {
    Check::fail(name, error.to_string(), "`bbctl sync` writes it anew")
}
