//! Where files are: what a repository may hold, and files whose place or name nothing reads.

use super::repository::{Repository, shown};
use super::scalar::{is_unsafe, name_from};
use super::signers::is_read;
use super::{MAX_FILES, MAX_TREE, suggest};
use crate::finding::{Finding, Origin};
use crate::model::Name;
use crate::tree::Entry;
use std::collections::{BTreeMap, BTreeSet};

/// Which repository it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The operator's.
    System,
    /// A tenant's.
    Tenant,
}

/// Directories of a tenant repository that stand for something.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// `containers/<name>/` with a `config.yaml`.
    pub(crate) containers: BTreeMap<Name, String>,
    /// `machines/<name>/` with a `config.yaml`.
    pub(crate) machines: BTreeMap<Name, String>,
    /// `users/<name>/` with a `homed-config.json`.
    pub(crate) users: BTreeMap<Name, String>,
    /// Files that are only right when a document refers to them.
    unclaimed: Vec<String>,
}

impl Found {
    /// All workloads with their directory.
    pub(crate) fn workloads(&self) -> BTreeMap<Name, String> {
        let both = self.containers.iter().chain(&self.machines);
        both.map(|(name, directory)| (name.clone(), directory.clone()))
            .collect()
    }
}

/// Whether the content of the file at `path` is read: everything but trees that are only copied
/// (overlays, extensions, portable services) and images.
pub fn is_document(path: &str) -> bool {
    const COPIED: [&str; 3] = ["extensions", "services", "docs"];
    const IMAGES: [&str; 16] = [
        "raw", "img", "qcow2", "iso", "efi", "gz", "xz", "zst", "bz2", "tar", "tgz", "vhd", "vmdk",
        "squashfs", "erofs", "png",
    ];
    let mut parts = path.split('/');
    let first = parts.next().unwrap_or_default();
    let hidden = first.starts_with('.') && first != ".gitops";
    let copied = COPIED.contains(&first) || in_copied_tree(path);
    let extension = path.rsplit_once('.').map_or("", |(_, extension)| extension);
    !(hidden || copied || IMAGES.contains(&extension.to_ascii_lowercase().as_str()))
}

/// Whether `path` is in a tree that becomes a root file system: links there mean places in a machine.
fn in_copied_tree(path: &str) -> bool {
    let directories = path
        .rsplit_once('/')
        .map_or("", |(directories, _)| directories);
    // The second part is a name that a person chose: `containers/rootfs/config.yaml` is a document.
    directories
        .split('/')
        .enumerate()
        .any(|(at, part)| at != 1 && matches!(part, "rootfs-overlay" | "rootfs"))
}

/// Files that people put everywhere and that mean nothing to a host.
pub(crate) fn is_ignored(name: &str) -> bool {
    const PREFIXES: [&str; 8] = [
        "README",
        "LICENSE",
        "LICENCE",
        "COPYING",
        "CHANGELOG",
        "CONTRIBUTING",
        "CODEOWNERS",
        "SECURITY",
    ];
    name.starts_with('.') || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// Checks the tree: its size, every path, and every place of a file.
pub(crate) fn check(repository: &mut Repository<'_>, kind: Kind) -> Found {
    let tree = repository.tree;
    if tree.entries.len() > MAX_FILES {
        let message = format!(
            "{} files, a repository has at most {MAX_FILES}",
            tree.entries.len()
        );
        let finding = Finding::error(Origin::default(), "too-many-files", message);
        repository
            .findings
            .push(finding.help("move data into an image or a template"));
    }
    let sizes = tree.entries.values().map(|entry| match entry {
        Entry::File(blob) => blob.size,
        _ => 0,
    });
    let total = sizes.fold(0u64, u64::saturating_add);
    if total > MAX_TREE {
        let message = format!("{total} bytes of files, a repository has at most {MAX_TREE}");
        let finding = Finding::error(Origin::default(), "tree-size", message);
        repository
            .findings
            .push(finding.help("move images out of the repository: `image: { url, sha256 }`"));
    }
    let mut found = Found::default();
    let mut seen = BTreeSet::new();
    for (path, entry) in tree.entries.iter().take(MAX_FILES) {
        if !usable_path(repository, path) {
            continue;
        }
        entry_kind(repository, path, entry);
        match kind {
            Kind::System => system_place(repository, path, &mut seen),
            Kind::Tenant => tenant_place(repository, path, &mut found, &mut seen),
        }
    }
    same_name(repository, &found);
    found
}

fn usable_path(repository: &mut Repository<'_>, path: &str) -> bool {
    let bad_part = |part: &str| {
        part.is_empty() || part == "." || part == ".." || part == ".git" || part.len() > 255
    };
    let fits = path.len() <= 4096 && !path.chars().any(is_unsafe) && !path.split('/').any(bad_part);
    if !fits {
        let message = format!("`{}` is not a usable path", shown(path));
        let finding = Finding::error(Origin::file(path), "path", message);
        let help = "rename it: no `..`, no control characters, at most 255 bytes a name";
        repository.findings.push(finding.help(help));
    }
    fits
}

fn entry_kind(repository: &mut Repository<'_>, path: &str, entry: &Entry) {
    match entry {
        Entry::File(_) => {}
        Entry::Submodule => {
            let message = format!("`{}` is a submodule, which is never followed", shown(path));
            repository.whole_file(
                path,
                "submodule",
                message,
                "put the files themselves into the repository",
            );
        }
        Entry::Special => {
            let message = format!("`{}` is a FIFO, socket or device", shown(path));
            repository.whole_file(path, "special-file", message, "remove it");
        }
        Entry::Symlink(target) => {
            let machine_tree = in_copied_tree(path)
                || path.starts_with("extensions/")
                || path.starts_with("services/");
            if !machine_tree && leaves(path, target) {
                let message = format!(
                    "the link `{}` leads out of the repository, to `{}`",
                    shown(path),
                    shown(target)
                );
                repository.whole_file(
                    path,
                    "symlink",
                    message,
                    "link to a file of this repository, or copy it",
                );
            }
        }
    }
}

/// Whether a link at `path` to `target` may lead out of the repository.
fn leaves(path: &str, target: &str) -> bool {
    if target.starts_with('/') || target.is_empty() {
        return true;
    }
    let mut depth = path.split('/').count() - 1;
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." if depth == 0 => return true,
            ".." => depth -= 1,
            _ => depth += 1,
        }
    }
    false
}

