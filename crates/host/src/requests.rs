//! Requests for passes: files in `/run/bitbuilder/requests/`, one per repository, named like the tenant or `system`. Who asks
//! needs no other right than to make a file there: the unit that watches a path, and the receiver of webhooks. A request
//! that is there already stands for all that follow until it is taken.
//!
//! [`serve`] takes them, several at once but one per repository, and ends when none is left; a path unit starts it when
//! there is one. Content and names come from an unprivileged process: what is not a request is removed.

use crate::host::HostError;
use crate::paths::HostRoot;
use crate::reconcile::{Scope, Trigger};
use bitbuilder_core::model::Name;
use bitbuilder_core::sync::units::SYSTEM;
use rustix::fs::{CWD, Mode, OFlags, openat};
use std::collections::BTreeSet;
use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

/// Passes at once.
const AT_ONCE: usize = 16;
/// While passes run, new requests are looked for this often.
const LOOK: Duration = Duration::from_millis(200);
/// Longest content: a word of [`Trigger`].
const CONTENT: u64 = 256;

/// Somebody wants a pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// For whom: a tenant, or all because of the system repository.
    pub scope: Scope,
    /// Who or what.
    pub trigger: Trigger,
}

/// Where requests are put.
pub fn directory(root: &HostRoot) -> PathBuf {
    root.runtime().join("requests")
}

/// Asks for a pass for tenant `name`, or `system`. One that is asked for already is enough.
///
/// # Errors
/// When the file cannot be made.
pub fn ask(directory: &Path, name: &Name, trigger: &Trigger) -> Result<(), HostError> {
    let path = directory.join(name.as_str());
    // A hidden name is nobody's request yet; the process id keeps two writers apart.
    let partial = directory.join(format!(".{name}.{}", std::process::id()));
    let write = || {
        let mut file = fs::File::create_new(&partial)?;
        file.write_all(trigger.to_string().as_bytes())
    };
    write().map_err(HostError::file(&partial))?;
    let linked = fs::hard_link(&partial, &path);
    fs::remove_file(&partial).map_err(HostError::file(&partial))?;
    match linked {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => {
            Err(HostError::file(&path)(error))
        }
        _ => Ok(()),
    }
}

/// Has `work` done for every request, until there is none. Requests for one repository are never worked on at once: the one
/// that comes meanwhile waits.
///
/// # Errors
/// When the directory cannot be read or a request cannot be removed.
pub fn serve(directory: &Path, work: impl Fn(Request) + Sync) -> Result<(), HostError> {
    thread::scope(|threads| {
        let (ended, endings) = mpsc::channel();
        let mut under_way = BTreeSet::new();
        loop {
            for name in waiting(directory)? {
                if under_way.len() >= AT_ONCE || under_way.contains(&name) {
                    continue;
                }
                let Some(request) = take(directory, &name)? else {
                    continue;
                };
                under_way.insert(name.clone());
                let (work, ended) = (&work, ended.clone());
                threads.spawn(move || {
                    work(request);
                    // The receiver outlives the scope.
                    let _ = ended.send(name);
                });
            }
            if under_way.is_empty() {
                return Ok(());
            }
            match endings.recv_timeout(LOOK) {
                Ok(name) => drop(under_way.remove(&name)),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
            }
        }
    })
}

/// Names of what is there, without what is still being written.
fn waiting(directory: &Path) -> Result<BTreeSet<String>, HostError> {
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(BTreeSet::new()),
        entries => entries.map_err(HostError::file(directory))?,
    };
    let names = entries.flatten().map(|entry| entry.file_name());
    let names = names.map(|name| name.to_string_lossy().into_owned());
    Ok(names.filter(|name| !name.starts_with('.')).collect())
}

/// Takes one away; `None` when it is no request. It is read first: what comes after the removal is a new one.
fn take(directory: &Path, name: &str) -> Result<Option<Request>, HostError> {
    let path = directory.join(name);
    let trigger = read(&path).and_then(|text| text.trim().parse().ok());
    match fs::remove_file(&path) {
        Err(error) if error.kind() == ErrorKind::IsADirectory => {
            fs::remove_dir(&path).map_err(HostError::file(&path))?;
        }
        Err(error) if error.kind() != ErrorKind::NotFound => {
            return Err(HostError::file(&path)(error));
        }
        _ => {}
    }
    let scope = match name {
        SYSTEM => Some(Scope::All),
        name => Name::new(name).ok().map(Scope::One),
    };
    Ok(scope
        .zip(trigger)
        .map(|(scope, trigger)| Request { scope, trigger }))
}

