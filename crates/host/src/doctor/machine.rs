//! The machine itself.

use super::Check;
use crate::git::{GitError, Invocation};
use crate::host::{Host, HostError};
use crate::paths::HostRoot;
use crate::tool::Tool;
use bitbuilder_core::resolve::HostFacts;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

/// Oldest systemd that has what our units use.
const SYSTEMD: u32 = 258;
/// Oldest kernel on which layers of an overlay can be mapped to other users.
const KERNEL: [u32; 2] = [6, 0];
/// The clock is wrong before 2025.
const EARLIEST: u64 = 1_735_689_600;
const MIB: u64 = 1 << 20;
/// Oldest version of nft.
const NFT: [u32; 3] = [1, 1, 2];
/// Programs and units that an installation has.
const INSTALLED: [&str; 10] = [
    "/usr/lib/bitbuilder/agent",
    "/usr/lib/systemd/system-generators/tenant-generator",
    "/usr/lib/systemd/system-generators/mount-generator",
    "/usr/lib/systemd/system/tenant@.service",
    "/usr/lib/systemd/system/setup-tenant@.service",
    "/usr/lib/systemd/system/tenant-network@.service",
    "/usr/lib/systemd/system/netns-tenant@.service",
    "/usr/lib/systemd/system/tenant-health@.service",
    "/usr/lib/systemd/system/bitbuilder-sync.service",
    "/usr/lib/systemd/system/bitbuilder-discover.service",
];
/// Of [`INSTALLED`], the first are programs.
const PROGRAMS: usize = 3;

/// Looks at what is installed, kernel, systemd, tools, clock and disk.
pub fn machine(host: &dyn Host) -> Vec<Check> {
    vec![
        installed(host.root()),
        systemd(host),
        controllers(host),
        kernel(),
        overlay(),
        inotify(),
        unit(host, "networkd", "systemd-networkd.service"),
        packet_rules(),
        tool("iproute2", "ip", &["-Version"]),
        tool("nspawn", "systemd-nspawn", &["--version"]),
        git(),
        clock(host),
        disk(host),
        unit(host, "sync timer", "bitbuilder-sync.timer"),
    ]
}

fn systemd(host: &dyn Host) -> Check {
    let name = "systemd";
    Check::of(
        name,
        host.facts().map(|facts| {
            let message = format!("version {}", facts.systemd);
            if facts.systemd >= SYSTEMD {
                return Check::ok(name, message);
            }
            Check::fail(name, message, format!("install systemd {SYSTEMD} or later"))
        }),
    )
}

fn controllers(host: &dyn Host) -> Check {
    let name = "cgroups";
    Check::of(
        name,
        host.facts().map(|facts| {
            if facts.has(HostFacts::RESOURCE_CONTROL) {
                return Check::ok(name, "cpu, memory and pids are controlled");
            }
            let message = "not all of cpu, memory and pids are controlled: limits are not enforced";
            Check::warn(name, message, "boot with cgroup v2 and these controllers")
        }),
    )
}

fn kernel() -> Check {
    let release = rustix::system::uname()
        .release()
        .to_string_lossy()
        .into_owned();
    if numbers(&release) >= KERNEL.to_vec() {
        return Check::ok("kernel", release);
    }
    let advice = format!("boot Linux {}.{} or later", KERNEL[0], KERNEL[1]);
    Check::fail("kernel", release, advice)
}

/// The numbers that a version begins with.
fn numbers(version: &str) -> Vec<u32> {
    let parts = version.split(['.', '-']);
    parts.map_while(|part| part.parse().ok()).collect()
}

fn overlay() -> Check {
    let known = fs::read_to_string("/proc/filesystems").unwrap_or_default();
    if known
        .lines()
        .any(|line| line.trim() == "nodev\toverlay" || line.ends_with("\toverlay"))
    {
        return Check::ok("overlayfs", "the kernel has it");
    }
    let message = "the kernel does not have it (yet)";
    Check::warn(
        "overlayfs",
        message,
        "`modprobe overlay`, if it is a module",
    )
}