fn system_place(repository: &mut Repository<'_>, path: &str, seen: &mut BTreeSet<String>) {
    const TOP: [&str; 9] = [
        ".gitops/",
        "tenants/",
        "access/",
        "generators/",
        "units/",
        "network/",
        "extensions/",
        "templates/",
        "docs/",
    ];
    let parts: Vec<&str> = path.split('/').collect();
    match parts.as_slice() {
        [".gitops", "config.yaml"] | ["tenants", "registry.json"] => {}
        [".gitops", name] if !is_ignored(name) => {
            place(repository, path, name, &["config.yaml"], seen)
        }
        [".gitops", "signers", name] if is_read(name) => {}
        [".gitops", "signers", name] if !is_ignored(name) => {
            let known = ["allowed_signers", "revoked_signers", "NAME.asc"];
            place(repository, path, name, &known, seen);
        }
        ["tenants", name] if !is_ignored(name) => {
            place(repository, path, name, &["registry.json"], seen)
        }
        [".gitops" | "tenants", name, ..] if !is_ignored(name) => {
            let message = format!("nothing reads `{}`", shown(path));
            let finding = Finding::warning(Origin::file(path), "unknown-file", message);
            repository
                .findings
                .push(finding.help("tenants have repositories of their own"));
        }
        [top, ..] => top_level(repository, top, parts.len() > 1, &TOP, seen),
        [] => {}
    }
}

/// What stands at the root of a tenant repository.
const TENANT_TOP: [&str; 10] = [
    "metadata.json",
    "infrastructure/",
    "network/",
    "machines/",
    "containers/",
    "extensions/",
    "services/",
    "users/",
    "scripts/",
    "docs/",
];

