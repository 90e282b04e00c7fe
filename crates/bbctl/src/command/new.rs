//! `bbctl new`.

use crate::context::Context;
use crate::error::{CommandError, Exit};
use crate::scaffold::{self, Files, Template};
use bitbuilder_core::model::Name;
use bitbuilder_host::atomic;
use bitbuilder_host::foreground;
use clap::{Args, Subcommand};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Make a repository that is valid as it stands.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bbctl new system ./acme-system
  bbctl new tenant ./shop
  bbctl new tenant ./build-farm --template vm --id farm")]
pub(crate) struct New {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// A system repository: the registry of tenants and the rules of the host.
    #[command(after_help = "Example:\n  bbctl new system ./acme-system")]
    System {
        /// The directory; it must be empty or not be there.
        dir: PathBuf,
    },
    /// A tenant repository.
    #[command(after_help = "\
Examples:
  bbctl new tenant ./shop
  bbctl new tenant ./build-farm --template vm --id farm")]
    Tenant {
        /// The directory; it must be empty or not be there.
        dir: PathBuf,
        /// What the tenant runs.
        #[arg(long, value_enum, default_value_t)]
        template: Template,
        /// The tenant's id; the name of the directory by default.
        #[arg(long, value_parser = crate::context::tenant)]
        id: Option<Name>,
    },
}

impl New {
    pub(crate) fn run(&self, context: &Context) -> Result<Exit, CommandError> {
        let (dir, files, next) = match &self.what {
            What::System { dir } => {
                let next = "bbctl host init --system-repo URL".to_owned();
                (dir, scaffold::system(), next)
            }
            What::Tenant { dir, template, id } => {
                let id = match id {
                    Some(id) => id.clone(),
                    None => id_of(dir)?,
                };
                let next = format!("bbctl tenant add {id} --repository URL");
                (dir, scaffold::tenant(&id, *template), next)
            }
        };
        write(dir, &files)?;
        for path in files.keys() {
            context.ui.print(&format!("  {path}\n"))?;
        }
        let shown = dir.display();
        if foreground::git_init(dir)? {
            context.ui.print(&format!(
                "Made {shown}, a Git repository without a commit. Next: edit, `bbctl validate {shown}`, commit, push, `{next}`.\n"
            ))?;
        } else {
            context.ui.print(&format!(
                "Made {shown}. There is no git here: make it a repository with `git init -b main`.\n"
            ))?;
        }
        Ok(Exit::Success)
    }
}

fn id_of(dir: &Path) -> Result<Name, CommandError> {
    let absolute = std::path::absolute(dir).map_err(CommandError::file(dir))?;
    let name = absolute.file_name().unwrap_or_default().to_string_lossy();
    Name::new(name).map_err(|error| CommandError::from(error).hint("name the tenant with --id"))
}

fn write(dir: &Path, files: &Files) -> Result<(), CommandError> {
    match std::fs::read_dir(dir).map(|mut entries| entries.next().is_none()) {
        Ok(true) => {}
        Ok(false) => {
            let message = format!("{} is not empty", dir.display());
            return Err(CommandError::refused(message).hint("name a directory that is not there"));
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(CommandError::file(dir)(error)),
    }
    let absolute = std::path::absolute(dir).map_err(CommandError::file(dir))?;
    for (path, text) in files {
        atomic::write(&absolute.join(path), text.as_bytes(), 0o644)?;
    }
    Ok(())
}
