//! After a push was accepted: a pass, outside of the process that pushes, so that a connection that breaks never ends it.

use super::place::{Place, Source};
use crate::console::Console;
use crate::failure::{Failure, Result};
use bitbuilder_host::host::Host;
use bitbuilder_host::reconcile::{Trigger, testing_branch};
use bitbuilder_host::source::open;
use bitbuilder_host::source::quarantine::{RefUpdate, parse_receive_lines};
use std::path::Path;
use std::process::{Command, Stdio};

/// Called by Git as `post-receive`, githooks(5): has the pushed commit deployed and says how it goes.
///
/// # Errors
/// When the pass could not be started or did not succeed; Git has the commit all the same.
pub fn run(host: &dyn Host, console: &Console) -> Result {
    let directory = std::env::current_dir()?;
    let updates = parse_receive_lines(std::io::stdin().lock())?;
    let (place, repository) = Place::of(host.root(), &directory)?;
    let source = place.source(host).map_err(Failure::new)?;
    let testing = testing_branch(host).filter(|_| place.tenant().is_some());
    if !concerns(&place, &source, testing.as_deref(), &repository, &updates)? {
        return Ok(());
    }
    console.say(&format!("deploying {}", place.describe()));
    let status = command(&place).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => Err(Failure::said()),
        Err(error) => {
            let error = anyhow::Error::new(error)
                .context("the commit is here, but systemd-run cannot be started to deploy it");
            Err(Failure::new(error).next(next(&place)))
        }
    }
}

fn next(place: &Place) -> String {
    match place {
        Place::System => "bbctl sync".to_owned(),
        Place::Tenant(id) => format!("bbctl sync {id}"),
    }
}

/// Whether one of `updates` is what is deployed, or tried.
fn concerns(
    place: &Place,
    source: &Source,
    testing: Option<&str>,
    repository: &Path,
    updates: &[RefUpdate],
) -> Result<bool> {
    if source.repository != place.url() {
        return Ok(false);
    }
    let repository = open(repository)?;
    let pushed = || updates.iter().map(|update| update.name.as_str());
    let tried = |name: &str| {
        let branch = name.strip_prefix("refs/heads/");
        testing.is_some() && branch == testing
    };
    Ok(updates.iter().any(|update| {
        let deployed = || source.deploys(&update.name, &repository, pushed());
        update.new.is_some() && (tried(&update.name) || deployed())
    }))
}

/// A transient service that passes its output on. Nothing of Git's environment comes with it.
fn command(place: &Place) -> Command {
    let mut command = Command::new("systemd-run");
    command
        .args(["--quiet", "--collect", "--pipe", "--wait"])
        .arg("--service-type=exec")
        .arg(format!(
            "--description=Sync after a push to {}",
            place.describe()
        ))
        .args(["--", "/usr/lib/bitbuilder/git-sync", "--progress"])
        .args(["--trigger", &pushed_by().to_string()]);
    if let Place::Tenant(id) = place {
        command.arg(id.as_str());
    }
    command
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("LANG", "C.UTF-8")
        .current_dir("/")
        .stdin(Stdio::null());
    command
}

/// Git runs the hook as the user who pushes.
pub(super) fn pushed_by() -> Trigger {
    Trigger::Push {
        uid: Some(rustix::process::getuid().as_raw()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bitbuilder_core::model::Name;

    #[test]
    fn the_pass_gets_nothing_of_git() {
        let command = command(&Place::Tenant(Name::new("shop").unwrap()));
        let arguments: Vec<_> = command.get_args().collect();
        assert_eq!(
            arguments[arguments.len() - 6..],
            [
                "--",
                "/usr/lib/bitbuilder/git-sync",
                "--progress",
                "--trigger",
                &pushed_by().to_string(),
                "shop"
            ]
        );
        let names: Vec<_> = command.get_envs().map(|(name, _)| name).collect();
        assert_eq!(names, ["LANG", "PATH"]);
    }
}
