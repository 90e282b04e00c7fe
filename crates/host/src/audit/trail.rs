//! The repository that holds the trail: `/var/lib/bitbuilder/audit.git`, one commit per record on one ref.

use super::commit::{FILE, Link, New};
use super::entry::{Draft, Entry, Event, Who};
use super::key::{self, Key, Which};
use super::refusals::Refusals;
use super::{AuditError, read};
use crate::host::{Host, HostError};
use crate::source::propose::hostname;
use crate::source::{self, Repository, SourceError};
use crate::{atomic, disk};
use gix::ObjectId;
use gix::objs::Kind;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// The ref.
pub(super) const REFERENCE: &str = "refs/heads/audit";
/// Kind of the event that every trail begins with.
const BEGUN: &str = "audit-begun";
/// Records after which loose objects are packed.
const PACK: u64 = 1000;

/// Nothing is collected behind our back, and a push cannot rewrite what is there.
const CONFIGURATION: &str = "\
[core]
\trepositoryformatversion = 0
\tfilemode = true
\tbare = true
\thooksPath = /dev/null
\tfsmonitor = false
[receive]
\tdenyCurrentBranch = refuse
\tdenyNonFastForwards = true
\tdenyDeletes = true
[gc]
\tauto = 0
[maintenance]
\tauto = false
";

/// The trail, open for writing; nobody else writes meanwhile.
pub(super) struct Trail<'a> {
    host: &'a dyn Host,
    repository: Repository,
    /// Unsealed when it is needed: that can take seconds.
    key: Option<Key>,
    head: Option<Head>,
    #[expect(dead_code, reason = "the open file holds the lock")]
    lock: File,
}

/// The newest record.
pub(super) struct Head {
    pub(super) id: ObjectId,
    bytes: Vec<u8>,
    pub(super) number: u64,
}

impl<'a> Trail<'a> {
    /// Opens it; the first time, it and its key are made.
    pub(super) fn open(host: &'a dyn Host) -> Result<Self, AuditError> {
        let root = host.root();
        let lock = lock(&root.audit())?;
        let path = root.audit_trail();
        if path.symlink_metadata().is_err() {
            source::create_bare(&path, CONFIGURATION, |partial| {
                let head = partial.join("HEAD");
                std::fs::write(&head, format!("ref: {REFERENCE}\n"))
                    .map_err(SourceError::file(&head))
            })?;
        }
        let repository = source::open(&path)?;
        let head = head(&repository)?;
        finish_rotation(host, &repository, head.as_ref())?;
        Ok(Self {
            host,
            repository,
            key: None,
            head,
            lock,
        })
    }

    /// Whether `draft` is what the newest record says.
    pub(super) fn ends_with(&self, draft: &Draft) -> Result<bool, AuditError> {
        let Some(head) = &self.head else {
            return Ok(false);
        };
        let mut newest = read::entry(&self.repository, head.id)?.draft;
        newest.events.retain(|event| event.event != BEGUN);
        Ok(newest == *draft)
    }

    /// How many records it has, if it can be written.
    pub(super) fn check(mut self) -> Result<u64, AuditError> {
        if self.head.is_some() {
            self.key()?;
        }
        Ok(self.head.as_ref().map_or(0, |head| head.number))
    }

    /// Adds a record of what `draft` says, without refusals that are too many to be recorded one by one.
    pub(super) fn write(&mut self, mut draft: Draft) -> Result<(), AuditError> {
        let path = self.host.root().audit().join("refusals.json");
        let before: Refusals = atomic::read_json(&path)?.unwrap_or_default();
        let mut refusals = before.clone();
        let counts = refusals.over(draft.time);
        draft
            .events
            .retain(|event| refusals.admit(event, draft.time));
        draft.events.extend(counts);
        if draft.command.is_some() || !draft.events.is_empty() {
            self.append(draft)?;
        }
        if refusals != before {
            atomic::write_json(&path, &refusals)?;
        }
        Ok(())
    }

    /// Adds a record of something that the trail itself found.
    pub(super) fn note(&mut self, event: Event) -> Result<(), AuditError> {
        self.append(Draft {
            time: self.host.now(),
            who: Who::operator(self.host),
            command: None,
            interrupted: false,
            events: vec![event],
        })
    }

    /// Adds one record.
    fn append(&mut self, mut draft: Draft) -> Result<(), AuditError> {
        let key = self.key()?;
        if self.head.is_none() {
            let begun = Event::new(None, BEGUN).with("key", text(&key)?);
            draft.events.insert(0, begun);
        }
        let number = self.head.as_ref().map_or(0, |head| head.number) + 1;
        let name = hostname(self.host.root());
        let entry = Entry {
            format: atomic::FORMAT,
            number,
            host: name.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            draft,
        };
        let path = self.repository.path().to_owned();
        let record = atomic::json(&path.join(FILE), &entry)?;
        let tree = self.tree(&record)?;
        let new = New {
            subject: &entry.draft.subject(),
            number,
            record: &record,
            previous: self.head.as_ref().map(|head| (head.id, &*head.bytes)),
            tree,
            host: &name,
            time: entry.draft.time,
        };
        let bytes = new.signed(|payload| {
            let signed = key.sign(payload);
            signed.map_err(|error| AuditError::Key {
                path: self.host.root().audit().join("key"),
                reason: error.to_string(),
            })
        })?;
        let id = self.object(Kind::Commit, &bytes)?;
        disk::sync_directory(&path.join("objects"))?;
        atomic::write(&path.join(REFERENCE), format!("{id}\n").as_bytes(), 0o644)?;
        if number.is_multiple_of(PACK) {
            pack(&path);
        }
        self.key = Some(key);
        self.head = Some(Head { id, bytes, number });
        Ok(())
    }

