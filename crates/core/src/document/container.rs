//! `containers/<name>/config.yaml`.

use super::decode::{At, Cx, Table, written};
use super::facts::Facts;
use super::metadata::ResourcesDoc;
use super::scalar::{AbsolutePath, Argument, Capability, EnvValue, UserSpec};
use super::value;
use super::workload::{
    AttachmentDoc, CredentialDoc, HealthDoc, ImageDoc, VolumeDoc, common, workload,
};
use crate::model::{Container, Name, Restart};
use std::collections::BTreeSet;

written! {
    /// `containers/<name>/config.yaml`: a container, run by systemd-nspawn.
    struct ContainerDoc {
        /// Root file system; the template `tenant-container` by default.
        optional "image" image: ImageDoc,
        /// Whether the image's init runs; true unless there is a command.
        optional "boot" boot: bool,
        /// Program and arguments that run instead of the image's init.
        optional "command" command: Vec<At<Argument>>,
        /// Environment of the first process.
        optional "env" env: Table<EnvValue>,
        /// User of the command.
        optional "user" user: UserSpec,
        /// Working directory of the command.
        optional "workdir" workdir: AbsolutePath,
        /// What it wants.
        optional "resources" resources: ResourcesDoc,
        /// Networks, in order; the tenant's first network by default.
        optional "networks" networks: Vec<AttachmentDoc>,
        /// Persistent volumes.
        optional "volumes" volumes: Vec<VolumeDoc>,
        /// Credentials by name.
        optional "credentials" credentials: Table<CredentialDoc>,
        /// Extensions to merge.
        optional "extensions" extensions: Vec<At<Name>>,
        /// Containers and machines that must be healthy first.
        optional "dependsOn" depends_on: Vec<At<Name>>,
        /// When it is started again; on-failure by default.
        optional "restart" restart: Restart,
        /// Whether it starts with the tenant; true by default.
        optional "autostart" autostart: bool,
        /// Health check.
        optional "health" health: HealthDoc,
        /// User namespace; always on.
        optional "privateUsers" private_users: bool,
        /// Capabilities beyond the default set.
        optional "capabilities" capabilities: Vec<At<Capability>>,
        /// Whether its root is read-only; false by default.
        optional "readOnly" read_only: bool,
    }
}

/// The container that `doc` says.
pub(crate) fn container(
    doc: ContainerDoc,
    name: &Name,
    facts: &mut Facts<'_>,
    cx: &mut Cx<'_>,
) -> Option<Container> {
    if let Some(private) = doc.private_users.as_ref().filter(|flag| !flag.value) {
        cx.error_help(
            private.span,
            "private-users",
            "the user namespace of a container cannot be turned off",
            "remove `privateUsers`, or write `true`".to_owned(),
        );
    }
    let listed = doc.capabilities.into_iter().flat_map(|list| list.value);
    let capabilities: BTreeSet<String> = listed.map(|capability| capability.value.0).collect();
    let read_only = value(doc.read_only, false);
    let directory = format!("containers/{name}/rootfs-overlay");
    let overlay = facts.below(&format!("{directory}/")).next().is_some();
    let overlay = overlay.then(|| {
        facts
            .tree
            .directories
            .get(&directory)
            .cloned()
            .unwrap_or_default()
    });
    Some(Container {
        workload: workload(common!(doc), name, "tenant-container", facts, cx)?,
        capabilities: capabilities.into_iter().collect(),
        read_only,
        overlay,
    })
}