fn inotify() -> Check {
    let path = "/proc/sys/fs/inotify/max_user_instances";
    let text = fs::read_to_string(path).unwrap_or_default();
    let limit: u64 = text.trim().parse().unwrap_or(0);
    let message = format!("{limit} instances for each user");
    if limit >= 1024 {
        return Check::ok("inotify", message);
    }
    let advice = "`systemctl restart systemd-sysctl` applies 60-bitbuilder.conf; without, about 17 booted containers run";
    Check::warn("inotify", message, advice)
}

fn unit(host: &dyn Host, name: &str, unit: &str) -> Check {
    Check::of(
        name,
        host.units(&[unit]).map(|units| {
            let state = units.get(unit);
            if state.is_some_and(crate::host::UnitState::is_active) {
                return Check::ok(name, format!("{unit} is active"));
            }
            let word = state.map_or("not loaded", |state| state.active.as_str());
            let advice = format!("`systemctl enable --now {unit}`");
            Check::fail(name, format!("{unit} is {word}"), advice)
        }),
    )
}

fn tool(name: &str, program: &'static str, arguments: &[&str]) -> Check {
    let tool = Tool {
        program,
        limit: Duration::from_secs(10),
    };
    match tool.check(arguments) {
        Ok(output) => {
            let text = String::from_utf8_lossy(&output);
            Check::ok(name, text.lines().next().unwrap_or(program).trim())
        }
        Err(error) => {
            let advice = format!("install the package that has `{program}`");
            Check::fail(name, error.to_string(), advice)
        }
    }
}

/// `destroy`, and maps of what has no name for its type.
fn packet_rules() -> Check {
    let check = tool("nftables", "nft", &["--version"]);
    let mut words = check.message.split_whitespace();
    let version = words.find_map(|word| word.strip_prefix('v'));
    if version.is_none_or(|version| numbers(version) >= NFT.to_vec()) {
        return check;
    }
    let advice = "install nftables 1.1.2 or later";
    Check::fail(&check.name, check.message, advice)
}

fn git() -> Check {
    match Invocation::new("version").run() {
        Ok(output) => Check::ok("git", String::from_utf8_lossy(&output).trim()),
        Err(error @ GitError::Version { .. }) => {
            Check::fail("git", error.to_string(), "install a newer git")
        }
        Err(error) => Check::fail("git", error.to_string(), "install git"),
    }
}

fn clock(host: &dyn Host) -> Check {
    if host.now() < EARLIEST {
        let message = "the clock is years behind";
        return Check::fail("clock", message, "`timedatectl set-ntp yes`");
    }
    if Path::new("/run/systemd/timesync/synchronized").exists() {
        return Check::ok("clock", "synchronised by systemd-timesyncd");
    }
    let message = "systemd-timesyncd has not synchronised it";
    Check::warn(
        "clock",
        message,
        "`timedatectl timesync-status`, unless another program does it",
    )
}

fn disk(host: &dyn Host) -> Check {
    let name = "disk";
    let path = host.root().tenants();
    let path = if path.is_dir() {
        path
    } else {
        host.root().join("/var/lib")
    };
    let found = rustix::fs::statvfs(&path).map_err(|error| HostError::file(&path)(error.into()));
    Check::of(
        name,
        found.map(|found| {
            let free = found.f_bavail * found.f_frsize / MIB;
            let files = found.f_favail;
            let message = format!("{free} MiB free at {}", path.display());
            let advice = "make room, or lower `retention` in .gitops/config.yaml";
            // Some file systems count no files.
            if free < 256 || found.f_files > 0 && files < 1000 {
                Check::fail(name, message, advice)
            } else if free < 2048 {
                Check::warn(name, message, advice)
            } else {
                Check::ok(name, message)
            }
        }),
    )
}

fn installed(root: &HostRoot) -> Check {
    let lacks = |(at, path): (usize, &&str)| {
        let metadata = root.join(path).metadata();
        !metadata.is_ok_and(|found| at >= PROGRAMS || found.permissions().mode() & 0o111 != 0)
    };
    let missing: Vec<&str> = INSTALLED
        .iter()
        .enumerate()
        .filter(|entry| lacks(*entry))
        .map(|(_, path)| *path)
        .collect();
    if missing.is_empty() {
        return Check::ok("installation", "programs, generators and units are there");
    }
    let message = format!("missing or not executable: {}", missing.join(", "));
    Check::fail("installation", message, "install the package again")
}
