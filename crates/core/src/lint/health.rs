//! Health checks: of this tenant's workloads, with no more rights than these have.

use super::Lint;
use crate::model::Check;
use crate::render::HealthCheck;
use std::net::Ipv4Addr;

/// Capabilities by number, capability.h, that no container holds: module, rawio, pacct, time, mknod, audit control, MAC
/// override and admin, syslog, wake alarm, block suspend, audit read, perfmon, BPF, checkpoint.
const NEVER: [u32; 15] = [16, 17, 20, 25, 27, 30, 32, 33, 34, 35, 36, 37, 38, 39, 40];

pub(super) fn check(lint: &mut Lint<'_>) {
    for (path, text) in lint.texts("health/") {
        let Some(workload) = path["health/".len()..].strip_suffix(".json") else {
            continue;
        };
        let check: HealthCheck = match serde_json::from_str(text) {
            Ok(check) => check,
            Err(error) => {
                lint.refuse(path, "health", format!("it is no health check: {error}"));
                continue;
            }
        };
        let Some(machine) = lint.expected.machine(workload) else {
            continue;
        };
        let own = |address: Ipv4Addr| {
            let mut interfaces = lint.expected.interfaces_of(machine);
            interfaces.any(|interface| interface.address == address)
        };
        let script = format!("health/{workload}.sh");
        let scripted = check
            .script
            .as_deref()
            .is_none_or(|path| path == script && lint.has(path));
        let matches = check.tenant == *lint.expected.id
            && check.workload == *machine.workload
            && check.machine == machine.name
            && check.address.is_none_or(own);
        lint.require(matches, path, "health", "it is of another workload");
        let complete = !matches!(check.health.check, Check::Script(_)) || check.script.is_some();
        lint.require(
            scripted && complete,
            path,
            "health",
            "its script is not in this set",
        );
        lint.require(
            is_mask(&check.capabilities),
            path,
            "health",
            format!("`{}` is more than a container may do", check.capabilities),
        );
    }
}

fn is_mask(text: &str) -> bool {
    let bits = u64::from_str_radix(text, 16);
    let never = NEVER.iter().fold(0u64, |bits, number| bits | 1 << number);
    text.bytes().all(|byte| byte.is_ascii_hexdigit())
        && text.len() == 16
        && bits.is_ok_and(|bits| bits & never == 0 && bits >> 41 == 0)
}
