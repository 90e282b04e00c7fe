//! The kernel's log, the only one there is before the first service.

use crate::Trouble;
use rustix::fd::OwnedFd;
use rustix::fs::{CWD, Mode, OFlags};
use std::fmt::Write as _;
use std::io::Write as _;

/// Tenants that are named one by one; the kernel drops more of them in one go.
const NAMED: usize = 8;

/// Messages of one run.
pub(crate) struct Log {
    program: &'static str,
    /// Opened at the first message.
    device: Option<OwnedFd>,
    troubles: usize,
}

impl Log {
    /// The log of `program`.
    pub(crate) fn new(program: &'static str) -> Self {
        Self {
            program,
            device: None,
            troubles: 0,
        }
    }

    /// Reports what went wrong with one tenant or with all.
    pub(crate) fn trouble(&mut self, trouble: &Trouble<'_>) {
        self.troubles += 1;
        if self.troubles <= NAMED {
            self.line(&trouble.to_string());
        }
    }

    /// Says how many were not named.
    pub(crate) fn finish(&mut self) {
        let rest = self.troubles.saturating_sub(NAMED);
        if rest > 0 {
            self.line(&format!(
                "{rest} more tenants are not placed; see: bbctl doctor"
            ));
        }
    }

    /// Writes one message at level warning; to standard error where there is no kernel log, as in a container.
    pub(crate) fn line(&mut self, text: &str) {
        let mut line = String::from("<4>");
        let _ = writeln!(line, "{}: {text}", self.program);
        if self.device.is_none() {
            let flags = OFlags::WRONLY | OFlags::CLOEXEC | OFlags::NOCTTY | OFlags::NONBLOCK;
            self.device = rustix::fs::openat(CWD, "/dev/kmsg", flags, Mode::empty()).ok();
        }
        let written = self
            .device
            .as_ref()
            .is_some_and(|device| rustix::io::write(device, line.as_bytes()).is_ok());
        if !written {
            // Where that is closed, too, nobody listens.
            let _ = std::io::stderr().write_all(&line.as_bytes()[3..]);
        }
    }
}
