//! OpenPGP signatures, verified by sqv(1): a child without privileges, network use, home or configuration, that gets the
//! signature, what was signed and the certificates as files.

use super::certificate::fingerprints;
use crate::tool::Tool;
use bitbuilder_core::signature::{KeyRing, Problem};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The program.
pub const VERIFIER: &str = "sqv";
/// Time for one signature.
const LIMIT: Duration = Duration::from_secs(20);
/// Bytes of memory of the program.
const MEMORY: u64 = 512 << 20;
/// The user `nobody`.
const NOBODY: u32 = 65_534;
/// How far the time of a signature may be off, in seconds.
const SLACK: i64 = 86_400;

/// Verifies signatures with the certificates of one ring.
pub(super) struct OpenPgp<'a> {
    ring: &'a KeyRing,
    /// Names of the files in which a certificate is, by its fingerprint.
    names: BTreeMap<String, Vec<&'a str>>,
    directory: Scratch,
}

/// When a signature may have been made.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window {
    /// Time of the commit that was there before.
    pub(super) parent: Option<i64>,
    pub(super) now: i64,
}

impl<'a> OpenPgp<'a> {
    /// Makes the keyring; scratch files are below `scratch`.
    pub(super) fn new(ring: &'a KeyRing, scratch: &Path) -> std::io::Result<Self> {
        let directory = Scratch::new(scratch)?;
        let mut names: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        let mut keyring = String::new();
        for certificate in &ring.certificates {
            for fingerprint in fingerprints(&certificate.armor) {
                names
                    .entry(fingerprint)
                    .or_default()
                    .push(&certificate.name);
            }
            keyring.push_str(&certificate.armor);
            keyring.push('\n');
        }
        directory.write("keyring", keyring.as_bytes())?;
        Ok(Self {
            ring,
            names,
            directory,
        })
    }

    /// Names of the files in which the certificate is.
    pub(super) fn names(&self, fingerprint: &str) -> &[&'a str] {
        self.names.get(fingerprint).map_or(&[], Vec::as_slice)
    }

    /// Fingerprints of the certificates that made good signatures of `payload`; at least one.
    pub(super) fn check(
        &self,
        payload: &[u8],
        armor: &[u8],
        window: Window,
    ) -> Result<Vec<String>, Problem> {
        if self.ring.certificates.is_empty() {
            return Err(Problem::Unknown(
                "an OpenPGP key, and there is no certificate".to_owned(),
            ));
        }
        let failed = |error: &dyn std::fmt::Display| Problem::Unverifiable(error.to_string());
        let files = [("signature", armor), ("payload", payload)];
        for (name, content) in files {
            self.directory
                .write(name, content)
                .map_err(|error| failed(&error))?;
        }
        let arguments = self.arguments(window);
        let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let tool = Tool {
            program: "prlimit",
            limit: LIMIT,
        };
        let answer = tool.run(&words, b"").map_err(|error| failed(&error))?;
        let said = String::from_utf8_lossy(&answer.stdout).into_owned();
        let signed: Vec<String> = said
            .lines()
            .map(|line| line.trim().to_ascii_lowercase())
            .collect();
        if answer.status.success() && !signed.is_empty() {
            return Ok(signed);
        }
        Err(problem(&answer.stderr, answer.status.code()))
    }

    /// prlimit(1) and setpriv(1) shut the program in before it begins.
    fn arguments(&self, window: Window) -> Vec<String> {
        let mut words: Vec<String> = vec![
            format!("--data={MEMORY}:{MEMORY}"),
            "--fsize=0:0".into(),
            "--core=0:0".into(),
            "--".into(),
            "setpriv".into(),
            "--no-new-privs".into(),
        ];
        if rustix::process::geteuid().is_root() {
            let drop = ["--clear-groups", "--inh-caps=-all"].map(str::to_owned);
            words.extend(drop);
            words.push(format!("--reuid={NOBODY}"));
            words.push(format!("--regid={NOBODY}"));
        }
        words.extend(["--", VERIFIER, "--verbose", "--keyring"].map(str::to_owned));
        words.push(self.directory.path("keyring"));
        // A certificate that has expired verifies what it signed before; whoever has its key can write any time, but not
        // one before what is deployed.
        if let Some(parent) = window.parent {
            let earliest = parent.min(window.now).saturating_sub(SLACK);
            words.push(format!("--not-before={}", timestamp(earliest)));
        }
        let latest = window.now.saturating_add(SLACK);
        words.push(format!("--not-after={}", timestamp(latest)));
        words.extend(["signature", "payload"].map(|name| self.directory.path(name)));
        words
    }
}

/// ISO 8601.
fn timestamp(seconds: i64) -> String {
    bitbuilder_core::signature::time_text(seconds.max(0))
        .replacen(' ', "T", 1)
        .replace(" UTC", "Z")
}

/// What the program says, as far as it says more than that it is not good.
fn problem(stderr: &str, code: Option<i32>) -> Problem {
    let has = |words: &str| stderr.contains(words);
    if let Some((_, rest)) = stderr.split_once("Missing key ") {
        let key: String = rest.chars().take_while(char::is_ascii_hexdigit).collect();
        return Problem::Unknown(key.to_ascii_lowercase());
    }
    if code.is_none() || code == Some(127) || has("failed to execute") {
        let why = format!("{VERIFIER} cannot be run, which verifies OpenPGP signatures");
        return Problem::Unverifiable(why);
    }
    if has("revoked") {
        return Problem::Revoked(key_in(stderr));
    }
    if has("manipulated") {
        return Problem::Bad;
    }
    let why = stderr
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.contains("signatures are valid"));
    let why: Vec<&str> = why.take(3).collect();
    Problem::OpenPgp(why.join("; "))
}

/// The fingerprint that a sentence names.
fn key_in(text: &str) -> String {
    let words = text.split(|c: char| !c.is_ascii_hexdigit());
    let key = words.into_iter().find(|word| matches!(word.len(), 40 | 64));
    key.unwrap_or("an OpenPGP certificate").to_ascii_lowercase()
}

/// A directory that only the program can read; gone when dropped.
struct Scratch(PathBuf);

impl Scratch {
    fn new(parent: &Path) -> std::io::Result<Self> {
        static COUNT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
        let number = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        fs::create_dir_all(parent)?;
        let path = parent.join(format!("verify-{}-{number}", std::process::id()));
        // One of a process that had this number before and was killed.
        match fs::remove_dir_all(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        fs::DirBuilder::new().mode(0o700).create(&path)?;
        let scratch = Self(path);
        if rustix::process::geteuid().is_root() {
            chown(&scratch.0, Some(NOBODY), Some(NOBODY))?;
        }
        Ok(scratch)
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).to_string_lossy().into_owned()
    }

    fn write(&self, name: &str, content: &[u8]) -> std::io::Result<()> {
        let path = self.0.join(name);
        fs::write(&path, content)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // It is in /run, and nothing in it is secret.
        let _ = fs::remove_dir_all(&self.0);
    }
}