fn tenant_place(
    repository: &mut Repository<'_>,
    path: &str,
    found: &mut Found,
    seen: &mut BTreeSet<String>,
) {
    let parts: Vec<&str> = path.split('/').collect();
    if parts.last().is_some_and(|name| is_ignored(name)) && parts[0] != ".gitops" {
        return;
    }
    match parts.as_slice() {
        ["metadata.json"] | ["docs", ..] => {}
        ["infrastructure", name] => {
            place(
                repository,
                path,
                name,
                &["config.yaml", "resource-limits.yaml"],
                seen,
            );
        }
        ["network", name] => place(
            repository,
            path,
            name,
            &["topology.yaml", "firewall/", "wireguard/"],
            seen,
        ),
        ["network", "firewall" | "wireguard", name] if name.ends_with(".yaml") => {}
        // A preshared key in ciphertext, which a peer refers to.
        ["network", "wireguard", name] if name.ends_with(".psk") => {
            found.unclaimed.push(path.to_owned());
        }
        ["network", "firewall" | "wireguard", name] => {
            let stem = name.split('.').next().unwrap_or(name);
            let message = format!(
                "nothing reads `{}`: rules and peers are in `.yaml` files",
                shown(path)
            );
            repository.whole_file(
                path,
                "unknown-file",
                message,
                &format!("rename it to `{stem}.yaml`"),
            );
        }
        ["network" | "infrastructure", directory, ..] => {
            let known = ["firewall/", "wireguard/"];
            place(repository, path, &format!("{directory}/"), &known, seen);
        }
        ["containers", name, rest @ ..] => {
            workload(
                repository,
                path,
                "containers",
                name,
                rest,
                &mut found.unclaimed,
                seen,
            );
            note(
                repository,
                &mut found.containers,
                "containers",
                name,
                "config.yaml",
                seen,
            );
        }
        ["machines", name, rest @ ..] => {
            workload(
                repository,
                path,
                "machines",
                name,
                rest,
                &mut found.unclaimed,
                seen,
            );
            note(
                repository,
                &mut found.machines,
                "machines",
                name,
                "config.yaml",
                seen,
            );
        }
        ["users", name, rest @ ..] => {
            match rest {
                [] => place(repository, path, name, &["USER/homed-config.json"], seen),
                [file] => place(repository, path, file, &["homed-config.json"], seen),
                _ => place(repository, path, "/", &["homed-config.json"], seen),
            }
            note(
                repository,
                &mut found.users,
                "users",
                name,
                "homed-config.json",
                seen,
            );
        }
        ["extensions", "sysext" | "confext", ..] => {}
        ["extensions", name] => place(repository, path, name, &["sysext/", "confext/"], seen),
        ["extensions", name, ..] => place(
            repository,
            path,
            &format!("{name}/"),
            &["sysext/", "confext/"],
            seen,
        ),
        ["services", ..] => {}
        ["scripts", name] => script(repository, path, name),
        ["scripts", ..] => {}
        [top, ..] => top_level(repository, top, parts.len() > 1, &TENANT_TOP, seen),
        [] => {}
    }
}

/// A file of a workload's directory; `rest` is its path there.
fn workload(
    repository: &mut Repository<'_>,
    path: &str,
    top: &str,
    name: &str,
    rest: &[&str],
    unclaimed: &mut Vec<String>,
    seen: &mut BTreeSet<String>,
) {
    const CLOUD_INIT: [&str; 4] = ["user-data", "meta-data", "network-config", "vendor-data"];
    match rest {
        [] => {
            let stem = name
                .split('.')
                .next()
                .and_then(name_from)
                .unwrap_or_else(|| "NAME".into());
            let message = format!(
                "nothing reads `{}`: there is a directory for each",
                shown(path)
            );
            repository.whole_file(
                path,
                "unknown-file",
                message,
                &format!("move it to `{top}/{stem}/config.yaml`"),
            );
        }
        ["config.yaml"] => {}
        ["rootfs-overlay", _, ..] if top == "containers" => {}
        ["cloud-init", file] if top == "machines" => {
            place(repository, path, file, &CLOUD_INIT, seen)
        }
        _ => unclaimed.push(path.to_owned()),
    }
}

/// Notes the directory `top/name`, once.
fn note(
    repository: &mut Repository<'_>,
    directories: &mut BTreeMap<Name, String>,
    top: &str,
    name: &str,
    document: &str,
    seen: &mut BTreeSet<String>,
) {
    let directory = format!("{top}/{name}/");
    let is_directory = repository
        .tree
        .entries
        .range(directory.clone()..)
        .next()
        .is_some_and(|(path, _)| path.starts_with(&directory));
    if !is_directory || !seen.insert(directory.clone()) {
        return;
    }
    let path = format!("{directory}{document}");
    match Name::new(name) {
        Ok(name) if top != "users" && super::topology::RESERVED.contains(&name.as_str()) => {
            let message = format!("`{name}` has a meaning in firewall rules");
            repository.whole_file(
                &path,
                "reserved-name",
                message,
                "choose another name for the directory",
            );
        }
        Ok(name) => {
            if !repository.tree.entries.contains_key(&path) {
                let message = format!("`{directory}` has no `{document}`");
                repository.whole_file(
                    &path,
                    "missing-file",
                    message,
                    "add it, or remove the directory",
                );
            }
            directories.insert(name, directory);
        }
        Err(error) => {
            let help = match name_from(name) {
                Some(name) => format!("rename the directory to `{top}/{name}`"),
                None => "rename the directory".into(),
            };
            repository.whole_file(&path, "name", error.to_string(), &help);
        }
    }
}