/// A small regular file; nothing is followed or waited for.
fn read(path: &Path) -> Option<String> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = fs::File::from(openat(CWD, path, flags, Mode::empty()).ok()?);
    let regular = file.metadata().is_ok_and(|metadata| metadata.is_file());
    let mut text = String::new();
    file.take(CONTENT).read_to_string(&mut text).ok()?;
    regular.then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;
    use std::sync::Mutex;

    fn name(id: &str) -> Name {
        Name::new(id).unwrap()
    }

    fn served(directory: &Path) -> Vec<Request> {
        let seen = Mutex::new(Vec::new());
        serve(directory, |request| seen.lock().unwrap().push(request)).unwrap();
        let mut seen = seen.into_inner().unwrap();
        seen.sort_by_key(|request| format!("{request:?}"));
        seen
    }

    #[test]
    fn requests_are_served_once() {
        let directory = tempfile::tempdir().unwrap();
        let directory = directory.path();
        let delivery = Trigger::Webhook {
            delivery: Some("abc-1".to_owned()),
        };
        ask(directory, &name("shop"), &delivery).unwrap();
        ask(directory, &name("shop"), &Trigger::Path).unwrap();
        ask(directory, &name("system"), &Trigger::Path).unwrap();
        let request = |scope, trigger: &Trigger| Request {
            scope,
            trigger: trigger.clone(),
        };
        let expected = [
            request(Scope::All, &Trigger::Path),
            request(Scope::One(name("shop")), &delivery),
        ];
        assert_eq!(served(directory), expected);
        assert_eq!(served(directory), []);
        assert_eq!(fs::read_dir(directory).unwrap().count(), 0);
        assert_eq!(served(&directory.join("nothing")), []);
    }

    #[test]
    fn what_is_no_request_is_removed_and_nothing_is_followed() {
        let directory = tempfile::tempdir().unwrap();
        let directory = directory.path();
        let secret = tempfile::NamedTempFile::new().unwrap();
        fs::write(secret.path(), "path").unwrap();
        symlink(secret.path(), directory.join("link")).unwrap();
        fs::create_dir(directory.join("directory")).unwrap();
        fs::write(directory.join("Not-A-Name"), "path").unwrap();
        fs::write(directory.join("words"), "sudo make me a sandwich").unwrap();
        fs::write(directory.join("long"), "path".repeat(100)).unwrap();
        fs::write(directory.join("bytes"), [0xff, 0xfe]).unwrap();
        rustix::fs::mknodat(
            CWD,
            directory.join("fifo"),
            rustix::fs::FileType::Fifo,
            Mode::RWXU,
            0,
        )
        .unwrap();
        fs::write(directory.join("empty"), "").unwrap();
        assert_eq!(served(directory), []);
        assert_eq!(fs::read_dir(directory).unwrap().count(), 0);
        assert!(secret.path().exists());
    }

    #[test]
    fn a_request_that_comes_meanwhile_is_served_too_and_never_beside_the_first() {
        let directory = tempfile::tempdir().unwrap();
        let directory = directory.path();
        let shop = name("shop");
        ask(directory, &shop, &Trigger::Path).unwrap();
        ask(directory, &name("other"), &Trigger::Path).unwrap();
        let (other, served) = mpsc::channel();
        let (other, served) = (Mutex::new(other), Mutex::new(served));
        let at_work = Mutex::new(());
        let count = Mutex::new(0);
        serve(directory, |request| {
            if request.scope == Scope::One(name("other")) {
                other.lock().unwrap().send(()).unwrap();
                return;
            }
            let alone = at_work.try_lock().expect("only one at a time");
            let mut count = count.lock().unwrap();
            *count += 1;
            if *count == 1 {
                // Others are not held up by this one.
                served.lock().unwrap().recv().unwrap();
                ask(directory, &shop, &Trigger::Path).unwrap();
                ask(directory, &name("other"), &Trigger::Path).unwrap();
                served.lock().unwrap().recv().unwrap();
            }
            drop(alone);
        })
        .unwrap();
        assert_eq!(*count.lock().unwrap(), 2);
    }
}
