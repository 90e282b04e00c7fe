//! `metadata.json` of a template.

use super::decode::{At, Cx, words, written};
use super::metadata::{ResourcesDoc, resources};
use super::repository::Repository;
use super::scalar::{Line, Scalar, Wrong};
use crate::finding::Checked;
use crate::model::{Name, NetworkMode, TemplateKind, TemplateMetadata};
use crate::tree::Tree;
use serde_json::{Value, json};

const FILE: &str = "metadata.json";

words!(TemplateKind {
    "infrastructure" => TemplateKind::Infrastructure,
    "machine" => TemplateKind::Machine,
    "container" => TemplateKind::Container,
    "homed" => TemplateKind::Homed,
    "sysext" => TemplateKind::Sysext,
    "confext" => TemplateKind::Confext,
    "network" => TemplateKind::Network,
});

written! {
    /// `metadata.json` of a template: what it is, needs and gives by default.
    struct TemplateDoc {
        /// The template.
        required "template" template: IdentityDoc,
        /// What the host must have.
        optional "requirements" requirements: RequirementsDoc,
        /// What workloads get that say nothing else.
        optional "defaults" defaults: DefaultsDoc,
    }
}

written! {
    /// The template.
    struct IdentityDoc {
        /// What it is a template of.
        required "type" kind: TemplateKind,
        /// Version, for people.
        required "version" version: Line,
        /// Its name, that of its directory.
        required "name" name: Name,
    }
}

written! {
    /// What the host must have.
    struct RequirementsDoc {
        /// Oldest systemd, as `>=258`.
        optional "systemd_version" systemd: AtLeast,
        /// Oldest kernel, as `>=6.0`.
        optional "kernel" kernel: AtLeast,
        /// Parts of systemd and the kernel.
        optional "features" features: Vec<At<Line>>,
    }
}

written! {
    /// What workloads get that say nothing else.
    struct DefaultsDoc {
        /// Resources.
        optional "resources" resources: ResourcesDoc,
        /// Network.
        optional "network" network: DefaultNetworkDoc,
    }
}

written! {
    /// The network of a workload that says nothing else.
    struct DefaultNetworkDoc {
        /// How it carries packets.
        optional "mode" mode: NetworkMode,
        /// Whether there is one more for the host.
        optional "management_interface" management_interface: bool,
    }
}

/// An oldest version: major and minor number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AtLeast(u32, u32);

impl Scalar for AtLeast {
    const EXPECTED: &'static str = "an oldest version such as `>=258`";
    const RULE: &'static str = "version";

    fn parse(text: &str) -> Result<Self, Wrong> {
        let wrong = || Wrong::new("is no oldest version").help("write it as `>=258` or `>=6.0`");
        let version = text.strip_prefix(">=").ok_or_else(wrong)?;
        let (major, minor) = version.split_once('.').unwrap_or((version, "0"));
        let number = |text: &str| {
            let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
            digits.then(|| text.parse().ok()).flatten()
        };
        match (number(major), number(minor)) {
            (Some(major), Some(minor)) => Ok(Self(major, minor)),
            _ => Err(wrong()),
        }
    }

    fn schema() -> Value {
        json!({ "type": "string", "pattern": "^>=[0-9]+(\\.[0-9]+)?$", "examples": [">=258", ">=6.0"] })
    }
}

/// Reads the `metadata.json` of a template, which is the only file of `tree` that matters.
pub fn read_template(tree: &Tree) -> Checked<TemplateMetadata> {
    let mut repository = Repository::new(tree);
    if !tree.entries.contains_key(FILE) {
        let help = "add it with `{ \"template\": { \"type\": \"container\", ... } }`";
        let message = "the template does not say what it is";
        repository.whole_file(FILE, "missing-file", message, help);
    }
    let metadata = repository.document(FILE, metadata);
    repository.finish(metadata)
}

fn metadata(doc: TemplateDoc, _cx: &mut Cx<'_>) -> Option<TemplateMetadata> {
    let template = doc.template?.value;
    let requirements = doc.requirements.map(|at| at.value);
    let (systemd, kernel, features) = requirements.map_or((None, None, None), |doc| {
        (doc.systemd, doc.kernel, doc.features)
    });
    let features = features.into_iter().flat_map(|list| list.value);
    Some(TemplateMetadata {
        name: template.name?.value,
        kind: template.kind?.value,
        version: template.version?.value.0,
        systemd: systemd.map(|at| at.value.0),
        kernel: kernel.map(|at| (at.value.0, at.value.1)),
        features: features.map(|feature| feature.value.0).collect(),
        defaults: resources(doc.defaults.and_then(|defaults| defaults.value.resources)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::tests::tree;
    use crate::model::{Bytes, MilliCores};

    #[test]
    fn the_shipped_template_is_accepted() {
        let text = include_str!("../../../../templates/tenant-container/metadata.json");
        let checked = read_template(&tree(&[(FILE, text)]));
        assert_eq!(checked.findings, []);
        let metadata = checked.value.unwrap();
        assert_eq!(metadata.name.as_str(), "tenant-container");
        assert_eq!(metadata.kind, TemplateKind::Container);
        assert_eq!(
            (metadata.systemd, metadata.kernel),
            (Some(258), Some((6, 0)))
        );
        assert_eq!(metadata.defaults.cpu, Some(MilliCores(1000)));
        assert_eq!(metadata.defaults.memory, Some(Bytes(512 << 20)));
    }

    #[test]
    fn mistakes_are_named() {
        let text = r#"{"template":{"type":"contaner","version":"1","name":"x"},
            "requirements":{"kernel":"6.0"}}"#;
        let checked = read_template(&tree(&[(FILE, text)]));
        let rules: Vec<&str> = checked.findings.iter().map(|f| f.rule.as_str()).collect();
        assert_eq!(rules, ["unknown-value", "version"]);
        assert!(read_template(&tree(&[])).value.is_none());
    }
}
