//! What `containers/*/config.yaml` and `machines/*/config.yaml` have in common.

mod attach;
mod health;
mod image;
mod mounts;

pub(crate) use attach::AttachmentDoc;
pub(crate) use health::HealthDoc;
pub(crate) use image::ImageDoc;
pub(crate) use mounts::{CredentialDoc, VolumeDoc, is_ciphertext};

use super::decode::{At, Cx, Table, words};
use super::facts::Facts;
use super::metadata::{ResourcesDoc, names, resources};
use super::scalar::{AbsolutePath, Argument, EnvValue, UserSpec};
use super::source::Span;
use super::value;
use crate::finding::Origin;
use crate::model::{Init, Name, Restart, Workload};
use std::collections::BTreeMap;

words!(Restart {
    "always" => Restart::Always,
    "on-failure" => Restart::OnFailure,
    "no" => Restart::No,
});

/// The keys that containers and machines share; both documents list them, so that each has one schema.
#[derive(Debug)]
pub(crate) struct Common {
    pub(crate) span: Span,
    pub(crate) image: Option<At<ImageDoc>>,
    pub(crate) boot: Option<At<bool>>,
    pub(crate) command: Option<At<Vec<At<Argument>>>>,
    pub(crate) env: Option<At<Table<EnvValue>>>,
    pub(crate) user: Option<At<UserSpec>>,
    pub(crate) workdir: Option<At<AbsolutePath>>,
    pub(crate) resources: Option<At<ResourcesDoc>>,
    pub(crate) networks: Option<At<Vec<AttachmentDoc>>>,
    pub(crate) volumes: Option<At<Vec<VolumeDoc>>>,
    pub(crate) credentials: Option<At<Table<CredentialDoc>>>,
    pub(crate) extensions: Option<At<Vec<At<Name>>>>,
    pub(crate) depends_on: Option<At<Vec<At<Name>>>>,
    pub(crate) restart: Option<At<Restart>>,
    pub(crate) autostart: Option<At<bool>>,
    pub(crate) health: Option<At<HealthDoc>>,
}

/// Moves the shared keys of a document into a [`Common`].
macro_rules! common {
    ($doc:ident) => {
        $crate::document::workload::Common {
            span: $doc.span,
            image: $doc.image,
            boot: $doc.boot,
            command: $doc.command,
            env: $doc.env,
            user: $doc.user,
            workdir: $doc.workdir,
            resources: $doc.resources,
            networks: $doc.networks,
            volumes: $doc.volumes,
            credentials: $doc.credentials,
            extensions: $doc.extensions,
            depends_on: $doc.depends_on,
            restart: $doc.restart,
            autostart: $doc.autostart,
            health: $doc.health,
        }
    };
}
pub(crate) use common;

/// The workload that the shared keys say; `template` is its image when none is written.
pub(crate) fn workload(
    doc: Common,
    name: &Name,
    template: &str,
    facts: &mut Facts<'_>,
    cx: &mut Cx<'_>,
) -> Option<Workload> {
    let image = image::image(doc.image, template, facts, cx);
    let init = init(doc.boot, doc.command, doc.span, cx);
    if init == Some(Init::Boot) {
        only_with_command(doc.user.as_ref().map(|user| user.span), "user", cx);
        only_with_command(doc.workdir.as_ref().map(|dir| dir.span), "workdir", cx);
    }
    let networks = doc
        .networks
        .map(|list| attach::attachments(list.value, facts, cx));
    let depends_on = names(doc.depends_on, cx);
    Some(Workload {
        origin: Origin::file(cx.file()),
        name: name.clone(),
        env: env(doc.env, cx),
        user: doc.user.map(|user| user.value.0),
        workdir: doc.workdir.map(|dir| dir.value.0),
        resources: resources(doc.resources),
        networks,
        volumes: mounts::volumes(doc.volumes, facts, cx),
        credentials: mounts::credentials(doc.credentials, facts, cx),
        extensions: names(doc.extensions, cx),
        depends_on,
        restart: value(doc.restart, Restart::OnFailure),
        autostart: value(doc.autostart, true),
        health: doc
            .health
            .and_then(|doc| health::health(doc.value, facts, cx)),
        image: image?,
        init: init?,
    })
}

fn init(
    boot: Option<At<bool>>,
    command: Option<At<Vec<At<Argument>>>>,
    span: Span,
    cx: &mut Cx<'_>,
) -> Option<Init> {
    match (boot, command) {
        (Some(boot), Some(_)) if boot.value => {
            let help =
                "remove `boot` to run the command, or `command` to boot the image".to_owned();
            cx.error_help(
                boot.span,
                "boot-and-command",
                "an image boots or runs a command, not both",
                help,
            );
            None
        }
        (Some(boot), None) if !boot.value => {
            let help = "add `command: [program, argument]`".to_owned();
            let span = if boot.span.end > boot.span.start {
                boot.span
            } else {
                span
            };
            cx.error_help(
                span,
                "no-command",
                "an image that does not boot needs a command",
                help,
            );
            None
        }
        (_, Some(command)) => argv(command, cx).map(Init::Command),
        _ => Some(Init::Boot),
    }
}

/// A command with a program that is there to be run.
fn argv(command: At<Vec<At<Argument>>>, cx: &mut Cx<'_>) -> Option<Vec<String>> {
    let argv: Vec<String> = command
        .value
        .iter()
        .map(|word| word.value.0.clone())
        .collect();
    let program = argv.first().map_or("", String::as_str);
    if program.is_empty() || program.contains('\n') {
        let help =
            "write program and arguments, as in `[/usr/bin/server, --port, \"8080\"]`".to_owned();
        cx.error_help(
            command.span,
            "empty-command",
            "the command names no program",
            help,
        );
        return None;
    }
    Some(argv)
}

fn only_with_command(span: Option<Span>, key: &str, cx: &mut Cx<'_>) {
    if let Some(span) = span {
        let help = "add `command`, or remove this key: the image's own init sets it".to_owned();
        cx.error_help(
            span,
            "needs-command",
            format!("`{key}` is for a command, and this image boots"),
            help,
        );
    }
}

fn env(table: Option<At<Table<EnvValue>>>, cx: &mut Cx<'_>) -> BTreeMap<String, String> {
    let mut env = BTreeMap::new();
    for (key, value) in table.into_iter().flat_map(|table| table.value.0) {
        let fits = !key.value.starts_with(|c: char| c.is_ascii_digit())
            && (1..=256).contains(&key.value.len())
            && key
                .value
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if fits {
            env.insert(key.value, value.0);
        } else {
            let message = format!("`{}` cannot be the name of a variable", key.value);
            let help = "use letters, digits and `_`, not beginning with a digit".to_owned();
            cx.error_help(key.span, "environment", message, help);
        }
    }
    env
}
