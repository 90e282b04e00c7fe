//! `bbctl audit`.

use crate::cli::Output;
use crate::context::Context;
use crate::error::{CommandError, Exit};
use crate::view::audit::table;
use crate::view::time::{Since, utc};
use bitbuilder_core::model::Name;
use bitbuilder_host::audit::{
    self, Command, Draft, PublicKey, Sealed, Verified, fingerprint, public_keys,
};
use bitbuilder_host::paths::HostRoot;
use clap::{Args, Subcommand};
use serde_json::json;
use std::path::PathBuf;

/// Show what was done on this host and by whom, and prove that nothing of it was removed or edited.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
#[command(after_help = "\
Exit codes: 0 done, with --verify: every record is in its place and signed; 1 the trail is broken.

Examples:
  bbctl audit --since 7d --tenant shop
  bbctl audit key > host.keys      what an auditor pins, once
  git clone root@HOST:/var/lib/bitbuilder/audit.git
  bbctl audit --verify --repository audit --key host.keys --head 4f3a2b1c9d8e
                                   on the auditor's machine, with the head that was noted the last time")]
pub(crate) struct Audit {
    #[command(subcommand)]
    action: Option<Action>,
    /// Verify the whole trail: signatures, order, and that nothing is missing.
    #[arg(long)]
    verify: bool,
    /// Only since this time (UTC): `2026-01-31`, `2026-01-31 23:59:59`, or so long ago: `90min`, `7d`.
    #[arg(long, value_name = "TIME")]
    since: Option<Since>,
    /// Only what concerns this tenant.
    #[arg(long, value_name = "ID", value_parser = crate::context::tenant)]
    tenant: Option<Name>,
    /// The trail in this clone or bare repository; this host's by default.
    #[arg(long, value_name = "DIR")]
    repository: Option<PathBuf>,
    /// Public keys, one of which signed the first record: what `bbctl audit key` printed once; this host's by default.
    #[arg(long, value_name = "FILE", requires = "verify")]
    key: Option<PathBuf>,
    /// A record that the trail had before, by its commit: a trail without it was cut off or written again.
    #[arg(long, value_name = "COMMIT", requires = "verify", value_parser = commit)]
    head: Option<String>,
    #[command(flatten)]
    output: Output,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Print the public keys of this host's trail, oldest first, as an allowed signers file of ssh-keygen(1).
    #[command(after_help = "Example:\n  bbctl audit key > host.keys")]
    Key,
    /// Make another key; the last record that the old one signs brings it in.
    #[command(after_help = "Example:\n  bbctl audit rotate-key && bbctl audit --verify")]
    RotateKey,
}

impl Audit {
    pub(crate) fn run(&self, context: &Context) -> Result<Exit, CommandError> {
        match self.action {
            Some(Action::Key) => return key(context),
            Some(Action::RotateKey) => return rotate(context),
            None => {}
        }
        let path = match &self.repository {
            Some(path) => path.clone(),
            None => context.host()?.root().audit_trail(),
        };
        let since = match &self.since {
            Some(since) => since.time(context.host()?.now()),
            None => 0,
        };
        let (records, verified) = if self.verify {
            let verified = audit::verify(&path, &self.pinned(context)?, self.head.as_deref())?;
            (verified.records.clone(), Some(verified))
        } else {
            // A clock that went back hides nothing: the place in the trail counts.
            let mut records = audit::newest(&path, |sealed| sealed.entry.draft.time >= since)?;
            records.reverse();
            (records, None)
        };
        let wanted = |sealed: &Sealed| {
            let draft = &sealed.entry.draft;
            draft.time >= since && self.tenant.as_ref().is_none_or(|id| draft.concerns(id))
        };
        let records: Vec<Sealed> = records.into_iter().filter(wanted).collect();
        self.show(context, &records, verified.as_ref())?;
        if self.repository.is_none() {
            note_waiting(context)?;
        }
        Ok(Exit::Success)
    }

    /// The keys that the first record may be signed by.
    fn pinned(&self, context: &Context) -> Result<Vec<PublicKey>, CommandError> {
        let Some(path) = &self.key else {
            if self.repository.is_some() {
                let error = CommandError::usage("--verify of another repository needs --key FILE");
                return Err(
                    error.hint("on its host, `bbctl audit key` prints what belongs in FILE")
                );
            }
            return Ok(public_keys(context.host()?.root())?);
        };
        let text = std::fs::read_to_string(path).map_err(CommandError::file(path))?;
        Ok(audit::parse_keys(path, &text)?)
    }

    fn show(
        &self,
        context: &Context,
        records: &[Sealed],
        verified: Option<&Verified>,
    ) -> Result<(), CommandError> {
        let ui = &context.ui;
        let head = verified.and_then(|verified| verified.records.last());
        if self.output.json {
            let mut value = json!({ "records": records });
            if let (Some(verified), Some(head)) = (verified, head) {
                value["verified"] = json!({ "head": head.commit, "number": head.entry.number, "key": verified.key });
            }
            return ui.json(&value);
        }
        ui.print(&table(records, self.tenant.as_ref()).text(ui))?;
        if let (Some(verified), Some(head)) = (verified, head) {
            ui.print(&format!(
                "\nVerified: {} records, none missing, edited or out of place; key {}.\n\
                 Head {} of {}: keep it, `--head` finds out later whether it is still there.\n",
                head.entry.number,
                verified.key,
                head.commit,
                utc(head.entry.draft.time),
            ))?;
        }
        Ok(())
    }
}

/// Says when the trail of this host does not have everything.
fn note_waiting(context: &Context) -> Result<(), CommandError> {
    let waiting = audit::waiting(context.host()?.root())?;
    if waiting > 0 {
        context.ui.hint(&format!(
            "{waiting} records wait to be added; `bbctl doctor` says why"
        ));
    }
    Ok(())
}

fn key(context: &Context) -> Result<Exit, CommandError> {
    let host = context.host()?;
    let path = audit::allowed_signers(host.root());
    let text = std::fs::read_to_string(&path).map_err(CommandError::file(&path));
    let text =
        text.map_err(|error| error.hint("the first record makes the key: `bbctl host init`"))?;
    context.ui.print(&text)?;
    Ok(Exit::Success)
}

fn rotate(context: &Context) -> Result<Exit, CommandError> {
    let host = context.host()?;
    let draft = Draft::command(host.as_ref(), Command::new("audit-rotate-key", None));
    audit::rotate_key(host.as_ref(), draft)?;
    let new = newest_key(host.root())?;
    context.ui.print(&format!(
        "The next record is signed by {new}. Who pinned the key before needs nothing new: the trail itself brings it in.\n"
    ))?;
    Ok(Exit::Success)
}

fn newest_key(root: &HostRoot) -> Result<String, CommandError> {
    let keys = public_keys(root)?;
    Ok(keys.last().map(fingerprint).unwrap_or_default())
}

/// A commit id or its beginning.
fn commit(text: &str) -> Result<String, String> {
    let fits = (7..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_hexdigit());
    if fits {
        Ok(text.to_ascii_lowercase())
    } else {
        Err("a commit id is expected, or at least its first 7 digits".to_owned())
    }
}
