//! Time and memory of processes, medians, and the programs that are measured.

use anyhow::Context as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Where the programs are.
pub(crate) struct Binaries(PathBuf);

impl Binaries {
    /// Programs in `directory`, or beside this one.
    pub(crate) fn new(directory: Option<PathBuf>) -> anyhow::Result<Self> {
        let directory = match directory {
            Some(directory) => directory.canonicalize()?,
            None => {
                let mut path = std::env::current_exe()?;
                path.pop();
                path
            }
        };
        Ok(Self(directory))
    }

    /// Path of the program `name`.
    pub(crate) fn path(&self, name: &str) -> anyhow::Result<PathBuf> {
        let path = self.0.join(name);
        anyhow::ensure!(
            path.is_file(),
            "{} is not built; run: cargo build --release --workspace",
            path.display()
        );
        Ok(path)
    }
}

/// What one process took.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Usage {
    /// From the start of the call that makes it to the end of the one that waits for it.
    pub(crate) wall: Duration,
    /// Processor time of all its threads, user and system.
    pub(crate) cpu: Duration,
    /// Most memory that was resident, MiB.
    pub(crate) peak: f64,
    /// Its exit status, if it was not killed.
    pub(crate) code: Option<i32>,
}

/// Runs `command` to its end; whatever it prints is thrown away.
pub(crate) fn usage(command: &mut Command) -> anyhow::Result<Usage> {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let start = Instant::now();
    let child = command
        .spawn()
        .with_context(|| format!("cannot run {}", command.get_program().display()))?;
    let (status, resources) = wait(child.id())?;
    let time = |time: libc::timeval| {
        // Both are counts from zero.
        Duration::new(time.tv_sec.unsigned_abs(), 0)
            + Duration::from_micros(time.tv_usec.unsigned_abs())
    };
    Ok(Usage {
        wall: start.elapsed(),
        cpu: time(resources.ru_utime) + time(resources.ru_stime),
        peak: resources.ru_maxrss as f64 / 1024.0,
        code: libc::WIFEXITED(status).then(|| libc::WEXITSTATUS(status)),
    })
}

/// Runs `command`, which must succeed.
pub(crate) fn success(command: &mut Command) -> anyhow::Result<Usage> {
    let usage = usage(command)?;
    anyhow::ensure!(usage.code == Some(0), "{command:?} failed");
    Ok(usage)
}

/// Waits for a child: its status and what it used.
#[allow(
    unsafe_code,
    reason = "no safe interface tells the resources of one child"
)]
fn wait(pid: u32) -> anyhow::Result<(i32, libc::rusage)> {
    let pid = libc::pid_t::try_from(pid)?;
    let mut status = 0;
    // SAFETY: all-zero bytes are a valid rusage, which is plain integers.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: both pointers are to live, writable values of the right types.
    let result = unsafe { libc::wait4(pid, &raw mut status, 0, &raw mut usage) };
    anyhow::ensure!(result == pid, "wait4: {}", std::io::Error::last_os_error());
    Ok((status, usage))
}

/// Results of many runs.
pub(crate) struct Runs<T>(Vec<T>);

impl<T> From<Vec<T>> for Runs<T> {
    fn from(results: Vec<T>) -> Self {
        Self(results)
    }
}

impl<T> Runs<T> {
    /// The middle one of what `of` picks from each run.
    pub(crate) fn median<V: PartialOrd>(&self, of: impl Fn(&T) -> V) -> anyhow::Result<V> {
        let mut values: Vec<V> = self.0.iter().map(of).collect();
        values.sort_by(|a, b| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal));
        let middle = values.len() / 2;
        values
            .into_iter()
            .nth(middle)
            .context("nothing was measured")
    }
}

impl Runs<Usage> {
    /// The median time from start to end.
    pub(crate) fn wall(&self) -> anyhow::Result<Duration> {
        self.median(|usage| usage.wall)
    }
}

/// `runs` runs of each of two measurements, taking turns so that both see the same machine. One turn before them
/// fills the caches.
pub(crate) fn in_turn<T>(
    runs: u32,
    mut one: impl FnMut() -> anyhow::Result<T>,
    mut other: impl FnMut() -> anyhow::Result<T>,
) -> anyhow::Result<(Runs<T>, Runs<T>)> {
    one()?;
    other()?;
    let mut results = (Runs(Vec::new()), Runs(Vec::new()));
    for _ in 0..runs {
        results.0.0.push(one()?);
        results.1.0.push(other()?);
    }
    Ok(results)
}

/// `runs` runs of one measurement, after one that fills the caches.
pub(crate) fn alone<T>(
    runs: u32,
    mut one: impl FnMut() -> anyhow::Result<T>,
) -> anyhow::Result<Runs<T>> {
    one()?;
    (0..runs)
        .map(|_| one())
        .collect::<anyhow::Result<_>>()
        .map(Runs)
}

/// Finds a program of the machine.
pub(crate) fn installed(candidates: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    candidates.iter().find_map(|candidate| {
        if candidate.starts_with('/') {
            return Some(PathBuf::from(candidate)).filter(|path| path.is_file());
        }
        std::env::split_paths(&path)
            .map(|directory: PathBuf| directory.join(candidate))
            .find(|path: &PathBuf| Path::is_file(path))
    })
}

/// A directory for what one measurement needs, in memory where that is to be had.
pub(crate) fn in_memory() -> anyhow::Result<tempfile::TempDir> {
    Ok(tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir())?)
}
