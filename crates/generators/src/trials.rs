//! `/var/lib/bitbuilder/trials/`: tenants whose current generation is on trial, each with a link to the generation that is
//! gone back to. `/run/bitbuilder/trial/<id>.json` says that this start of the host has made the trial; without it the
//! host was restarted, and the trial is over.
//!
//! A host without trials has no such directory, and pays one look for all its tenants.

use crate::file;
use crate::generate::CURRENT;
use rustix::fd::AsFd;
use rustix::fs::{AtFlags, Dir, Mode, OFlags};

const LINKS: &str = "var/lib/bitbuilder/trials";
const MARKS: &str = "run/bitbuilder/trial";

/// Tenants whose trial is over, with the directory of theirs to take instead of `current`; `None` when that is not known.
#[derive(Debug, Default)]
pub(crate) struct Trials(Vec<(String, Option<String>)>);

impl Trials {
    /// Those of the host at `root`.
    pub(crate) fn read(root: impl AsFd) -> Self {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let Ok(directory) = rustix::fs::openat(&root, LINKS, flags, Mode::empty()) else {
            return Self::default();
        };
        let Ok(entries) = Dir::read_from(&directory) else {
            return Self::default();
        };
        let marks = file::directory(&root, MARKS).ok();
        let over = entries.filter_map(|entry| {
            let id = entry.ok()?.file_name().to_str().ok()?.to_owned();
            let mark = format!("{id}.json");
            let goes_on =
                |marks| rustix::fs::statat(marks, &mark, AtFlags::SYMLINK_NOFOLLOW).is_ok();
            if id.starts_with('.') || marks.as_ref().is_some_and(goes_on) {
                return None;
            }
            let target = rustix::fs::readlinkat(&directory, &id, Vec::new()).ok();
            let number = target
                .as_ref()
                .and_then(|target| number(target.to_str().ok()?));
            Some((id, number.map(|number| format!("generations/{number}"))))
        });
        Self(over.collect())
    }

    /// The directory that `id` starts from, below its own.
    pub(crate) fn directory(&self, id: &str) -> Result<&str, &'static str> {
        match self.0.iter().find(|(over, _)| over == id) {
            None => Ok(CURRENT),
            Some((_, Some(directory))) => Ok(directory),
            Some((_, None)) => {
                Err("its trial is over, and the link to what it goes back to is damaged")
            }
        }
    }
}

/// The last component of a link to a generation.
fn number(target: &str) -> Option<&str> {
    let (_, number) = target.rsplit_once("/generations/")?;
    let digits = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    digits.then_some(number)
}
