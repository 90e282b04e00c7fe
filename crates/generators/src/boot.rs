//! `boot` and `mount-boot` of a generation: one link a line, `<link>\t<target>`, all checked before any is made.
//!
//! The renderer of the generation wrote them, as root; but a file can be damaged, and what is placed here outranks the
//! units of the host. So a link says everything: its name must be the tenant's, and its target follows from its name.
//! Whether the target is there is not asked: a generation is complete or not current, and systemd tells of a dangling link.

use crate::names::{self, Names};

/// Which of the two generators.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Generator {
    /// Units, drop-ins and what pulls them in.
    Tenant,
    /// Mount units.
    Mount,
}

impl Generator {
    /// Name of the program.
    pub fn program(self) -> &'static str {
        match self {
            Self::Tenant => "tenant-generator",
            Self::Mount => "mount-generator",
        }
    }

    /// The file of a generation that it reads.
    pub(crate) fn file(self) -> &'static str {
        match self {
            Self::Tenant => "boot",
            Self::Mount => "mount-boot",
        }
    }

    /// The directory of a generation that its files are in, with a final `/`.
    fn directory(self) -> &'static str {
        match self {
            Self::Tenant => "system/",
            Self::Mount => "mounts/",
        }
    }
}

/// Largest file of links that is read: ten thousand containers stay below it.
pub(crate) const LIMIT: usize = 16 << 20;

/// One link of the generator directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Link<'a> {
    /// `<unit>`, `<unit>.d`, or `<unit>.wants/<unit>`.
    pub(crate) path: &'a str,
    /// Where it points to.
    pub(crate) target: Target<'a>,
}

/// Where a link points to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target<'a> {
    /// A path of the generation.
    Own(&'a str),
    /// An absolute path: a template that is shipped with the host.
    Shipped(&'a str),
}

/// A file of links, each of which is the tenant's.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Links<'a>(&'a str);

impl<'a> Links<'a> {
    /// The links, in the order of the file.
    pub(crate) fn iter(self) -> impl Iterator<Item = Link<'a>> {
        self.0.lines().filter_map(|line| {
            let (path, target) = line.split_once('\t')?;
            let target = if target.starts_with('/') {
                Target::Shipped(target)
            } else {
                Target::Own(target)
            };
            Some(Link { path, target })
        })
    }
}

/// Checks all links of a generation.
///
/// # Errors
/// The first line that is not a link of the tenant: its number, from 1, and why.
pub(crate) fn check<'a>(
    generator: Generator,
    text: &'a [u8],
    names: &Names<'_>,
) -> Result<Links<'a>, (usize, &'static str)> {
    let text = std::str::from_utf8(text).map_err(|error| {
        let before = &text[..error.valid_up_to()];
        let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
        (line, "it is not UTF-8")
    })?;
    // A tenant without containers has no mounts; none is without a slice.
    if text.is_empty() && generator == Generator::Tenant {
        return Err((1, "the file is empty"));
    }
    for (index, line) in text.split_inclusive('\n').enumerate() {
        line.strip_suffix('\n')
            .ok_or("the line is cut off")
            .and_then(|line| check_line(generator, line, names))
            .map_err(|reason| (index + 1, reason))?;
    }
    Ok(Links(text))
}

fn check_line(generator: Generator, line: &str, names: &Names<'_>) -> Result<(), &'static str> {
    let (path, target) = line.split_once('\t').ok_or("it has no tab")?;
    let belongs = match path.split_once('/') {
        None => {
            let unit = path.strip_suffix(".d").unwrap_or(path);
            if !names.owns(unit) {
                return Err("the link is not named like a unit of this tenant");
            }
            is_own(target, generator.directory(), path)
        }
        Some((directory, unit)) => {
            if !names.owns(unit) {
                return Err("it pulls in what is not a unit of this tenant");
            }
            if !may_pull(directory, unit, names) {
                return Err("the unit that pulls in is not one of this tenant");
            }
            match names::template(unit) {
                Some((name, suffix)) => is_shipped(target, name, suffix),
                None => is_own(target, generator.directory(), unit),
            }
        }
    };
    if belongs {
        Ok(())
    } else {
        Err("the target does not belong to the link")
    }
}

/// Whether `unit`, the tenant's, may be in `directory`.
fn may_pull(directory: &str, unit: &str, names: &Names<'_>) -> bool {
    if directory == "multi-user.target.wants" {
        return names.is_tenant(unit);
    }
    directory
        .strip_suffix(".wants")
        .or_else(|| directory.strip_suffix(".requires"))
        .is_some_and(|of| names.owns(of))
}

/// Whether `target` is the shipped template `<name>@.<suffix>`.
fn is_shipped(target: &str, name: &str, suffix: &str) -> bool {
    target
        .strip_prefix(names::SHIPPED)
        .and_then(|rest| rest.strip_prefix(name))
        .and_then(|rest| rest.strip_prefix("@."))
        == Some(suffix)
}

/// Whether `target` is `<directory><name>` of the generation.
fn is_own(target: &str, directory: &str, name: &str) -> bool {
    target.strip_prefix(directory) == Some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "multi-user.target.wants/tenant@a.service\t/usr/lib/systemd/system/tenant@.service\n\
                        tenant-a.slice\tsystem/tenant-a.slice\n\
                        tenant@a.service.wants/systemd-nspawn@a-web.service\t/usr/lib/systemd/system/systemd-nspawn@.service\n";

    fn parsed(text: &[u8]) -> Result<usize, (usize, &'static str)> {
        let names = Names::new("a").unwrap();
        check(Generator::Tenant, text, &names).map(|links| links.iter().count())
    }

    #[test]
    fn cut_off_anywhere() {
        assert_eq!(parsed(GOOD.as_bytes()), Ok(3));
        for length in 0..GOOD.len() {
            // Between two lines the rest is whole, and smaller.
            let whole = GOOD[..length].ends_with('\n');
            let result = parsed(&GOOD.as_bytes()[..length]);
            assert_eq!(result.is_ok(), whole, "{}", &GOOD[..length]);
        }
    }

    /// A changed byte is refused, unless it names another machine of the same tenant.
    #[test]
    fn changed_anywhere() {
        let web = GOOD.find("web").unwrap();
        for index in 0..GOOD.len() {
            for byte in 0..=u8::MAX {
                let mut text = GOOD.as_bytes().to_vec();
                text[index] = byte;
                let same = text == GOOD.as_bytes();
                let workload = (web..web + 3).contains(&index);
                if parsed(&text).is_ok() {
                    assert!(same || workload, "{}", String::from_utf8_lossy(&text));
                }
            }
        }
    }
}
