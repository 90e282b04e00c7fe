//! Markdown files whose commands run: `tests/scenarios/*.md`, and the documentation that shows output. In a fence
//! ` ```console `, a line `$ COMMAND` is run by bash on a simulated host, `? N` is its exit code unless it is 0, and what
//! follows is what it printed. `BLESS=1` writes what it prints now.
//!
//! Everything is deterministic: the environment, the dates of commits, and the clock of the host, which is one minute
//! further with each command. `host:` in a Git URL is the simulated host, `$KEYS` has SSH keys that are the same every time.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use ssh_key::private::Ed25519Keypair;
use ssh_key::{LineEnding, PrivateKey};
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The clock when a scenario begins: 2026-01-05 09:00:00 UTC.
const START: u64 = 1_767_603_600;

macro_rules! scenarios {
    ($($name:ident: $path:literal,)*) => {
        $(#[test]
        fn $name() {
            check($path);
        })*

        const FILES: &[&str] = &[$($path),*];
    };
}

scenarios! {
    deploy: "tests/scenarios/deploy.md",
    machines: "tests/scenarios/machines.md",
    refuse: "tests/scenarios/refuse.md",
    roll_back: "tests/scenarios/roll-back.md",
    rewind: "tests/scenarios/rewind.md",
    registry: "tests/scenarios/registry.md",
    plan: "tests/scenarios/plan.md",
    health: "tests/scenarios/health.md",
    network: "tests/scenarios/network.md",
    namespace: "tests/scenarios/namespace.md",
    drift: "tests/scenarios/drift.md",
    teardown: "tests/scenarios/teardown.md",
    signatures: "tests/scenarios/signatures.md",
    about_signatures: "docs/signatures.md",
    about_drift: "docs/drift.md",
    trial: "tests/scenarios/trial.md",
    audit: "tests/scenarios/audit.md",
    operator: "docs/operator.md",
    audit_page: "docs/audit.md",
    tenant: "docs/tenant.md",
    health_page: "docs/health.md",
    changes: "docs/changes.md",


}

#[test]
fn every_scenario_is_run() {
    for entry in fs::read_dir(root().join("tests/scenarios")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let path = format!("tests/scenarios/{name}");
        assert!(FILES.contains(&path.as_str()), "{path} is not listed");
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn check(path: &str) {
    let full = root().join(path);
    let before = fs::read_to_string(&full).unwrap_or_else(|error| panic!("{path}: {error}"));
    let after = run(&before);
    if before == after {
        return;
    }
    if std::env::var_os("BLESS").is_some() {
        fs::write(&full, after).unwrap_or_else(|error| panic!("{path}: {error}"));
        return;
    }
    let pairs = before.lines().zip(after.lines()).enumerate();
    let first = pairs.into_iter().find(|(_, (old, new))| old != new);
    let (line, (old, new)) = first.unwrap_or((0, ("(the end)", "(more)")));
    panic!(
        "{path}:{}: expected {old:?}, got {new:?}; BLESS=1 accepts it. All of it:\n{after}",
        line + 1
    );
}

/// The text with the output that its commands have now.
fn run(text: &str) -> String {
    let mut stage = Stage::new();
    let mut result = String::new();
    let mut inside = false;
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        if line.starts_with("```") {
            inside = line == "```console";
        }
        if !inside || !line.starts_with("$ ") {
            // Old output is left out.
            if !inside || line.starts_with("```") {
                result.push_str(line);
                result.push('\n');
            }
            continue;
        }
        let mut command = line[2..].to_owned();
        let mut shown = format!("{line}\n");
        // A here-document, or a line that ends with a backslash, goes on in lines that begin with `> `.
        while let Some(more) = lines.next_if(|line| line.starts_with("> ") || *line == ">") {
            command.push('\n');
            command.push_str(more.get(2..).unwrap_or_default());
            let _ = writeln!(shown, "{more}");
        }
        result.push_str(&shown);
        result.push_str(&stage.run(&command));
    }
    result
}

/// Keys of people, each with its public part.
fn make_keys(directory: &Path) {
    fs::create_dir(directory).unwrap();
    for (seed, name) in [(1, "alice"), (2, "bob"), (3, "mallory"), (4, "olga")] {
        let key: PrivateKey = Ed25519Keypair::from_seed(&[seed; 32]).into();
        let path = directory.join(name);
        let text = key.to_openssh(LineEnding::LF).unwrap();
        fs::write(&path, text.as_bytes()).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let public = key.public_key().to_openssh().unwrap();
        fs::write(path.with_extension("pub"), format!("{public}\n")).unwrap();
    }
}

/// Where the commands of a scenario run.
struct Stage {
    directory: tempfile::TempDir,
    commands: u64,
}

impl Stage {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (home, host) = (directory.path().join("home"), directory.path().join("host"));
        for path in [&home, &host] {
            fs::create_dir_all(path).unwrap();
        }
        let git = directory.path().join("host/var/lib/bitbuilder/git");
        let config = format!(
            "[user]\n\tname = Tess Tenant\n\temail = tess@example.org\n[init]\n\tdefaultBranch = main\n\
             [url \"{}/\"]\n\tinsteadOf = host:/var/lib/bitbuilder/git/\n[protocol \"file\"]\n\tallow = always\n",
            git.display()
        );
        fs::write(home.join(".gitconfig"), config).unwrap();
        make_keys(&directory.path().join("keys"));
        fs::write(directory.path().join("cwd"), home.to_str().unwrap()).unwrap();
        Self {
            directory,
            commands: 0,
        }
    }

    /// Runs one command; its exit code if it is not 0, and what it printed.
    fn run(&mut self, command: &str) -> String {
        self.commands += 1;
        let now = START + 60 * self.commands;
        let top = self.directory.path();
        fs::write(top.join("host/clock"), now.to_string()).unwrap();
        let cwd = fs::read_to_string(top.join("cwd")).unwrap();
        let bbctl = Path::new(env!("CARGO_BIN_EXE_bbctl")).parent().unwrap();
        let script = format!(
            "exec 2>&1; umask 022; {command}\ncode=$?; pwd > \"$STAGE/cwd.new\"; exit $code"
        );
        let output = Command::new("bash")
            .args(["-c", &script])
            .current_dir(cwd.trim())
            .env_clear()
            .env(
                "PATH",
                format!("{}:/usr/local/bin:/usr/bin:/bin", bbctl.display()),
            )
            .env("HOME", top.join("home"))
            .env("STAGE", top)
            .env("KEYS", top.join("keys"))
            .env("EXAMPLES", root().join("examples").canonicalize().unwrap())
            .env("BBCTL_SIM", top.join("host"))
            .env("USER", "olga")
            .env("LANG", "C.UTF-8")
            .env("TZ", "UTC")
            .env("COLUMNS", "100")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_AUTHOR_DATE", format!("{now} +0000"))
            .env("GIT_COMMITTER_DATE", format!("{now} +0000"))
            .stdin(Stdio::null())
            .output()
            .unwrap();
        if let Ok(cwd) = fs::read_to_string(top.join("cwd.new")) {
            fs::write(top.join("cwd"), cwd).unwrap();
        }
        let mut shown = String::new();
        match output.status.code() {
            Some(0) => {}
            Some(code) => shown = format!("? {code}\n"),
            None => shown.push_str("? killed\n"),
        }
        let printed = String::from_utf8_lossy(&output.stdout);
        let printed = printed
            .replace(top.join("home").to_str().unwrap(), "~")
            .replace(top.join("host").to_str().unwrap(), "");
        for line in printed.lines() {
            let _ = writeln!(shown, "{}", line.trim_end());
        }
        shown
    }
}