/// A script that has nearly the name of one that runs.
fn script(repository: &mut Repository<'_>, path: &str, name: &str) {
    const KNOWN: [&str; 3] = ["pre-provision.sh", "post-provision.sh", "health-check.sh"];
    if KNOWN.contains(&name) {
        return;
    }
    if let Some(nearest) = suggest::nearest(name, KNOWN) {
        let message = format!("nothing runs `{}`", shown(path));
        let help = format!("did you mean `scripts/{nearest}`?");
        repository.whole_file(path, "unknown-file", message, &help);
    }
}

/// A file in a directory whose names are all known.
fn place(
    repository: &mut Repository<'_>,
    path: &str,
    name: &str,
    known: &[&str],
    seen: &mut BTreeSet<String>,
) {
    if known.contains(&name) {
        return;
    }
    let directory = if name.ends_with('/') {
        path.find(name).map_or(path, |at| &path[..at])
    } else {
        path
    };
    if name.ends_with('/') && !seen.insert(format!("{directory}{name}?")) {
        return;
    }
    let message = format!("nothing reads `{}`", shown(path));
    let help = suggest::hint(name, known.iter().copied()).unwrap_or_default();
    repository.whole_file(path, "unknown-file", message, &help);
}

/// An entry at the root: near to a known name it is a mistake, else it may be of other tools.
fn top_level(
    repository: &mut Repository<'_>,
    top: &str,
    directory: bool,
    known: &[&str],
    seen: &mut BTreeSet<String>,
) {
    let name = if directory {
        format!("{top}/")
    } else {
        top.to_owned()
    };
    let misplaced = top == ".gitops" && !known.contains(&".gitops/");
    if known.contains(&name.as_str())
        || (is_ignored(top) && !misplaced)
        || !seen.insert(name.clone())
    {
        return;
    }
    let synonym = match top {
        "vm" | "vms" | "virtual-machines" => Some("machines/"),
        "ct" | "pods" | "apps" | "workloads" => Some("containers/"),
        "firewall" => Some("network/firewall/"),
        "wireguard" => Some("network/wireguard/"),
        "sysext" | "confext" => Some("extensions/"),
        "topology.yaml" | "topology.yml" => Some("network/topology.yaml"),
        "registry.json" => Some("tenants/registry.json"),
        _ => None,
    };
    let nearest = synonym.or_else(|| suggest::nearest(&name, known.iter().copied()));
    let message = format!("nothing reads `{}`", shown(&name));
    let finding = match nearest {
        Some(nearest) => Finding::error(Origin::file(name), "unknown-file", message)
            .help(format!("did you mean `{nearest}`?")),
        None if misplaced => Finding::error(Origin::file(name), "unknown-file", message)
            .help("it belongs into the system repository"),
        None => Finding::warning(Origin::file(name), "unknown-file", message)
            .help("put what is not for the host into `docs/`"),
    };
    repository.findings.push(finding);
}

fn same_name(repository: &mut Repository<'_>, found: &Found) {
    for (name, directory) in &found.machines {
        if found.containers.contains_key(name) {
            let message = format!(
                "there is a container `{name}` too; containers and machines share their names"
            );
            repository.whole_file(
                &format!("{directory}config.yaml"),
                "duplicate-name",
                message,
                "rename one of the directories",
            );
        }
    }
}

/// Files of workload directories that no document refers to.
pub(crate) fn leftovers(repository: &mut Repository<'_>, found: &Found, used: &BTreeSet<String>) {
    let claimed = |path: &str| {
        used.contains(path)
            || path
                .match_indices('/')
                .any(|(at, _)| used.contains(&path[..at]))
    };
    let left: Vec<&String> = found
        .unclaimed
        .iter()
        .filter(|path| !claimed(path))
        .collect();
    for path in left {
        let parts: Vec<&str> = path.splitn(4, '/').collect();
        let containers = parts.first() == Some(&"containers");
        let known: &[&str] = if containers {
            &["config.yaml", "rootfs-overlay"]
        } else {
            &["config.yaml", "cloud-init"]
        };
        let name = parts.get(2).copied().unwrap_or_default();
        let message = format!(
            "nothing reads `{}` and no document refers to it",
            shown(path)
        );
        let finding = match suggest::nearest(name, known.iter().copied()) {
            Some(nearest) => Finding::error(Origin::file(path.as_str()), "unknown-file", message)
                .help(format!(
                    "did you mean `{}/{}/{nearest}`?",
                    parts[0], parts[1]
                )),
            None => Finding::warning(Origin::file(path.as_str()), "unknown-file", message)
                .help("refer to it, or remove it"),
        };
        repository.findings.push(finding);
    }
}
