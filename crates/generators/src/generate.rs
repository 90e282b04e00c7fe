//! One run of a generator.

use crate::boot::{self, Generator};
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
use std::path::Path;
use std::thread;

/// So many tenants are worth a second thread.
const MANY: usize = 64;
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

impl Generations {
    /// Places all tenants: many of them on two threads, because one that reads leaves the directory to the other.
    fn place_all(
        &self,
        tenants: &[Tenant<'_>],
        normal: &OwnedFd,
        report: &mut dyn FnMut(&Trouble<'_>),
    ) {
        let (here, there) = if tenants.len() < MANY {
            (tenants, &tenants[..0])
        } else {
            tenants.split_at(tenants.len() / 2)
        };
        let place = |tenants| self.place(tenants, normal);
        let troubles = thread::scope(|scope| {
            let other = (!there.is_empty())
                .then(|| thread::Builder::new().spawn_scoped(scope, || place(there)));
            let mut troubles = place(here);
            troubles.extend(match other {
                Some(Ok(other)) => other.join().unwrap_or_default(),
                // No thread is to be had.
                _ => place(there),
            });
            troubles
        });
        troubles.iter().for_each(report);
    }

    /// Places one tenant after the other; returns what went wrong.
    fn place<'t>(&self, tenants: &'t [Tenant<'_>], normal: &OwnedFd) -> Vec<Trouble<'t>> {
        let mut output = Output::new(normal);
        let mut text = Vec::new();
        let mut troubles = Vec::new();
        for Tenant { id, enabled } in tenants {
            let placed = match enabled {
                true => self.place_one(id, &mut text, &mut output),
                false => Ok(()),
            };
            if let Err(cause) = placed {
                troubles.push(Trouble {
                    whose: Whose::Tenant(id),
                    cause,
                });
            }
        }
        troubles
    }

    /// Places a tenant; `text` is room for its file. A tenant that has no generation yet has no links.
    fn place_one(
        &self,
        id: &str,
        text: &mut Vec<u8>,
        output: &mut Output<'_>,
    ) -> Result<(), String> {
        let names = Names::new(id).ok_or("this is not the id of a tenant")?;
        let directory = self.trials.directory(id)?;
        let path = [id, "/", directory, "/", self.generator.file()].concat();
        let at = |what: &dyn fmt::Display| format!("/{TENANTS}/{path}: {what}");
        match file::open(&self.home, path.as_str()) {
            Err(Errno::NOENT) if self.is_new(id) => return Ok(()),
            opened => opened.and_then(|file| file::read(&file, text, boot::LIMIT)),
        }
        .map_err(|error| at(&error))?;
        let links = boot::check(self.generator, text, &names)
            .map_err(|(line, reason)| at(&format_args!("line {line}: {reason}")))?;
        output
            .place(id, directory, links)
            .map_err(|(link, error)| format!("{link}: {error}"))
    }

    /// Whether the tenant was never given a generation; a link that leads nowhere is damage.
    fn is_new(&self, id: &str) -> bool {
        let current = format!("{id}/current");
        let found = rustix::fs::statat(&self.home, current, AtFlags::SYMLINK_NOFOLLOW);
        matches!(found, Err(Errno::NOENT))
    }
}
