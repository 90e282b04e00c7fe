//! One run of a generator.

use crate::boot::{self, Generator, Target};
use crate::names::Names;
use crate::output::Output;
use crate::registry::{self, Tenant};
use crate::{file, names};
use rustix::fd::OwnedFd;
use rustix::fs::{Access, AtFlags, CWD};
use rustix::io::Errno;
use std::fmt;
use std::io;
use std::path::Path;

const TENANTS: &str = "var/lib/tenants";
/// Runs the generators again once `/var` is there.
const DISCOVER: &str = "bitbuilder-discover.service";

/// Why a tenant, or all of them, got no links.
#[derive(Debug)]
pub struct Trouble<'a> {
    /// The tenant; `None` when the registry cannot be read.
    tenant: Option<&'a str>,
    /// What is wrong, with the file.
    cause: String,
}

impl fmt::Display for Trouble<'_> {
    /// One line: who, what, and what to do.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cause = &self.cause;
        match self.tenant {
            Some(id) if Names::new(id).is_some() => {
                write!(f, "{id}: {cause}; nothing of this tenant is placed")
            }
            // Anything can be in such an id.
            Some(id) => write!(f, "{id:?}: {cause}; nothing of this tenant is placed"),
            None => write!(f, "{cause}; no tenant is placed"),
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
    let mut output = Output::open(normal)?;
    let root = file::directory(CWD, root)?;
    let mut text = Vec::new();
    let read = file::open(&root, registry::PATH)
        .and_then(|file| file::read(&file, &mut text, registry::LIMIT));
    let mut all = |cause| {
        report(&Trouble {
            tenant: None,
            cause,
        })
    };
    match read {
        Err(Errno::NOENT) => {
            if generator == Generator::Tenant
                && let Err(error) = discover(&mut output)
            {
                all(format!("{DISCOVER}: {error}"));
            }
            return Ok(());
        }
        Err(error) => all(format!("/{}: {error}", registry::PATH)),
        Ok(()) => match registry::parse(&text) {
            Err(error) => all(format!("/{}: {error}", registry::PATH)),
            Ok(registry) => tenants(generator, &root, &registry.tenants, &mut output, report),
        },
    }
    Ok(())
}

fn discover(output: &mut Output) -> Result<(), Errno> {
    output.place_shipped(
        &format!("multi-user.target.wants/{DISCOVER}"),
        &format!("{}{DISCOVER}", names::SHIPPED),
    )
}

fn tenants(
    generator: Generator,
    root: &OwnedFd,
    tenants: &[Tenant<'_>],
    output: &mut Output,
    report: &mut dyn FnMut(&Trouble<'_>),
) {
    // Without the directory, no tenant has a generation.
    let Ok(home) = file::directory(root, TENANTS) else {
        return;
    };
    let mut one = One {
        generator,
        home,
        text: Vec::new(),
        path: String::new(),
    };
    for tenant in tenants.iter().filter(|tenant| tenant.enabled) {
        if let Err(cause) = one.place(&tenant.id, output) {
            let tenant = Some(&*tenant.id);
            report(&Trouble { tenant, cause });
        }
    }
}

/// One tenant after the other, with the buffers that they share.
struct One {
    generator: Generator,
    /// `/var/lib/tenants/`.
    home: OwnedFd,
    text: Vec<u8>,
    path: String,
}

impl One {
    fn place(&mut self, id: &str, output: &mut Output) -> Result<(), String> {
        let names = Names::new(id).ok_or("this is not the id of a tenant")?;
        self.path_of(id, self.generator.file());
        let file = match file::open(&self.home, self.path.as_str()) {
            Err(Errno::NOENT) if self.is_new(id) => return Ok(()),
            opened => opened.map_err(|error| self.at(error))?,
        };
        file::read(&file, &mut self.text, boot::LIMIT).map_err(|error| self.at(error))?;
        // The lines are borrowed from the text while paths are built beside it.
        let text = std::mem::take(&mut self.text);
        let result = self.place_lines(&text, &names, output);
        self.text = text;
        result
    }

    fn place_lines(
        &mut self,
        text: &[u8],
        names: &Names<'_>,
        output: &mut Output,
    ) -> Result<(), String> {
        let links = boot::parse(self.generator, text, names)
            .map_err(|(line, reason)| self.at(format_args!("line {line}: {reason}")))?;
        for link in &links {
            if let Target::Own(target) = link.target {
                self.path_of(names.id(), target);
                rustix::fs::accessat(
                    &self.home,
                    self.path.as_str(),
                    Access::EXISTS,
                    AtFlags::empty(),
                )
                .map_err(|error| self.at(error))?;
            }
        }
        output
            .place(names.id(), &links)
            .map_err(|(link, error)| format!("{link}: {error}"))
    }

    /// Makes `path` of the current generation of `id` the path at hand, relative to the home of tenants.
    fn path_of(&mut self, id: &str, path: &str) {
        self.path.clear();
        for part in [id, "/current/", path] {
            self.path.push_str(part);
        }
    }

    /// `what` about the path at hand.
    fn at(&self, what: impl fmt::Display) -> String {
        format!("/{TENANTS}/{}: {what}", self.path)
    }

    /// Whether the tenant was never given a generation; a link that leads nowhere is damage.
    fn is_new(&self, id: &str) -> bool {
        let current = format!("{id}/current");
        let found = rustix::fs::statat(&self.home, current, AtFlags::SYMLINK_NOFOLLOW);
        matches!(found, Err(Errno::NOENT))
    }
}
