//! `volumes` and `credentials`: what is put into a workload.

use crate::document::decode::{At, Cx, Fields, Table, Written, written};
use crate::document::facts::Facts;
use crate::document::node::{Kind, Node};
use crate::document::scalar::{AbsolutePath, RepoPath};
use crate::document::value;
use crate::model::{Bytes, Credential, Name, Volume};
use crate::tree::Entry;
use std::collections::BTreeSet;

written! {
    /// A persistent volume; it stays when the image changes.
    struct VolumeDoc {
        /// Its name; workloads of the tenant that use one name share the volume.
        required "name" name: Name,
        /// Absolute path in the workload.
        required "mount" mount: AbsolutePath,
        /// Wanted size, as `10G`.
        optional "size" size: Bytes,
        /// Whether the workload only reads it; false by default.
        optional "readOnly" read_only: bool,
    }
}

/// The volumes of one workload.
pub(super) fn volumes(
    docs: Option<At<Vec<VolumeDoc>>>,
    facts: &mut Facts<'_>,
    cx: &mut Cx<'_>,
) -> Vec<Volume> {
    let (mut names, mut mounts) = (BTreeSet::new(), BTreeSet::new());
    let mut volumes = Vec::new();
    for doc in docs.into_iter().flat_map(|list| list.value) {
        let origin = cx.origin(doc.span);
        if let Some(mount) = &doc.mount {
            mount_point(mount, cx);
            if !mounts.insert(mount.value.0.clone()) {
                let message = format!("`{}` is mounted twice", mount.value.0);
                cx.error_help(
                    mount.span,
                    "duplicate",
                    message,
                    "choose another path".to_owned(),
                );
            }
        }
        let (Some(name), Some(mount)) = (doc.name, doc.mount) else {
            continue;
        };
        if !names.insert(name.value.clone()) {
            let message = format!("volume `{}` is mounted twice", name.value);
            cx.error_help(
                name.span,
                "duplicate",
                message,
                "choose another name".to_owned(),
            );
        }
        if let Some(size) = &doc.size {
            facts.volume_size(&name.value, size, cx);
        }
        volumes.push(Volume {
            origin,
            name: name.value,
            mount: mount.value.0,
            size: doc.size.map(|size| size.value),
            read_only: value(doc.read_only, false),
        });
    }
    volumes
}

/// Reports a path that the system inside the workload keeps for itself.
fn mount_point(mount: &At<AbsolutePath>, cx: &mut Cx<'_>) {
    const WHOLE: [&str; 4] = ["/proc", "/sys", "/dev", "/run"];
    const EXACT: [&str; 11] = [
        "/", "/etc", "/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/boot", "/var", "/tmp",
    ];
    let path = mount.value.0.as_str();
    let below = |top: &&str| path == *top || path.starts_with(&format!("{top}/"));
    let help = "use a path of your own, as in `/srv/data` or `/var/lib/web`".to_owned();
    if EXACT.contains(&path) || WHOLE.iter().any(below) {
        let message = format!("`{path}` belongs to the system of the workload");
        cx.error_help(mount.span, "mount-point", message, help);
    } else if path.contains([':', '\\']) {
        let message = format!("`{path}` holds a character that systemd gives a meaning");
        cx.error_help(
            mount.span,
            "mount-point",
            message,
            "use a path without `:` and `\\`".to_owned(),
        );
    }
}

/// A credential: `{ encrypted: file }`.
#[derive(Debug, Clone)]
pub(crate) struct CredentialDoc {
    /// The ciphertext.
    pub(crate) encrypted: Option<At<RepoPath>>,
}

impl Written for CredentialDoc {
    fn read(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        let plain = match &node.kind {
            Kind::Text(_) | Kind::Number(_) | Kind::Bool(_) => Some(node.span),
            Kind::Map(entries) => entries
                .iter()
                .find(|entry| {
                    ["plain", "value", "text", "content", "data", "secret"]
                        .contains(&entry.key.as_str())
                })
                .map(|entry| entry.key_span),
            _ => None,
        };
        if let Some(span) = plain {
            plain_text(span, cx);
            return None;
        }
        let fields = Fields::of(node, &["encrypted"], cx)?;
        Some(Self {
            encrypted: fields.required("encrypted", cx),
        })
    }

    fn schema() -> serde_json::Value {
        let doc = ["A credential, encrypted by systemd-creds."];
        let file = ["File of the repository with the output of `systemd-creds encrypt`."];
        let path = <RepoPath as Written>::schema();
        crate::document::decode::object(&doc, vec![("encrypted", true, &file, path)])
    }
}

fn plain_text(span: crate::document::source::Span, cx: &mut Cx<'_>) {
    cx.error_help(
        span,
        "plain-credential",
        format!("`{}`: a secret in plain text does not belong into a repository", cx.key()),
        "run `systemd-creds encrypt --name=NAME - FILE` on the host, add FILE and write `{ encrypted: FILE }`".to_owned(),
    );
}

/// The credentials of one workload.
pub(super) fn credentials(
    table: Option<At<Table<CredentialDoc>>>,
    facts: &mut Facts<'_>,
    cx: &mut Cx<'_>,
) -> Vec<Credential> {
    let mut credentials = Vec::new();
    for (name, doc) in table.into_iter().flat_map(|table| table.value.0) {
        let fits = (1..=200).contains(&name.value.len())
            && name
                .value
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
            && !name.value.starts_with('.');
        if !fits {
            let message = format!("`{}` cannot be the name of a credential", name.value);
            let help = "use letters, digits, `.`, `_` and `-`".to_owned();
            cx.error_help(name.span, "credential-name", message, help);
            continue;
        }
        let Some(file) = doc.encrypted else { continue };
        let Some(path) = facts.file(&file, cx) else {
            continue;
        };
        if !is_ciphertext(&path, facts) {
            let message = format!("`{path}` is not the output of systemd-creds");
            let help = format!(
                "run `systemd-creds encrypt --name={} - {path}` on the host",
                name.value
            );
            cx.error_help(file.span, "plain-credential", message, help);
            continue;
        }
        credentials.push(Credential {
            origin: cx.origin(name.span),
            name: name.value,
            encrypted: path,
        });
    }
    credentials
}

/// Whether a file looks like what `systemd-creds encrypt` prints: base64 of at least a header (48 bytes).
pub(crate) fn is_ciphertext(path: &str, facts: &Facts<'_>) -> bool {
    let Some(Entry::File(blob)) = facts.tree.entries.get(path) else {
        return false;
    };
    let Some(content) = &blob.content else {
        return false;
    };
    let digits = content.iter().filter(|b| !b.is_ascii_whitespace());
    let base64 = |b: &u8| b.is_ascii_alphanumeric() || b"+/=".contains(b);
    digits.clone().all(base64) && digits.count() >= 64
}
