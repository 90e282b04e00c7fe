//! One run of a generator.

use crate::boot::{self, Generator};
use crate::index::{self, Entry};
use crate::names::Names;
use crate::output::{self, Output};
use crate::trials::Trials;
use crate::{calls, file, host, names, registry};
use rustix::fd::OwnedFd;
use rustix::fs::{AtFlags, CWD};
use rustix::io::Errno;
use std::fmt;
use std::io;
use std::path::Path;

/// Where tenants are, relative to the root.
pub(crate) const TENANTS: &str = "var/lib/tenants";
/// The generation that counts, below the directory of a tenant.
pub(crate) const CURRENT: &str = "current";
/// Runs the generators again once `/var` is there.
const DISCOVER: &str = "bitbuilder-discover.service";

/// Why links are not made.
#[derive(Debug)]
pub struct Trouble<'a> {
    whose: Whose<'a>,
    /// What is wrong, with the file.
    cause: String,
}

/// Whose links are not made.
#[derive(Debug)]
enum Whose<'a> {
    /// Those of one tenant.
    Tenant(&'a str),
    /// Those of all tenants: the registry cannot be read.
    All,
    /// Those of the host itself.
    Host,
}

impl fmt::Display for Trouble<'_> {
    /// One line: who, what, and what to do.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cause = &self.cause;
        match self.whose {
            Whose::Tenant(id) if Names::new(id).is_some() => {
                write!(f, "{id}: {cause}; nothing of this tenant is placed")
            }
            // Anything can be in such an id.
            Whose::Tenant(id) => write!(f, "{id:?}: {cause}; nothing of this tenant is placed"),
            Whose::All => write!(f, "{cause}; no tenant is placed"),
            Whose::Host => write!(f, "{cause}; timer, paths and webhooks are as shipped"),
        }?;
        f.write_str("; see: bbctl doctor")
    }
}

/// Makes the links of every enabled tenant of the host at `root` in the generator directory `normal`.
///
/// A tenant whose current generation is damaged gets none, `report` hears why, and the others go on. A tenant that
/// has no generation yet is passed over. Where there is no registry, `/var` may not be mounted yet:
/// then all there is to do is `bitbuilder-discover.service`.
///
/// # Errors
/// When `root` or `normal` cannot be opened.
pub fn generate(
    generator: Generator,
    root: &Path,
    normal: &Path,
    report: &mut dyn FnMut(&Trouble<'_>),
) -> io::Result<()> {
    let normal = output::open(normal)?;
    let root = file::directory(CWD, root)?;
    if generator == Generator::Tenant
        && let Err(cause) = host::place(&root, &mut Output::new(&normal))
    {
        report(&Trouble {
            whose: Whose::Host,
            cause,
        });
    }
    if let Err(cause) = place_all(generator, &root, &normal, report) {
        report(&Trouble {
            whose: Whose::All,
            cause,
        });
    }
    Ok(())
}

fn place_all(
    generator: Generator,
    root: &OwnedFd,
    normal: &OwnedFd,
    report: &mut dyn FnMut(&Trouble<'_>),
) -> Result<(), String> {
    let at = |error: &dyn fmt::Display| format!("/{}: {error}", registry::PATH);
    let registry = match file::open(root, registry::PATH) {
        Err(Errno::NOENT) if generator == Generator::Tenant => {
            return discover(normal).map_err(|error| format!("{DISCOVER}: {error}"));
        }
        Err(Errno::NOENT) => return Ok(()),
        opened => opened.map_err(|error| at(&error))?,
    };
    let (mut text, mut list) = (Vec::new(), Vec::new());
    let listed;
    let entries = match index::read(generator, root, &registry, &mut text) {
        Some(entries) => entries,
        None => {
            file::read(&registry, &mut list, registry::LIMIT).map_err(|error| at(&error))?;
            listed = registry::parse(&list).map_err(|error| at(&error))?;
            let enabled = listed.tenants.iter().filter(|tenant| tenant.enabled);
            enabled.map(Entry::listed).collect()
        }
    };
    // Without the directory, no tenant has a generation.
    let Ok(home) = file::directory(root, TENANTS) else {
        return Ok(());
    };
    let mut run = Run {
        generator,
        home,
        trials: Trials::read(root),
        text: Vec::new(),
        calls: Vec::new(),
    };
    let mut output = Output::new(normal);
    for entry in &entries {
        let placed = run.calls(entry).and_then(|calls| {
            let made = output.make(calls);
            made.map_err(|(path, error)| format!("{}: {error}", path.to_string_lossy()))
        });
        if let Err(cause) = placed {
            report(&Trouble {
                whose: Whose::Tenant(entry.id),
                cause,
            });
        }
    }
    Ok(())
}

fn discover(normal: &OwnedFd) -> Result<(), Errno> {
    let mut calls = Vec::new();
    let link = format!("multi-user.target.wants/{DISCOVER}");
    let target = format!("{}{DISCOVER}", names::SHIPPED);
    calls::add_shipped(&link, &target, &mut calls);
    let made = Output::new(normal).make(&calls);
    made.map_err(|(_, error)| error)
}

struct Run {
    generator: Generator,
    /// `/var/lib/tenants/`.
    home: OwnedFd,
    trials: Trials,
    /// For the file of one tenant.
    text: Vec<u8>,
    /// What it asks for.
    calls: Vec<u8>,
}

impl Run {
    /// What makes the links of a tenant; for one that has no generation yet, nothing.
    fn calls<'a>(&'a mut self, entry: &Entry<'a>) -> Result<&'a [u8], String> {
        let id = entry.id;
        let directory = self.trials.directory(id)?;
        // The index has current generations, which that of a trial that is over is not.
        if let Some(calls) = entry.calls.filter(|_| directory == CURRENT) {
            return Ok(calls);
        }
        let names = Names::new(id).ok_or("this is not the id of a tenant")?;
        let path = [id, "/", directory, "/", self.generator.file()].concat();
        let at = |what: &dyn fmt::Display| format!("/{TENANTS}/{path}: {what}");
        match file::open(&self.home, path.as_str()) {
            Err(Errno::NOENT) if self.is_new(id) => return Ok(&[]),
            opened => opened.and_then(|opened| file::read(&opened, &mut self.text, boot::LIMIT)),
        }
        .map_err(|error| at(&error))?;
        let links = boot::check(self.generator, &self.text, &names)
            .map_err(|(line, reason)| at(&format_args!("line {line}: {reason}")))?;
        self.calls.clear();
        calls::add(id, directory, links, &mut self.calls);
        Ok(&self.calls)
    }

    /// Whether the tenant was never given a generation; a link that leads nowhere is damage.
    fn is_new(&self, id: &str) -> bool {
        let current = [id, "/", CURRENT].concat();
        let found = rustix::fs::statat(&self.home, current, AtFlags::SYMLINK_NOFOLLOW);
        matches!(found, Err(Errno::NOENT))
    }
}
