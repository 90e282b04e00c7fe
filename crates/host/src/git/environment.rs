//! The fixed environment and configuration of every git process.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Keys for remotes; all optional. Without them only public and local remotes work.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Access {
    /// Private key for ssh.
    pub ssh_key: Option<PathBuf>,
    /// Host keys for ssh, in the format of sshd(8); by default those of the calling user and of the host.
    pub known_hosts: Option<PathBuf>,
    /// Certificate authorities for https, PEM; by default those of the host.
    pub ca_bundle: Option<PathBuf>,
    /// User and token for https, in the file format of git-credential-store(1).
    pub credentials: Option<PathBuf>,
}

/// Variables of every git process; all others are removed.
pub(super) const VARIABLES: &[(&str, &str)] = &[
    (
        "PATH",
        "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    ),
    // No ~/.gitconfig, ~/.netrc or ~/.config/git, also for a git that does not know GIT_CONFIG_GLOBAL (before 2.32).
    ("HOME", "/nonexistent"),
    ("LC_ALL", "C"),
    ("GIT_CONFIG_NOSYSTEM", "1"),
    ("GIT_CONFIG_GLOBAL", "/dev/null"),
    ("GIT_ATTR_NOSYSTEM", "1"),
    ("GIT_TERMINAL_PROMPT", "0"),
    ("GIT_NO_REPLACE_OBJECTS", "1"),
    ("GIT_NO_LAZY_FETCH", "1"),
    ("GIT_LFS_SKIP_SMUDGE", "1"),
    ("GIT_OPTIONAL_LOCKS", "0"),
    ("GIT_ALLOW_PROTOCOL", "file:https:ssh"),
];

/// Configuration of every git process; `-c` wins over what a repository says.
pub(super) const CONFIGURATION: &[&str] = &[
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.attributesFile=/dev/null",
    "core.askPass=",
    "credential.helper=",
    "protocol.allow=never",
    "protocol.file.allow=always",
    "protocol.https.allow=always",
    "protocol.ssh.allow=always",
    "protocol.version=2",
    "transfer.fsckObjects=true",
    "fetch.fsckObjects=true",
    "transfer.bundleURI=false",
    "fetch.recurseSubmodules=false",
    "submodule.recurse=false",
    // Large files are streamed to disk; few threads, so that the limit of memory does not depend on the processors.
    "core.bigFileThreshold=16m",
    "pack.threads=2",
    "gc.auto=0",
    "maintenance.auto=false",
];

/// `GIT_SSH_COMMAND` (git passes it to a shell): no configuration file, no question, no unknown host.
pub(super) fn ssh_command(access: &Access) -> OsString {
    let mut command = OsString::from(
        "ssh -F /dev/null -o BatchMode=yes -o StrictHostKeyChecking=yes -o ControlMaster=no \
         -o ConnectTimeout=20 -o ForwardAgent=no -o PermitLocalCommand=no -o UpdateHostKeys=no",
    );
    if let Some(key) = &access.ssh_key {
        command.push(" -o IdentitiesOnly=yes -o IdentityAgent=none -i ");
        command.push(shell_quoted(key));
    }
    if let Some(hosts) = &access.known_hosts {
        command.push(" -o GlobalKnownHostsFile=/dev/null -o UserKnownHostsFile=");
        command.push(shell_quoted(hosts));
    }
    command
}

/// The value of `credential.helper` (git passes it to a shell) for `access`.
pub(super) fn credential_helper(access: &Access) -> Option<OsString> {
    let mut helper = OsString::from("store --file=");
    helper.push(shell_quoted(access.credentials.as_ref()?));
    Some(helper)
}

fn shell_quoted(path: &Path) -> OsString {
    use std::os::unix::ffi::{OsStrExt, OsStringExt};
    let mut quoted = vec![b'\''];
    for &byte in path.as_os_str().as_bytes() {
        match byte {
            b'\'' => quoted.extend_from_slice(b"'\\''"),
            other => quoted.push(other),
        }
    }
    quoted.push(b'\'');
    OsString::from_vec(quoted)
}
