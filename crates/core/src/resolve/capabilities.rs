//! Capabilities and system calls of containers: small sets, and a closed list of what may be added.
//!
//! All of them count in the container's user namespace only, capabilities(7). Never granted, because
//! they reach past a namespace or widen the kernel's attack surface for little use:
//! `CAP_SYS_MODULE`, `CAP_SYS_RAWIO`, `CAP_SYS_TIME`, `CAP_MKNOD`, `CAP_BPF`, `CAP_PERFMON`,
//! `CAP_SYSLOG`, `CAP_MAC_ADMIN`, `CAP_MAC_OVERRIDE`, `CAP_SYS_PACCT`, `CAP_WAKE_ALARM`,
//! `CAP_BLOCK_SUSPEND`, `CAP_AUDIT_CONTROL`, `CAP_AUDIT_READ`, `CAP_CHECKPOINT_RESTORE`.

use super::suggest;
use crate::finding::{Finding, Origin};
use crate::model::{Container, Init, Security};
use std::collections::BTreeSet;

/// What a command needs to change users and serve on a low port.
const COMMAND: [&str; 12] = [
    "CAP_AUDIT_WRITE",
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_NET_BIND_SERVICE",
    "CAP_SETFCAP",
    "CAP_SETGID",
    "CAP_SETPCAP",
    "CAP_SETUID",
    "CAP_SYS_CHROOT",
];

/// What systemd as the container's init needs more: mounts and sandboxes of services, networkd with
/// its raw sockets for DHCP, priorities and limits of services, tracing of crashed ones, power-off.
const BOOT: [&str; 8] = [
    "CAP_DAC_READ_SEARCH",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_NICE",
    "CAP_SYS_PTRACE",
    "CAP_SYS_RESOURCE",
];

/// What a tenant may ask for beyond that.
const MORE: [&str; 6] = [
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_LEASE",
    "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BROADCAST",
    "CAP_SYS_TTY_CONFIG",
];

/// System-call groups, systemd.exec(5), that a tenant may ask for beyond nspawn's default filter.
const SYSTEM_CALLS: [&str; 7] = [
    "@aio", "@memlock", "@pkey", "@sandbox", "@setuid", "@sync", "@timer",
];

/// Whether a container may ever hold `capability`.
pub(crate) fn may_hold(capability: &str) -> bool {
    allowed().any(|known| known == capability)
}

/// Whether a container may ever get `call` beyond the default filter.
pub(crate) fn may_call(call: &str) -> bool {
    SYSTEM_CALLS.contains(&call)
}

fn allowed() -> impl Iterator<Item = &'static str> {
    COMMAND.into_iter().chain(BOOT).chain(MORE)
}

/// The capabilities of `container`, sorted: the set of metadata's `security`, or else the default for
/// its kind of init, with what its own document adds.
pub(super) fn of(
    container: &Container,
    security: &Security,
    findings: &mut Vec<Finding>,
) -> Vec<String> {
    let mut set: BTreeSet<String> = match (&security.capabilities, &container.workload.init) {
        (Some(wanted), _) => granted(wanted, &security.origin, findings).collect(),
        (None, Init::Command(_)) => COMMAND.into_iter().map(str::to_owned).collect(),
        (None, Init::Boot) => COMMAND.into_iter().chain(BOOT).map(str::to_owned).collect(),
    };
    let added = &container.capabilities;
    set.extend(granted(added, &container.workload.origin, findings));
    set.into_iter().collect()
}

fn granted<'a>(
    wanted: &'a [String],
    origin: &'a Origin,
    findings: &'a mut Vec<Finding>,
) -> impl Iterator<Item = String> + 'a {
    wanted.iter().filter_map(move |capability| {
        if may_hold(capability) {
            return Some(capability.clone());
        }
        let message = format!("capability `{capability}` is not given to containers on this host");
        findings.push(
            Finding::error(origin.clone(), "capability-not-allowed", message)
                .help(suggest(capability, allowed())),
        );
        None
    })
}

/// The system calls of containers beyond the default filter, sorted.
pub(super) fn system_calls(security: &Security, findings: &mut Vec<Finding>) -> Vec<String> {
    let mut calls = BTreeSet::new();
    for call in &security.system_calls {
        if may_call(call) {
            calls.insert(call.clone());
            continue;
        }
        let message = format!("system call `{call}` is not given to containers on this host");
        findings.push(
            Finding::error(security.origin.clone(), "system-call-not-allowed", message)
                .help(suggest(call, SYSTEM_CALLS)),
        );
    }
    calls.into_iter().collect()
}
