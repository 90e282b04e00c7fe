//! What a push brings, before it is accepted. Git keeps the new objects apart until the pre-receive hook agrees
//! (git-receive-pack(1), "Quarantine Environment"); this makes them readable without touching the repository.

use super::error::SourceError;
use super::repository::{Repository, open_with_alternates, refuse_alternates, refuse_borrowed};
use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, ErrorKind, Read};
use std::path::{Path, PathBuf};

/// Refs of one push, at most.
const UPDATES: usize = 1000;
/// Bytes of one line, at most.
const LINE: u64 = 8192;

/// One line of a receive hook's standard input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefUpdate {
    /// Commit before, hex; `None` for a new ref.
    pub old: Option<String>,
    /// Commit after, hex; `None` for a deleted ref.
    pub new: Option<String>,
    /// Full name of the ref.
    pub name: String,
}

/// Reads what Git writes to pre-receive and post-receive: `<old> <new> <ref>` lines (githooks(5)).
///
/// # Errors
/// When a line has another form, or there are more than 1,000.
pub fn parse_receive_lines(input: impl Read) -> Result<Vec<RefUpdate>, SourceError> {
    let mut updates = Vec::new();
    let mut input = std::io::BufReader::new(input);
    loop {
        let mut line = Vec::new();
        let read = (&mut input).take(LINE).read_until(b'\n', &mut line);
        if read.map_err(|error| SourceError::Hook(error.to_string()))? == 0 {
            return Ok(updates);
        }
        if updates.len() == UPDATES {
            return Err(SourceError::Hook(format!(
                "more than {UPDATES} refs in one push"
            )));
        }
        updates.push(parse_line(&line)?);
    }
}

fn parse_line(line: &[u8]) -> Result<RefUpdate, SourceError> {
    let refused = || {
        let (line, _) = super::names::text(line);
        SourceError::Hook(format!("expected `<old> <new> <ref>`, got {line:?}"))
    };
    let line = std::str::from_utf8(line).map_err(|_| refused())?;
    let mut parts = line.strip_suffix('\n').ok_or_else(refused)?.splitn(3, ' ');
    let (Some(old), Some(new), Some(name)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(refused());
    };
    let id = |text: &str| {
        let id = gix::ObjectId::from_hex(text.as_bytes()).map_err(|_| refused())?;
        Ok::<_, SourceError>((!id.is_null()).then(|| text.to_owned()))
    };
    if gix::refs::FullName::try_from(name).is_err() {
        return Err(refused());
    }
    Ok(RefUpdate {
        old: id(old)?,
        new: id(new)?,
        name: name.to_owned(),
    })
}

/// The variables that Git sets for a pre-receive hook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    /// `GIT_OBJECT_DIRECTORY`: the new objects.
    pub objects: PathBuf,
    /// `GIT_ALTERNATE_OBJECT_DIRECTORIES`, as it stands: the repository's own objects.
    pub alternates: OsString,
}

impl Environment {
    /// Picks the variables with `get`, usually [`std::env::var_os`].
    ///
    /// # Errors
    /// When they are not set: not called by Git, or no new objects.
    pub fn from(get: impl Fn(&str) -> Option<OsString>) -> Result<Self, SourceError> {
        let variable =
            |name: &str| get(name).ok_or_else(|| SourceError::Hook(format!("{name} is not set")));
        Ok(Self {
            objects: variable("GIT_OBJECT_DIRECTORY")?.into(),
            alternates: variable("GIT_ALTERNATE_OBJECT_DIRECTORIES")?,
        })
    }
}

/// A repository as it would be if the push were accepted, for reading; gone when dropped.
#[derive(Debug)]
pub struct Quarantine {
    repository: Repository,
    scratch: Scratch,
}

impl std::ops::Deref for Quarantine {
    type Target = Repository;

    fn deref(&self) -> &Repository {
        &self.repository
    }
}

impl Quarantine {
    /// The scratch repository.
    pub fn path(&self) -> &Path {
        &self.scratch.0
    }
}

/// Makes the objects of a push to `repository` readable; the scratch directory is made below `scratch`.
///
/// Only the push's own objects and those of `repository` are visible: other directories in `environment` are refused.
///
/// # Errors
/// When the variables do not belong to `repository`, or the scratch directory cannot be made.
pub fn open(
    repository: &Path,
    environment: &Environment,
    scratch: &Path,
) -> Result<Quarantine, SourceError> {
    refuse_alternates(repository)?;
    let objects = canonical(&repository.join("objects"))?;
    let new = canonical(&repository.join(&environment.objects))?;
    if new.parent() != Some(&objects) {
        return Err(SourceError::Hook(format!(
            "{} is not a quarantine of {}",
            new.display(),
            repository.display()
        )));
    }
    refuse_borrowed(repository, &new)?;
    if canonical(&repository.join(&environment.alternates))? != objects {
        return Err(SourceError::Alternates(repository.to_owned()));
    }
    let scratch = Scratch::create(scratch)?;
    scratch.fill(&[&new, &objects])?;
    Ok(Quarantine {
        repository: open_with_alternates(&scratch.0)?,
        scratch,
    })
}

fn canonical(path: &Path) -> Result<PathBuf, SourceError> {
    path.canonicalize().map_err(SourceError::file(path))
}

/// A directory that is removed when dropped.
#[derive(Debug)]
struct Scratch(PathBuf);

impl Scratch {
    fn create(parent: &Path) -> Result<Self, SourceError> {
        fs::create_dir_all(parent).map_err(SourceError::file(parent))?;
        let mut number = 0_u32;
        loop {
            let path = parent.join(format!("push-{}-{number}", std::process::id()));
            match fs::create_dir(&path) {
                Ok(()) => return Ok(Self(path)),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => number += 1,
                Err(error) => return Err(SourceError::file(&path)(error)),
            }
        }
    }

    /// The least that is a bare repository, with `objects` as its alternates.
    fn fill(&self, objects: &[&Path]) -> Result<(), SourceError> {
        use std::os::unix::ffi::OsStrExt;
        let mut alternates = Vec::new();
        for path in objects {
            let bytes = path.as_os_str().as_bytes();
            if bytes.contains(&b'\n') {
                return Err(SourceError::Hook("a path has a line break".into()));
            }
            alternates.extend_from_slice(bytes);
            alternates.push(b'\n');
        }
        for directory in ["objects/info", "objects/pack", "refs/heads"] {
            let directory = self.0.join(directory);
            fs::create_dir_all(&directory).map_err(SourceError::file(&directory))?;
        }
        let config = b"[core]\n\trepositoryformatversion = 0\n\tbare = true\n";
        let files: [(&str, &[u8]); 3] = [
            ("HEAD", b"ref: refs/heads/main\n"),
            ("config", config),
            ("objects/info/alternates", &alternates),
        ];
        for (name, content) in files {
            let path = self.0.join(name);
            fs::write(&path, content).map_err(SourceError::file(&path))?;
        }
        Ok(())
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What is left is empty or in /run; the hook's verdict matters more.
        let _ = fs::remove_dir_all(&self.0);
    }
}