    /// The key; the first time, it is made.
    fn key(&mut self) -> Result<Key, AuditError> {
        if let Some(key) = self.key.take() {
            return Ok(key);
        }
        let root = self.host.root();
        let key = match (Key::read(self.host, Which::Present)?, &self.head) {
            (Some(key), _) => key,
            (None, None) => Key::make(self.host, Which::Present)?,
            (None, Some(_)) => {
                return Err(AuditError::Key {
                    path: root.audit().join("key"),
                    reason: format!(
                        "it is gone, and the trail goes on with no other: restore it, or move {} away to begin \
                         another trail",
                        root.audit_trail().display()
                    ),
                });
            }
        };
        key::publish(root, key.public())?;
        Ok(key)
    }

    /// The key that signs from the next record on is another one; this record says so.
    pub(super) fn rotate(mut self, mut draft: Draft) -> Result<(), AuditError> {
        let next = Key::make(self.host, Which::Next)?;
        let rotated = Event::new(None, read::ROTATED).with("key", text(&next)?);
        draft.events.push(rotated);
        self.append(draft)?;
        Key::promote(self.host.root())?;
        key::publish(self.host.root(), next.public())
    }

    fn tree(&self, record: &[u8]) -> Result<ObjectId, AuditError> {
        let blob = self.object(Kind::Blob, record)?;
        let mut tree = format!("100644 {FILE}\0").into_bytes();
        tree.extend_from_slice(blob.as_slice());
        self.object(Kind::Tree, &tree)
    }

    /// Writes an object and brings it to the disk, before anything refers to it.
    fn object(&self, kind: Kind, bytes: &[u8]) -> Result<ObjectId, AuditError> {
        disk::point();
        let repository = &self.repository.inner;
        let id = match kind {
            Kind::Blob => repository.write_blob(bytes),
            _ => repository.write_object(Raw(kind, bytes)),
        };
        let id = id.map_err(SourceError::object("new"))?.detach();
        let hex = id.to_string();
        let file = self.repository.path().join("objects").join(&hex[..2]);
        sync(&file.join(&hex[2..]))?;
        disk::sync_directory(&file)?;
        Ok(id)
    }
}

/// An object as it stands.
struct Raw<'a>(Kind, &'a [u8]);

impl gix::objs::WriteTo for Raw<'_> {
    fn write_to(&self, out: &mut dyn std::io::Write) -> std::io::Result<()> {
        out.write_all(self.1)
    }

    fn kind(&self) -> Kind {
        self.0
    }

    fn size(&self) -> u64 {
        self.1.len() as u64
    }
}

/// The newest record of `repository`.
pub(super) fn head(repository: &Repository) -> Result<Option<Head>, AuditError> {
    let Some(id) = read::head(repository)? else {
        return Ok(None);
    };
    let bytes = read::object(repository, id, Kind::Commit).map_err(|reason| broken(id, reason))?;
    let link = Link::parse(&bytes).map_err(|reason| broken(id, reason))?;
    Ok(Some(Head {
        id,
        bytes,
        number: link.number,
    }))
}

fn broken(id: ObjectId, reason: String) -> AuditError {
    AuditError::Broken {
        number: 0,
        commit: id.to_string(),
        reason,
    }
}

/// A rotation that was interrupted: the next key counts when the trail has the record of it.
fn finish_rotation(
    host: &dyn Host,
    repository: &Repository,
    head: Option<&Head>,
) -> Result<(), AuditError> {
    if !Which::Next.path(host.root()).exists() {
        return Ok(());
    }
    let Some(next) = Key::read(host, Which::Next)? else {
        return Ok(());
    };
    let newest = head.map(|head| read::entry(repository, head.id));
    let recorded = match newest.transpose()? {
        Some(entry) => read::rotated_to(&entry.draft)?,
        None => None,
    };
    if recorded.is_some_and(|key| key.key_data() == next.public().key_data()) {
        Key::promote(host.root())
    } else {
        Key::discard_next(host.root())
    }
}

fn text(key: &Key) -> Result<String, AuditError> {
    key.public().to_openssh().map_err(|error| AuditError::Key {
        path: "key".into(),
        reason: error.to_string(),
    })
}

/// Waits until nobody else writes.
fn lock(directory: &Path) -> Result<File, AuditError> {
    atomic::make_directories(directory)?;
    let path = directory.join("lock");
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(HostError::file(&path))?;
    file.lock().map_err(HostError::file(&path))?;
    Ok(file)
}

/// An object that is in a pack has no file, and is on the disk.
fn sync(path: &Path) -> Result<(), AuditError> {
    match File::open(path) {
        Ok(file) => Ok(file.sync_all().map_err(HostError::file(path))?),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(HostError::file(path)(error).into()),
    }
}

/// Loose objects take a block and an inode each. Nothing is lost when this fails: the next time packs them too.
fn pack(path: &Path) {
    let packed = crate::git::Invocation::new("repack")
        .repository(path)
        .args(["-d", "-q", "--geometric=2"])
        .run();
    drop(packed);
}
