//! Mounts: images of the host, shown as the tenant's, and overlays in the tenant's own directories.

use super::Lint;
use super::expected::Expected;
use super::unit::{each, is_plain, settings};
use crate::artefact::UnitKind;
use crate::unitfile::escape_path;
use crate::unitfile::read::Assignment;
use std::collections::BTreeMap;

pub(super) fn check(lint: &mut Lint<'_>) {
    for (path, text) in lint.texts("mounts/") {
        let Some(settings) = settings(lint, path, text) else {
            continue;
        };
        each(lint, path, &settings, |lint, s| match (s.section, s.key) {
            ("Unit", "DefaultDependencies") => s.value == "no",
            ("Unit", "Conflicts" | "Before") => s.value == "umount.target",
            ("Unit", "Requires" | "After") => s.value.split(' ').all(|unit| {
                let mount = lint.expected.kind(unit) == Some(UnitKind::Mount);
                unit == "local-fs.target" && s.key == "After" || mount && lint.owns(unit)
            }),
            ("Mount", "What" | "Where" | "Type" | "Options") => is_plain(s.value),
            _ => false,
        });
        mount(lint, path, &settings);
    }
}

fn mount(lint: &mut Lint<'_>, path: &str, settings: &[Assignment<'_>]) {
    let its = settings.iter().filter(|setting| setting.section == "Mount");
    let values: BTreeMap<&str, String> = its
        .clone()
        .map(|setting| (setting.key, setting.value.replace("%%", "%")))
        .collect();
    if its.count() != values.len() {
        lint.refuse(path, "mount", "a setting is there twice");
    }
    let value = |key: &str| values.get(key).map(String::as_str).unwrap_or_default();
    let (what, at, kind, options) = (
        value("What"),
        value("Where"),
        value("Type"),
        value("Options"),
    );
    let named = path.strip_prefix("mounts/") == Some(&format!("{}.mount", escape_path(at)));
    lint.require(
        named,
        path,
        "mount",
        format!("it is not named after `{at}`"),
    );
    let known = match kind {
        "none" => is_image(lint.expected, what, at, options),
        "overlay" => what == "overlay" && is_root(lint, at, options),
        _ => false,
    };
    lint.require(
        known,
        path,
        "mount",
        format!("`{what}` on `{at}` is neither an image of this host nor the root of a container"),
    );
}

/// An image of the host, read-only, with the host's root shown as the tenant's.
fn is_image(expected: &Expected<'_>, what: &str, at: &str, options: &str) -> bool {
    let layers = format!("{}/layers/", expected.home());
    let image = at
        .strip_prefix(&layers)
        .and_then(|digest| expected.images().get(digest).copied());
    let wanted = format!(
        "bind,ro,nodev,X-mount.idmap=b:0:{}:65536",
        expected.uid_base
    );
    image == Some(what) && options == wanted
}

/// The overlay of a container, of this tenant's layers and of its own upper directory.
fn is_root(lint: &Lint<'_>, at: &str, options: &str) -> bool {
    let expected = lint.expected;
    let containers = format!("{}/containers/", expected.home());
    let workload = at
        .strip_prefix(&containers)
        .and_then(|rest| rest.strip_suffix("/rootfs"));
    let Some(machine) = workload.and_then(|workload| expected.machine(workload)) else {
        return false;
    };
    let home = machine.home(expected);
    let Some(lower) = options
        .strip_prefix("nodev,index=off,metacopy=off,redirect_dir=off,lowerdir=")
        .and_then(|rest| rest.strip_suffix(&format!(",upperdir={home}/upper,workdir={home}/work")))
    else {
        return false;
    };
    let layers = format!("{}/layers/", expected.home());
    lower.split(':').all(|layer| {
        layer.strip_prefix(&layers).is_some_and(|key| {
            let own = lint.artefacts.layers.iter().any(|layer| layer.key == key);
            own || expected.images().contains_key(key)
        })
    })
}
