//! Which role a command line asks for: by the name that the program is called by, or by its first argument.

use crate::enter::Entry;
use crate::failure::{Failure, Result};
use crate::sync::Sync;
use bitbuilder_core::model::Name;
use bitbuilder_host::reconcile::Trigger;
use std::ffi::OsString;
use std::path::Path;

/// What `agent --help` prints.
pub const HELP: &str = "\
What systemd and Git start on a BitBuilder host. People use bbctl(1).

Usage: agent ROLE [ARGUMENT...], or by a link that is called as the role.

  tenant-provision ID               the first generation of a tenant (setup-tenant@)
  tenant-manager ID                 starts what the current generation wants (tenant@)
  tenant-cleanup ID                 forgets health results (tenant@)
  setup-tenant-network ID           bridges and packet rules of the current generation (tenant-network@)
  teardown-tenant-network ID        takes them away
  tenant-rollback ID                judges what was deployed, and goes back (tenant-rollback@)
  git-sync [--no-fetch] [--progress] [--trigger WORD] [ID]
                                    one pass, for all tenants or one (bitbuilder-sync, bitbuilder-sync@); WORD
                                    says what caused it: boot, timer, path, push[:UID], webhook[:DELIVERY],
                                    operator:UID, reload, health
  git-sync --requests               a pass for everybody who asked for one (bitbuilder-requests)
  sync-request NAME WORD            asks for one, for a tenant or `system` (bitbuilder-path@)
  webhook                           one delivery of a forge, on standard input (bitbuilder-webhook@)
  tenant-health check MACHINE       one health check (tenant-health@)
  tenant-health wait TENANT WORKLOAD
                                    until a workload is healthy
  tenant-discover                   generators again, then all tenants (bitbuilder-discover)
  enter MACHINE CAPABILITIES [--user UID[:GID]] -- COMMAND...
                                    a command inside a container; the bounding set in hexadecimal
  kvm-probe [ACCELERATOR]           whether a guest runs with KVM (bitbuilder-kvm)
  notify [RECEIVER]                 sorts what happened into queues, or empties one (bitbuilder-notify,
                                    bitbuilder-notify@)
  notify-send                       a delivery on standard input to its webhook (bitbuilder-notify-webhook@)
  pre-receive, post-receive         hooks of an embedded repository

Exit codes: 0 done, 1 failed, 2 usage, 3 invalid input.
";

/// Arguments of `git-sync`.
const SYNC: &str = "[--no-fetch] [--progress] [--trigger WORD] [ID]";

/// A role with its arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Role {
    /// The list of roles.
    Help,
    /// `tenant-provision`.
    Provision(Name),
    /// `tenant-manager`.
    Manage(Name),
    /// `tenant-cleanup`.
    CleanUp(Name),
    /// `setup-tenant-network`.
    SetUpNetwork(Name),
    /// `teardown-tenant-network`.
    TearDownNetwork(Name),
    /// `tenant-rollback`.
    Judge(Name),
    /// `git-sync`.
    Sync(Sync),
    /// `git-sync --requests`.
    ServeRequests,
    /// `sync-request`.
    Request {
        /// The tenant, or `system`.
        name: Name,
        /// Who or what asks.
        trigger: Trigger,
    },
    /// `webhook`.
    Webhook,
    /// `tenant-health`.
    Health(Health),
    /// `tenant-discover`.
    Discover,
    /// `enter`.
    Enter(Entry),
    /// `kvm-probe`, with what runs the guest.
    Probe(String),
    /// `notify`, with the receiver whose queue is emptied.
    Notify(Option<String>),
    /// `notify-send`.
    NotifySend,
    /// `pre-receive`.
    PreReceive,
    /// `post-receive`.
    PostReceive,
}

/// What `tenant-health` does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// One check of the workload that is `machine` in machined.
    Check {
        /// The machine.
        machine: String,
    },
    /// Until a workload is healthy.
    Wait {
        /// The tenant.
        tenant: Name,
        /// The workload.
        workload: Name,
    },
}

