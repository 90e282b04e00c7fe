//! Repositories to start from: valid as they stand, with the comments that their formats allow.

use bitbuilder_core::model::Name;
use std::collections::BTreeMap;

/// Files by path.
pub(crate) type Files = BTreeMap<String, String>;

/// What a new tenant runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub(crate) enum Template {
    /// A container that serves a page.
    #[default]
    Container,
    /// A virtual machine.
    Vm,
}

/// A system repository without tenants.
pub(crate) fn system() -> Files {
    files([
        ("README.md", include_str!("scaffold/system/README.md")),
        (
            ".gitops/config.yaml",
            include_str!("scaffold/system/config.yaml"),
        ),
        ("tenants/registry.json", "{\n  \"tenants\": []\n}\n"),
    ])
}

/// The repository of tenant `id`.
pub(crate) fn tenant(id: &Name, template: Template) -> Files {
    let with_id = |text: &str| text.replace("TENANT", id.as_str());
    let mut files = match template {
        Template::Container => files([
            (
                "containers/web/config.yaml",
                include_str!("scaffold/container/config.yaml"),
            ),
            (
                "containers/web/rootfs-overlay/srv/www/index.html",
                include_str!("scaffold/container/index.html"),
            ),
        ]),
        Template::Vm => files([(
            "machines/main/config.yaml",
            include_str!("scaffold/vm/config.yaml"),
        )]),
    };
    let metadata = match template {
        Template::Container => include_str!("scaffold/container/metadata.json"),
        Template::Vm => include_str!("scaffold/vm/metadata.json"),
    };
    files.insert("metadata.json".into(), with_id(metadata));
    let readme = with_id(include_str!("scaffold/tenant.md"));
    files.insert("README.md".into(), readme);
    files
}

fn files<const N: usize>(list: [(&str, &str); N]) -> Files {
    list.map(|(path, text)| (path.to_owned(), text.to_owned()))
        .into()
}
