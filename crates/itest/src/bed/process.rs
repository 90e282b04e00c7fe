//! A process that outlives the program that started it, found again through a file.

use anyhow::Result;
use rustix::process::{Pid, Signal};
use std::fs;
use std::path::Path;

/// A process: its PID alone could be another's by now, so the start time belongs to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Process {
    pid: i32,
    start: u64,
}

impl Process {
    /// The live process that `file` names as `PID START_TIME`; none when it is gone.
    #[must_use]
    pub fn read(file: &Path) -> Option<Self> {
        let text = fs::read_to_string(file).ok()?;
        let mut words = text.split_whitespace();
        let process = Self {
            pid: words.next()?.parse().ok()?,
            start: words.next()?.parse().ok()?,
        };
        process.is_alive().then_some(process)
    }

    /// PID, as seen from outside of the host.
    #[must_use]
    pub fn pid(self) -> i32 {
        self.pid
    }

    /// Whether it still runs: neither gone nor a zombie.
    #[must_use]
    pub fn is_alive(self) -> bool {
        let Ok(stat) = fs::read_to_string(format!("/proc/{}/stat", self.pid)) else {
            return false;
        };
        // proc_pid_stat(5): fields after the command, which may contain anything; state is field 3, starttime field 22.
        let Some((_, rest)) = stat.rsplit_once(") ") else {
            return false;
        };
        let mut fields = rest.split_whitespace();
        let state = fields.next();
        state != Some("Z")
            && fields.nth(18).and_then(|field| field.parse().ok()) == Some(self.start)
    }

    /// Sends SIGKILL.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn kill(self) -> Result<()> {
        if let (true, Some(pid)) = (self.is_alive(), Pid::from_raw(self.pid)) {
            rustix::process::kill_process(pid, Signal::KILL)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_itself_and_not_an_older_process_of_the_same_pid() {
        let stat = fs::read_to_string("/proc/self/stat").unwrap();
        let (_, rest) = stat.rsplit_once(") ").unwrap();
        let start: u64 = rest.split_whitespace().nth(19).unwrap().parse().unwrap();
        let pid = std::process::id() as i32;
        assert!(Process { pid, start }.is_alive());
        assert!(
            !Process {
                pid,
                start: start - 1
            }
            .is_alive()
        );
    }
}