/// Reads a command line, the program's name included.
///
/// # Errors
/// Unknown roles and arguments (exit code 2), names that are none (3).
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Role> {
    let mut words = arguments.into_iter().map(|word| {
        word.into_string()
            .map_err(|_| Failure::usage("an argument is not UTF-8"))
    });
    let program = words.next().transpose()?.unwrap_or_default();
    let called = Path::new(&program)
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default();
    let mut words: Vec<String> = words.collect::<Result<_>>()?;
    let role = if is_role(called) {
        called.to_owned()
    } else if words.is_empty() {
        return Err(Failure::usage("no role is given"));
    } else {
        words.remove(0)
    };
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    if words == ["--help"] && role != "enter" {
        return Ok(Role::Help);
    }
    role_with(&role, &words)
}

fn is_role(name: &str) -> bool {
    matches!(
        name,
        "tenant-provision"
            | "tenant-manager"
            | "tenant-cleanup"
            | "setup-tenant-network"
            | "teardown-tenant-network"
            | "tenant-rollback"
            | "git-sync"
            | "sync-request"
            | "webhook"
            | "tenant-health"
            | "tenant-discover"
            | "enter"
            | "kvm-probe"
            | "notify"
            | "notify-send"
            | "pre-receive"
            | "post-receive"
    )
}

fn role_with(role: &str, words: &[&str]) -> Result<Role> {
    let tenant = |make: fn(Name) -> Role| match words {
        [id] => Ok(make(name(id)?)),
        _ => Err(usage(role, "ID")),
    };
    let plain = |plain: Role| match words {
        [] => Ok(plain),
        _ => Err(usage(role, "")),
    };
    match role {
        "--help" | "-h" | "help" => Ok(Role::Help),
        "tenant-provision" => tenant(Role::Provision),
        "tenant-manager" => tenant(Role::Manage),
        "tenant-cleanup" => tenant(Role::CleanUp),
        "setup-tenant-network" => tenant(Role::SetUpNetwork),
        "teardown-tenant-network" => tenant(Role::TearDownNetwork),
        "tenant-rollback" => tenant(Role::Judge),
        "git-sync" if words == ["--requests"] => Ok(Role::ServeRequests),
        "git-sync" => sync(words).map(Role::Sync),
        "sync-request" => match words {
            [id, word] => Ok(Role::Request {
                name: name(id)?,
                trigger: trigger(word)?,
            }),
            _ => Err(usage(role, "NAME WORD")),
        },
        "tenant-health" => health(words).map(Role::Health),
        "webhook" => plain(Role::Webhook),
        "tenant-discover" => plain(Role::Discover),
        "enter" => Entry::parse(words).map(Role::Enter),
        "kvm-probe" => match words {
            [] => Ok(Role::Probe("kvm".to_owned())),
            [accelerator @ ("kvm" | "tcg")] => Ok(Role::Probe((*accelerator).to_owned())),
            _ => Err(usage(role, "[kvm|tcg]")),
        },
        "notify" => match words {
            [] => Ok(Role::Notify(None)),
            [receiver] => Ok(Role::Notify(Some(machine_name(receiver)?))),
            _ => Err(usage(role, "[RECEIVER]")),
        },
        "notify-send" => plain(Role::NotifySend),
        "pre-receive" => plain(Role::PreReceive),
        "post-receive" => plain(Role::PostReceive),
        other => Err(Failure::usage(format!("there is no role `{other}`"))),
    }
}

fn sync(words: &[&str]) -> Result<Sync> {
    let mut sync = Sync::default();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match *word {
            "--no-fetch" => sync.fetch = false,
            "--progress" => sync.progress = true,
            "--trigger" => {
                let word = words.next().ok_or_else(|| usage("git-sync", SYNC))?;
                sync.trigger = trigger(word)?;
            }
            id if !id.starts_with('-') && sync.tenant.is_none() => sync.tenant = Some(name(id)?),
            _ => return Err(usage("git-sync", SYNC)),
        }
    }
    Ok(sync)
}

fn trigger(word: &str) -> Result<Trigger> {
    word.parse()
        .map_err(|error| Failure::usage(format!("{error}")))
}

