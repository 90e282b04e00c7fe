//! What the generators link: nothing but this set's files and shipped templates, and all of it.

use super::Lint;
use super::expected::Expected;
use crate::artefact::UnitKind;
use std::collections::{BTreeMap, BTreeSet};

const SHIPPED: &str = "/usr/lib/systemd/system";

pub(super) fn check(lint: &mut Lint<'_>) {
    let mut allowed = top_level(lint, "system/");
    let files: BTreeSet<String> = allowed.keys().cloned().collect();
    allowed.extend(wants(lint));
    links(lint, "boot", &allowed, &files);
    let mounts = top_level(lint, "mounts/");
    let files = mounts.keys().cloned().collect();
    links(lint, "mount-boot", &mounts, &files);
}

/// Checks the lines of `path`: each is in `allowed`, and each of `needed` is there.
fn links(
    lint: &mut Lint<'_>,
    path: &str,
    allowed: &BTreeMap<String, String>,
    needed: &BTreeSet<String>,
) {
    let Some(text) = lint.text(path) else {
        lint.refuse(path, "missing-file", "it is missing or no text");
        return;
    };
    let mut seen = BTreeSet::new();
    for line in text.split_terminator('\n') {
        let (link, target) = line.split_once('\t').unwrap_or((line, ""));
        if allowed.get(link).map(String::as_str) != Some(target) {
            let message = format!("`{line}` links something that is not this tenant's");
            lint.refuse(path, "boot-link", message);
        }
        if !seen.insert(link.to_owned()) {
            lint.refuse(path, "boot-link", format!("`{link}` is there twice"));
        }
    }
    // A unit without its drop-ins would run as nobody wanted it.
    for link in needed.difference(&seen) {
        lint.refuse(path, "boot-link", format!("`{link}` is not linked"));
    }
}

/// Unit files and directories of drop-ins by their links.
fn top_level(lint: &Lint<'_>, prefix: &str) -> BTreeMap<String, String> {
    let paths = lint.artefacts.files.keys();
    paths
        .filter_map(|path| path.strip_prefix(prefix)?.split('/').next())
        .map(|name| (name.to_owned(), format!("{prefix}{name}")))
        .collect()
}

/// Links that pull something in, with their targets.
fn wants(lint: &Lint<'_>) -> BTreeMap<String, String> {
    let expected: &Expected<'_> = lint.expected;
    let tenant = expected.tenant();
    let mut links = BTreeMap::new();
    if expected.registration.enabled {
        links.insert(
            format!("multi-user.target.wants/{tenant}"),
            format!("{SHIPPED}/tenant@.service"),
        );
    }
    for unit in &lint.artefacts.units {
        match (unit.kind, expected.machine_of(&unit.name)) {
            (UnitKind::Workload, Some(machine)) => {
                let template = match unit.name == machine.vm() {
                    true => "systemd-vmspawn@.service",
                    false => "systemd-nspawn@.service",
                };
                let link = format!("{tenant}.wants/{}", unit.name);
                links.insert(link, format!("{SHIPPED}/{template}"));
            }
            (UnitKind::Health, Some(machine)) => {
                for runs in [machine.container(), machine.vm()] {
                    let link = format!("{runs}.wants/{}", unit.name);
                    let timer = format!("{SHIPPED}/tenant-health@.timer");
                    drop(lint.owns(&runs).then(|| links.insert(link, timer)));
                }
            }
            (UnitKind::Namespace, _) => {
                let link = format!("{tenant}.wants/{}", unit.name);
                links.insert(link, format!("{SHIPPED}/netns-tenant@.service"));
            }
            _ => {}
        }
    }
    links
}
