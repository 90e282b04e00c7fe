//! QEMU's control socket.

use crate::bed::Process;
use crate::cache;
use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use std::fs::File;
use std::io::{BufRead, BufReader, Error, ErrorKind, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Longer than any command takes that we send.
const LIMIT: Duration = Duration::from_secs(60);

/// A session; QEMU has one at a time, so others wait for it to be dropped.
#[derive(Debug)]
pub(super) struct Qmp {
    stream: BufReader<UnixStream>,
    _lock: File,
}

impl Qmp {
    /// Opens the socket `qmp` in the directory of a host.
    ///
    /// # Errors
    /// QEMU does not run.
    pub(super) fn open(directory: &Path) -> Result<Self> {
        let lock = cache::lock(&directory.join("qmp.lock"))?;
        let stream = connect(directory).context("QEMU does not run")?;
        stream.set_read_timeout(Some(LIMIT))?;
        let mut session = Self {
            stream: BufReader::new(stream),
            _lock: lock,
        };
        session.read()?;
        session.call("qmp_capabilities", &json!({}))?;
        Ok(session)
    }

    /// Runs a command and returns what it returns.
    ///
    /// # Errors
    /// QEMU says that it failed.
    pub(super) fn call(&mut self, command: &str, arguments: &Value) -> Result<Value> {
        let line = json!({ "execute": command, "arguments": arguments });
        self.stream
            .get_mut()
            .write_all(format!("{line}\n").as_bytes())?;
        loop {
            let mut answer = self.read()?;
            if let Some(error) = answer.get("error") {
                bail!("QEMU: {command}: {}", error["desc"]);
            }
            if let Some(value) = answer.get_mut("return") {
                return Ok(value.take());
            }
            // An event.
        }
    }

    /// The state of a snapshot is the devices only: the memory is a file already.
    ///
    /// # Errors
    /// QEMU knows no such thing.
    pub(super) fn keep_memory_apart(&mut self) -> Result<()> {
        let capability = json!({ "capability": "x-ignore-shared", "state": true });
        self.call(
            "migrate-set-capabilities",
            &json!({ "capabilities": [capability] }),
        )
        .map(drop)
    }

    /// Waits until the machine is in this state.
    ///
    /// # Errors
    /// Saving or going on failed.
    pub(super) fn wait_for(&mut self, state: &str) -> Result<()> {
        let deadline = Instant::now() + LIMIT;
        while self.call("query-status", &json!({}))?["status"] != state {
            let migration = self.call("query-migrate", &json!({}))?;
            if migration["status"] == "failed" || Instant::now() > deadline {
                bail!("QEMU is not {state}: {migration}");
            }
            sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    fn read(&mut self) -> Result<Value> {
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        serde_json::from_str(&line).context("QEMU ended")
    }
}

/// The socket is there a moment before QEMU listens on it.
fn connect(directory: &Path) -> std::io::Result<UnixStream> {
    let deadline = Instant::now() + LIMIT;
    loop {
        let connected = UnixStream::connect(directory.join("qmp"));
        let refused = |error: &Error| error.kind() == ErrorKind::ConnectionRefused;
        let lives = || Process::read(&directory.join("pid")).is_some();
        if !connected.as_ref().is_err_and(refused) || !lives() || Instant::now() > deadline {
            return connected;
        }
        sleep(Duration::from_millis(10));
    }
}