fn health(words: &[&str]) -> Result<Health> {
    match words {
        ["check", machine] => Ok(Health::Check {
            machine: machine_name(machine)?,
        }),
        ["wait", tenant, workload] => Ok(Health::Wait {
            tenant: name(tenant)?,
            workload: name(workload)?,
        }),
        _ => Err(usage(
            "tenant-health",
            "check MACHINE | wait TENANT WORKLOAD",
        )),
    }
}

fn usage(role: &str, arguments: &str) -> Failure {
    Failure::usage(format!(
        "expected `{}`",
        format!("{role} {arguments}").trim_end()
    ))
}

fn name(text: &str) -> Result<Name> {
    Name::new(text).map_err(Failure::invalid)
}

/// A name of machined: it becomes part of unit names and paths.
pub(crate) fn machine_name(text: &str) -> Result<String> {
    let fits = (1..=64).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.')
        && !text.starts_with(['-', '.']);
    if fits {
        return Ok(text.to_owned());
    }
    let message = format!("`{}` is not a machine", text.escape_default());
    Err(Failure::invalid(anyhow::Error::msg(message)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> Result<Role, u8> {
        super::parse(words.iter().map(OsString::from)).map_err(|failure| failure.code())
    }

    fn id(text: &str) -> Name {
        Name::new(text).unwrap()
    }

    #[test]
    fn the_name_that_it_is_called_by_is_the_role() {
        for words in [
            ["/usr/lib/bitbuilder/tenant-provision", "shop"].as_slice(),
            &["agent", "tenant-provision", "shop"],
            &["./bitbuilder-agent", "tenant-provision", "shop"],
        ] {
            assert_eq!(parse(words), Ok(Role::Provision(id("shop"))), "{words:?}");
        }
        assert_eq!(parse(&["hooks/pre-receive"]), Ok(Role::PreReceive));
        assert_eq!(parse(&["agent", "--help"]), Ok(Role::Help));
        assert_eq!(parse(&["git-sync", "--help"]), Ok(Role::Help));
    }

    #[test]
    fn arguments_are_checked() {
        for (words, code) in [
            (["agent"].as_slice(), 2),
            (&[], 2),
            (&["agent", "nonsense"], 2),
            (&["tenant-provision"], 2),
            (&["tenant-provision", "a", "b"], 2),
            (&["tenant-provision", "../etc"], 3),
            (&["tenant-provision", "Shop"], 3),
            (&["tenant-health", "check"], 2),
            (&["tenant-health", "check", "../x"], 3),
            (&["tenant-health", "wait", "shop"], 2),
            (&["git-sync", "--nonsense"], 2),
            (&["git-sync", "a", "b"], 2),
            (&["git-sync", "--trigger"], 2),
            (&["git-sync", "--trigger", "nobody"], 2),
            (&["pre-receive", "x"], 2),
            (&["webhook", "x"], 2),
            (&["git-sync", "--requests", "shop"], 2),
            (&["sync-request", "shop"], 2),
            (&["sync-request", "../x", "path"], 3),
            (&["sync-request", "shop", "nobody"], 2),
            (&["notify", "../x"], 3),
            (&["notify-send", "x"], 2),
        ] {
            assert_eq!(parse(words), Err(code), "{words:?}");
        }
    }

    #[test]
    fn sync_and_health() {
        let sync = |fetch, progress, tenant: Option<&str>| {
            Ok(Role::Sync(Sync {
                fetch,
                progress,
                tenant: tenant.map(id),
                trigger: Trigger::default(),
            }))
        };
        assert_eq!(parse(&["git-sync"]), sync(true, false, None));
        assert_eq!(
            parse(&["git-sync", "--progress", "shop", "--no-fetch"]),
            sync(false, true, Some("shop"))
        );
        let timer = parse(&["git-sync", "--trigger", "timer"]);
        let trigger = Trigger::Timer;
        assert_eq!(
            timer,
            Ok(Role::Sync(Sync {
                trigger,
                ..Sync::default()
            }))
        );
        assert_eq!(
            parse(&["tenant-health", "wait", "shop", "db"]),
            Ok(Role::Health(Health::Wait {
                tenant: id("shop"),
                workload: id("db"),
            }))
        );
    }
}
