//! One run of a generator.

use crate::boot::{self, Generator, Links};
use crate::names::Names;
use crate::output::{self, Output};
use crate::registry::{self, Tenant};
use crate::trials::Trials;
use crate::{file, host, names};
use rustix::fd::OwnedFd;
use rustix::fs::{AtFlags, CWD};
use rustix::io::Errno;
use std::fmt;
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::mpsc::sync_channel;
use std::thread;

/// Tenants whose files are read before the first of them is placed; more are worth a second thread.
const BATCH: usize = 16;
/// Batches that are read ahead.
const AHEAD: usize = 8;
const TENANTS: &str = "var/lib/tenants";
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
    let mut text = Vec::new();
    if generator == Generator::Tenant
        && let Err(cause) = host::place(&root, &mut Output::new(&normal))
    {
        report(&Trouble {
            whose: Whose::Host,
            cause,
        });
    }
    let read = file::open(&root, registry::PATH)
        .and_then(|file| file::read(&file, &mut text, registry::LIMIT));
    let mut all = |cause| {
        report(&Trouble {
            whose: Whose::All,
            cause,
        })
    };
    match read {
        Err(Errno::NOENT) => {
            if generator == Generator::Tenant
                && let Err(error) = discover(&normal)
            {
                all(format!("{DISCOVER}: {error}"));
            }
        }
        Err(error) => all(format!("/{}: {error}", registry::PATH)),
        Ok(()) => match registry::parse(&text) {
            Err(error) => all(format!("/{}: {error}", registry::PATH)),
            Ok(registry) => {
                // Without the directory, no tenant has a generation.
                if let Ok(home) = file::directory(&root, TENANTS) {
                    let trials = Trials::read(&root);
                    let generations = Generations {
                        generator,
                        home,
                        trials,
                    };
                    generations.place_all(&registry.tenants, &normal, report);
                }
            }
        },
    }
    Ok(())
}

fn discover(normal: &OwnedFd) -> Result<(), Errno> {
    Output::new(normal).place_shipped(
        &format!("multi-user.target.wants/{DISCOVER}"),
        &format!("{}{DISCOVER}", names::SHIPPED),
    )
}

/// The current generations of all tenants.
struct Generations {
    generator: Generator,
    /// `/var/lib/tenants/`.
    home: OwnedFd,
    trials: Trials,
}

/// Some tenants whose files were read.
#[derive(Default)]
struct Batch<'t> {
    /// All of their files.
    text: String,
    tenants: Vec<(&'t str, Result<Found<'t>, String>)>,
}

/// Links of a tenant.
struct Found<'t> {
    /// The directory below the tenant's that has the generation.
    directory: &'t str,
    /// Where in the text of the batch.
    links: Range<usize>,
}

impl Generations {
    /// Places all tenants. Of many, one thread reads the files while the other makes the links: only one of them can
    /// write to the directory at a time, and it need not wait.
    fn place_all(
        &self,
        tenants: &[Tenant<'_>],
        normal: &OwnedFd,
        report: &mut dyn FnMut(&Trouble<'_>),
    ) {
        let mut output = Output::new(normal);
        let mut place = |batch: &Batch<'_>| place(batch, &mut output, report);
        thread::scope(|scope| {
            let (sender, receiver) = sync_channel(AHEAD);
            let ahead = move || {
                for tenants in tenants.chunks(BATCH) {
                    // Who reads them waits for each.
                    let _ = sender.send(self.read(tenants));
                }
            };
            let many = tenants.len() > BATCH;
            let reader = many.then(|| thread::Builder::new().spawn_scoped(scope, ahead));
            match reader {
                Some(Ok(_)) => receiver.iter().for_each(|batch| place(&batch)),
                // No thread is needed, or to be had.
                _ => {
                    for tenants in tenants.chunks(BATCH) {
                        place(&self.read(tenants));
                    }
                }
            }
        });
    }

    fn read<'t>(&'t self, tenants: &'t [Tenant<'_>]) -> Batch<'t> {
        let mut batch = Batch::default();
        let mut file = Vec::new();
        for Tenant { id, .. } in tenants.iter().filter(|tenant| tenant.enabled) {
            let found = self.read_one(id, &mut file, &mut batch.text);
            if let Some(found) = found.transpose() {
                batch.tenants.push((id, found));
            }
        }
        batch
    }

    /// Adds the links of a tenant to `text`; `file` is room. A tenant that has no generation yet has none.
    fn read_one(
        &self,
        id: &str,
        file: &mut Vec<u8>,
        text: &mut String,
    ) -> Result<Option<Found<'_>>, String> {
        let names = Names::new(id).ok_or("this is not the id of a tenant")?;
        let directory = self.trials.directory(id)?;
        let path = [id, "/", directory, "/", self.generator.file()].concat();
        let at = |what: &dyn fmt::Display| format!("/{TENANTS}/{path}: {what}");
        match file::open(&self.home, path.as_str()) {
            Err(Errno::NOENT) if self.is_new(id) => return Ok(None),
            opened => opened.and_then(|opened| file::read(&opened, file, boot::LIMIT)),
        }
        .map_err(|error| at(&error))?;
        let links = boot::check(self.generator, file, &names)
            .map_err(|(line, reason)| at(&format_args!("line {line}: {reason}")))?;
        let start = text.len();
        text.push_str(links.text());
        Ok(Some(Found {
            directory,
            links: start..text.len(),
        }))
    }

    /// Whether the tenant was never given a generation; a link that leads nowhere is damage.
    fn is_new(&self, id: &str) -> bool {
        let current = format!("{id}/current");
        let found = rustix::fs::statat(&self.home, current, AtFlags::SYMLINK_NOFOLLOW);
        matches!(found, Err(Errno::NOENT))
    }
}

/// Makes the links of some tenants, one tenant after the other.
fn place(batch: &Batch<'_>, output: &mut Output<'_>, report: &mut dyn FnMut(&Trouble<'_>)) {
    for (id, found) in &batch.tenants {
        let placed = found.as_ref().map_err(Clone::clone).and_then(|found| {
            let links = Links::checked(&batch.text[found.links.clone()]);
            let placed = output.place(id, found.directory, links);
            placed.map_err(|(link, error)| format!("{link}: {error}"))
        });
        if let Err(cause) = placed {
            report(&Trouble {
                whose: Whose::Tenant(id),
                cause,
            });
        }
    }
}
