//! Resource limits, systemd.resource-control(5). Every setting is always written, so that a limit that goes away
//! is lifted by the same path that changes it.

use crate::model::Resources;
use crate::unitfile::UnitFile;

/// Tasks of a container that says nothing, as upstream's systemd-nspawn@.service has it.
const CONTAINER_TASKS: u64 = 16384;

/// Limits of a slice: what all workloads together may use.
pub(super) fn slice(file: &mut UnitFile, limits: &Resources) {
    shared(file.section("Slice"), limits);
    file.verbatim(
        "TasksMax",
        limits
            .tasks
            .map_or("infinity".to_owned(), |n| n.to_string()),
    );
}

/// Limits of one container.
pub(super) fn service(file: &mut UnitFile, limits: &Resources) {
    shared(file.section("Service"), limits);
    file.verbatim("TasksMax", limits.tasks.unwrap_or(CONTAINER_TASKS));
}

fn shared(file: &mut UnitFile, limits: &Resources) {
    match limits.cpu {
        Some(cpu) => file.verbatim("CPUQuota", percent(cpu.0)),
        None => file.reset("CPUQuota"),
    };
    file.verbatim(
        "MemoryMax",
        limits
            .memory
            .map_or("infinity".to_owned(), |bytes| bytes.0.to_string()),
    );
    // Equal shares: no tenant, and no workload of one, starves another of the disk.
    file.verbatim("IOWeight", 100);
}

/// Thousandths of a core as a percentage of one core.
fn percent(milli: u64) -> String {
    let milli = milli.max(1);
    match milli % 10 {
        0 => format!("{}%", milli / 10),
        tenth => format!("{}.{tenth}%", milli / 10),
    }
}

#[cfg(test)]
mod tests {
    use super::percent;

    #[test]
    fn cores_are_hundreds_of_percent() {
        assert_eq!(percent(4000), "400%");
        assert_eq!(percent(500), "50%");
        assert_eq!(percent(125), "12.5%");
        assert_eq!(percent(0), "0.1%");
    }
}
