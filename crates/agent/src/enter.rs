//! A command inside a container, with what its own processes have and nothing more.
//!
//! The container is hostile. Everything of the host is opened before its namespaces are joined; afterwards no file of
//! its tree is read or executed except the command itself, which runs with the container's bounding set and can gain
//! nothing. Threads would keep one from joining, so this runs in a process of its own.

use crate::child;
use crate::failure::{Failure, Result};
use crate::role::machine_name;
use anyhow::{Context, bail};
use rustix::fs::{Mode, OFlags, open};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, chdir, chroot, fchdir, pidfd_open};
use rustix::thread::{
    CapabilitySet, ThreadNameSpaceType as Namespace, clear_ambient_capability_set,
    move_into_thread_name_spaces, remove_capability_from_bounding_set, set_no_new_privs,
    set_thread_groups, set_thread_res_gid, set_thread_res_uid,
};
use rustix::{fs::Gid, fs::Uid};
use std::fs;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, ExitCode, ExitStatus, Stdio};
use std::time::Duration;

/// Search path inside.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// Time for machined's answer.
const ASK: Duration = Duration::from_secs(10);

/// Arguments of `enter`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Name in machined.
    pub machine: String,
    /// Capabilities that the command may have: bit n is capability n.
    pub capabilities: u64,
    /// User and group inside.
    pub user: (u32, u32),
    /// Program and arguments.
    pub command: Vec<String>,
}

impl Entry {
    /// Reads `MACHINE CAPABILITIES [--user UID[:GID]] -- COMMAND...`.
    ///
    /// # Errors
    /// Another form (exit code 2), values that are none (3).
    pub fn parse(words: &[&str]) -> Result<Self> {
        let (machine, mask, user, command) = match words {
            [machine, mask, "--", command @ ..] => (machine, mask, "0", command),
            [machine, mask, "--user", user, "--", command @ ..] => (machine, mask, *user, command),
            _ => return Err(usage()),
        };
        if command.is_empty() {
            return Err(usage());
        }
        Ok(Self {
            machine: machine_name(machine)?,
            capabilities: u64::from_str_radix(mask, 16)
                .with_context(|| format!("`{mask}` is not a hexadecimal set of capabilities"))
                .map_err(Failure::invalid)?,
            user: parse_user(user).map_err(Failure::invalid)?,
            command: command.iter().map(|word| (*word).to_owned()).collect(),
        })
    }
}

fn usage() -> Failure {
    Failure::usage("expected `enter MACHINE CAPABILITIES [--user UID[:GID]] -- COMMAND...`")
}

/// Numbers only: names would have to be looked up in files of the container.
fn parse_user(text: &str) -> anyhow::Result<(u32, u32)> {
    let (uid, gid) = text.split_once(':').unwrap_or((text, text));
    let id = |text: &str| {
        let id: u32 = text.parse().ok().filter(|id| *id < 65_536)?;
        Some(id)
    };
    id(uid)
        .zip(id(gid))
        .with_context(|| format!("`{text}` is not a numeric user of a container"))
}

/// Runs the command; its exit code, or 128 and the number of the signal that ended it.
///
/// # Errors
/// When the machine does not run, or its namespaces cannot be joined.
pub fn run(entry: &Entry) -> Result<ExitCode> {
    let failed = |error: anyhow::Error| {
        Failure::new(error.context(format!("cannot enter machine {}", entry.machine)))
            .next(format!("machinectl status {}", entry.machine))
    };
    let door = Door::open(&entry.machine).map_err(failed)?;
    door.pass(entry).map_err(failed)?;
    let mut command = Command::new(&entry.command[0]);
    command
        .args(&entry.command[1..])
        .env_clear()
        .env("PATH", PATH)
        .env("LANG", "C.UTF-8")
        .env("HOME", if entry.user.0 == 0 { "/root" } else { "/" });
    let status = command
        .status()
        .with_context(|| format!("cannot run `{}` inside", entry.command[0].escape_debug()))
        .map_err(failed)?;
    Ok(exit_code(status))
}

fn exit_code(status: ExitStatus) -> ExitCode {
    let code = status
        .code()
        .or_else(|| status.signal().map(|signal| 128 + signal))
        .and_then(|code| u8::try_from(code).ok());
    code.map_or(ExitCode::FAILURE, ExitCode::from)
}

/// The first process of a container, and its root directory.
struct Door {
    leader: OwnedFd,
    root: OwnedFd,
    namespaces: Namespace,
}

impl Door {
    fn open(machine: &str) -> anyhow::Result<Self> {
        let pid = leader(machine)?;
        let leader = pidfd_open(pid, PidfdFlags::empty()).context("its leader is gone")?;
        let process = format!("/proc/{}", pid.as_raw_nonzero());
        let process = Path::new(&process);
        // The number may be another process's by now: it must belong to the unit of this machine.
        let groups = fs::read_to_string(process.join("cgroup")).context("its leader is gone")?;
        if !groups.contains(&format!("/systemd-nspawn@{machine}.service/")) {
            bail!("its leader is not in its unit");
        }
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = open(process.join("root"), flags, Mode::empty()).context("its root")?;
        let namespaces = namespaces(process)?;
        Ok(Self {
            leader,
            root,
            namespaces,
        })
    }

