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
use std::ops::Range;
use std::path::Path;

/// Tenants whose calls are prepared before the first of them is placed.
const BATCH: usize = 64;

const TENANTS: &str = "var/lib/tenants";
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
        room: Vec::new(),
        calls: Vec::new(),
    };
    let mut output = Output::new(normal);
    for batch in entries.chunks(BATCH) {
        run.calls.clear();
        let prepared: Vec<_> = batch.iter().map(|entry| run.prepare(entry)).collect();
        for (entry, prepared) in batch.iter().zip(prepared) {
            let placed = prepared.and_then(|calls| {
                let placed = output.make(&run.calls[calls]);
                placed.map_err(|(path, error)| format!("{}: {error}", path.to_string_lossy()))
            });
            if let Err(cause) = placed {
                report(&Trouble {
                    whose: Whose::Tenant(entry.id),
                    cause,
                });
            }
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
    room: Vec<u8>,
    /// What makes the links of some tenants.
    calls: Vec<u8>,
}

impl Run {
    /// Where in `calls` is now what makes the links of a tenant. One that has no generation yet has none.
    fn prepare(&mut self, Entry { id, links }: &Entry<'_>) -> Result<Range<usize>, String> {
        let start = self.calls.len();
        let directory = self.trials.directory(id)?;
        let links = match links {
            // The index has current generations, which that of a trial that is over is not.
            Some(links) if directory == CURRENT => *links,
            _ => {
                let names = Names::new(id).ok_or("this is not the id of a tenant")?;
                let path = [id, "/", directory, "/", self.generator.file()].concat();
                let at = |what: &dyn fmt::Display| format!("/{TENANTS}/{path}: {what}");
                match file::open(&self.home, path.as_str()) {
                    Err(Errno::NOENT) if self.is_new(id) => return Ok(start..start),
                    opened => {
                        opened.and_then(|opened| file::read(&opened, &mut self.room, boot::LIMIT))
                    }
                }
                .map_err(|error| at(&error))?;
                boot::check(self.generator, &self.room, &names)
                    .map_err(|(line, reason)| at(&format_args!("line {line}: {reason}")))?
            }
        };
        calls::add(id, directory, links, &mut self.calls);
        Ok(start..self.calls.len())
    }

    /// Whether the tenant was never given a generation; a link that leads nowhere is damage.
    fn is_new(&self, id: &str) -> bool {
        let current = [id, "/", CURRENT].concat();
        let found = rustix::fs::statat(&self.home, current, AtFlags::SYMLINK_NOFOLLOW);
        matches!(found, Err(Errno::NOENT))
    }
}
