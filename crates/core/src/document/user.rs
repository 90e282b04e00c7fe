//! `users/<user>/homed-config.json`: a systemd user record, the parts that a tenant may say.

use super::decode::{At, Cx, Written, written};
use super::node::Node;
use super::scalar::{AbsolutePath, Count, EnvValue, Int, Line};
use crate::finding::Origin;
use crate::model::{Bytes, Name, User};
use serde_json::Value;

/// A field of a user record that the host decides: ids, passwords, paths, storage.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HostOnly;

impl Written for HostOnly {
    fn read(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        let message = format!("`{}` is for the host to decide", cx.key());
        cx.error_help(node.span, "host-only-key", message, "remove it".to_owned());
        None
    }

    fn schema() -> Value {
        Value::Bool(false)
    }
}

written! {
    /// `users/<user>/homed-config.json`: a systemd user record, systemd.io/USER_RECORD.
    struct UserDoc {
        /// Name of the user, that of the directory.
        required "userName" user_name: Name,
        /// Name for people.
        optional "realName" real_name: Line,
        /// Mail address.
        optional "emailAddress" email_address: Line,
        /// Name of an icon.
        optional "iconName" icon_name: Line,
        /// Location.
        optional "location" location: Line,
        /// Time zone, as `Europe/Berlin`.
        optional "timeZone" time_zone: Line,
        /// Language, as `en_GB.UTF-8`.
        optional "preferredLanguage" preferred_language: Line,
        /// More languages.
        optional "additionalLanguages" additional_languages: Vec<At<Line>>,
        /// Login shell.
        optional "shell" shell: AbsolutePath,
        /// Environment, as `NAME=value`.
        optional "environment" environment: Vec<At<EnvValue>>,
        /// File mode mask of the user's processes, decimal.
        optional "umask" umask: Int<0, 511>,
        /// Scheduling priority, 0 is normal.
        optional "niceLevel" nice_level: Int<0, 19>,
        /// Whether nobody can log in.
        optional "locked" locked: bool,
        /// Whether the user logs in without being asked.
        optional "autoLogin" auto_login: bool,
        /// Whether processes are killed at log-out.
        optional "killProcesses" kill_processes: bool,
        /// Most processes and threads.
        optional "tasksMax" tasks_max: Count,
        /// Most memory in bytes.
        optional "memoryMax" memory_max: Int<1, 9_007_199_254_740_991>,
        /// Memory in bytes above which the user's processes are slowed down.
        optional "memoryHigh" memory_high: Int<1, 9_007_199_254_740_991>,
        /// Share of the processor.
        optional "cpuWeight" cpu_weight: Int<1, 10_000>,
        /// Share of the disks.
        optional "ioWeight" io_weight: Int<1, 10_000>,
        /// Wanted size of the home in bytes.
        optional "diskSize" disk_size: Int<1, 9_007_199_254_740_991>,
        /// Hint for the password.
        optional "passwordHint" password_hint: Line,
        /// Whether passwords must be strong.
        optional "enforcePasswordPolicy" enforce_password_policy: bool,
        /// The host's.
        optional "uid" uid: HostOnly,
        /// The host's.
        optional "gid" gid: HostOnly,
        /// The host's.
        optional "memberOf" member_of: HostOnly,
        /// The host's.
        optional "realm" realm: HostOnly,
        /// The host's.
        optional "disposition" disposition: HostOnly,
        /// The host's.
        optional "storage" storage: HostOnly,
        /// The host's.
        optional "imagePath" image_path: HostOnly,
        /// The host's.
        optional "homeDirectory" home_directory: HostOnly,
        /// The host's.
        optional "skeletonDirectory" skeleton_directory: HostOnly,
        /// The host's.
        optional "fileSystemType" file_system_type: HostOnly,
        /// The host's.
        optional "accessMode" access_mode: HostOnly,
        /// The host's.
        optional "capabilityBoundingSet" capability_bounding_set: HostOnly,
        /// The host's.
        optional "capabilityAmbientSet" capability_ambient_set: HostOnly,
        /// The host's.
        optional "cifsService" cifs_service: HostOnly,
        /// The host's.
        optional "privileged" privileged: HostOnly,
        /// The host's.
        optional "secret" secret: HostOnly,
        /// The host's.
        optional "perMachine" per_machine: HostOnly,
        /// The host's.
        optional "binding" binding: HostOnly,
        /// The host's.
        optional "status" status: HostOnly,
        /// The host's.
        optional "signature" signature: HostOnly,
    }
}

/// The user that `doc` says; `directory` is its directory below `users/`, `text` the document.
pub(crate) fn user(doc: UserDoc, directory: &Name, text: &str, cx: &mut Cx<'_>) -> Option<User> {
    for assignment in doc.environment.iter().flat_map(|list| &list.value) {
        let name = assignment
            .value
            .0
            .split_once('=')
            .map_or("", |(name, _)| name);
        let fits = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if !fits {
            let message = format!("`{}` is not an assignment", assignment.value.0);
            cx.error_help(
                assignment.span,
                "environment",
                message,
                "write `NAME=value`".to_owned(),
            );
        }
    }
    let name = doc.user_name?;
    if &name.value != directory {
        let message = format!(
            "the user of this directory is `{directory}`, not `{}`",
            name.value
        );
        cx.error_help(
            name.span,
            "user-name",
            message,
            format!("write \"{directory}\""),
        );
    }
    Some(User {
        origin: Origin::file(cx.file()),
        name: name.value,
        record: text.to_owned(),
        disk_size: doc.disk_size.map(|size| Bytes(size.value.0)),
    })
}