    /// Joins the namespaces and gives up what the command must not have.
    fn pass(self, entry: &Entry) -> anyhow::Result<()> {
        move_into_thread_name_spaces(self.leader.as_fd(), self.namespaces)
            .context("its namespaces cannot be joined")?;
        // The root of a mount namespace is not always the root of those who live in it.
        fchdir(&self.root).context("its root cannot be entered")?;
        chroot(".").context("its root cannot be entered")?;
        chdir("/").context("its root cannot be entered")?;
        drop(self);
        let (uid, gid) = (Uid::from_raw(entry.user.0), Gid::from_raw(entry.user.1));
        set_thread_groups(&[]).context("groups")?;
        set_thread_res_gid(gid, gid, gid).context("group")?;
        // Before the user changes: afterwards there may be no power left to give up powers.
        bound(entry.capabilities)?;
        set_thread_res_uid(uid, uid, uid).context("user")?;
        clear_ambient_capability_set().context("capabilities")?;
        set_no_new_privs(true).context("no new privileges")?;
        Ok(())
    }
}

/// Leaves only `kept` in the bounding set: what a program that is executed by root can have.
fn bound(kept: u64) -> anyhow::Result<()> {
    for number in 0..u64::BITS {
        let capability = 1_u64 << number;
        if kept & capability != 0 {
            continue;
        }
        match remove_capability_from_bounding_set(CapabilitySet::from_bits_retain(capability)) {
            Ok(()) => {}
            // The kernel knows no more of them.
            Err(Errno::INVAL) => break,
            Err(error) => bail!("capability {number} cannot be dropped: {error}"),
        }
    }
    Ok(())
}

/// The process that is number 1 inside, as machined knows it.
fn leader(machine: &str) -> anyhow::Result<Pid> {
    let mut command = Command::new("machinectl");
    command
        .args(["show", "--property=Leader", "--value", "--", machine])
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("LANG", "C.UTF-8")
        .stdin(Stdio::null());
    let answer = child::run(command, ASK, 4096).context("machinectl")?;
    let said = String::from_utf8_lossy(&answer.output);
    match answer.status {
        Some(status) if status.success() => {}
        Some(_) => bail!("{}", said.trim()),
        None => bail!("machinectl did not answer"),
    }
    let number = said.trim().parse().ok().filter(|&number: &i32| number > 1);
    number
        .and_then(Pid::from_raw)
        .context("machined names no leader")
}

/// The namespaces of `process` that are not ours.
///
/// A container of a tenant has its own users, mounts and processes; without them the command would be root on the host.
fn namespaces(process: &Path) -> anyhow::Result<Namespace> {
    let mut joined = Namespace::empty();
    for (name, namespace, own) in [
        ("user", Namespace::USER, true),
        ("mnt", Namespace::MOUNT, true),
        ("pid", Namespace::PROCESS_ID, true),
        ("net", Namespace::NETWORK, true),
        ("ipc", Namespace::INTER_PROCESS_COMMUNICATION, false),
        ("uts", Namespace::HOST_NAME_AND_NIS_DOMAIN_NAME, false),
        ("cgroup", Namespace::CONTROL_GROUP, false),
    ] {
        let link = |process: &Path| {
            let path = process.join("ns").join(name);
            fs::read_link(&path).with_context(|| path.display().to_string())
        };
        if link(process)? != link(Path::new("/proc/self"))? {
            joined |= namespace;
        } else if own {
            bail!("it shares the {name} namespace with the host");
        }
    }
    Ok(joined)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments() {
        let entry = Entry::parse(&["shop-web", "00000000a80425fb", "--", "true", "--", "x"]);
        let entry = entry.unwrap();
        assert_eq!(entry.machine, "shop-web");
        assert_eq!(entry.capabilities, 0xa804_25fb);
        assert_eq!(entry.user, (0, 0));
        assert_eq!(entry.command, ["true", "--", "x"]);
        let entry = Entry::parse(&["m", "0", "--user", "33:34", "--", "id"]).unwrap();
        assert_eq!(entry.user, (33, 34));
        for (words, code) in [
            (["m", "0", "true"].as_slice(), 2),
            (&["m", "0", "--"], 2),
            (&["m", "--", "true"], 2),
            (&["../m", "0", "--", "true"], 3),
            (&["m", "xyz", "--", "true"], 3),
            (&["m", "0", "--user", "root", "--", "true"], 3),
            (&["m", "0", "--user", "65536", "--", "true"], 3),
        ] {
            let failure = Entry::parse(words).unwrap_err();
            assert_eq!(failure.code(), code, "{words:?}");
        }
    }

    #[test]
    fn the_host_itself_is_never_entered() {
        let error = namespaces(Path::new("/proc/self")).unwrap_err();
        assert!(error.to_string().contains("user namespace"), "{error}");
    }

    #[test]
    fn a_signal_is_an_exit_code() {
        let code = |raw| format!("{:?}", exit_code(ExitStatus::from_raw(raw)));
        assert_eq!(code(3 << 8), format!("{:?}", ExitCode::from(3)));
        assert_eq!(code(9), format!("{:?}", ExitCode::from(137)));
    }
}
