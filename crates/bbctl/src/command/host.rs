//! `bbctl host`.

use crate::cli::Output;
use crate::context::Context;
use crate::error::{CommandError, Exit};
use crate::scaffold;
use bitbuilder_core::model::{Verify, VerifyCommits};
use bitbuilder_host::audit::{self, Command, Draft};
use bitbuilder_host::host::Host;
use bitbuilder_host::reconcile::{HostConfig, init, require_signatures};
use bitbuilder_host::source::propose::{Author, Proposal, propose};
use clap::{Args, Subcommand};

/// Work on the host itself.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  bbctl host init")]
pub(crate) struct HostCommand {
    #[command(subcommand)]
    command: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Make this host follow a system repository.
    #[command(after_help = "\
Examples:
  bbctl host init                                      a repository on the host itself
  bbctl host init --system-repo https://git.example/acme-system.git --ref production
  bbctl host init --verify required --signer SHA256:...   only signed commits of it count")]
    Init {
        /// URL of the system repository; without, the host keeps one itself, which accepts pushes.
        #[arg(long, value_name = "URL")]
        system_repo: Option<String>,
        /// Branch, tag or commit to follow.
        #[arg(long = "ref", value_name = "REF", default_value = "main")]
        reference: String,
        /// Verify the signatures of its commits, whatever they say themselves: required, warn or off.
        #[arg(long, value_name = "WORD", value_parser = verify_word)]
        verify: Option<VerifyCommits>,
        /// Who may sign: a fingerprint (`SHA256:...`, or of an OpenPGP certificate), a principal or a key's name.
        #[arg(long, value_name = "SIGNER")]
        signer: Vec<String>,
        #[command(flatten)]
        output: Output,
    },
}

impl HostCommand {
    pub(crate) fn run(&self, context: &Context) -> Result<Exit, CommandError> {
        let What::Init {
            system_repo,
            reference,
            verify,
            signer,
            output,
        } = &self.command;
        let host = context.host()?;
        let host = host.as_ref();
        let verify = (verify.is_some() || !signer.is_empty()).then(|| Verify {
            commits: verify.unwrap_or(VerifyCommits::Required),
            signers: signer.clone(),
        });
        // First of all: it makes the audit trail and its key.
        let command = Command::new("host-init", None)
            .with_some("repository", system_repo.clone())
            .with("ref", reference.as_str())
            .with_some(
                "verify",
                verify.as_ref().map(|verify| serde_json::json!(verify)),
            );
        audit::record(host, Draft::command(host, command));
        let mut config = init(host, system_repo.as_deref(), reference)?;
        if let Some(verify) = verify {
            config = require_signatures(host, verify)?;
        }
        let seeded = match host.root().embedded_path(&config.repository) {
            Some(path) if !has_commits(&path) => Some(seed(host, &config)?),
            _ => None,
        };
        if context.simulated().is_none() {
            let units = ["bitbuilder-sync.timer", "bitbuilder-notify.path"].map(str::to_owned);
            for unit in &units {
                bitbuilder_host::foreground::enable(unit)?;
            }
            host.start_no_block(&units)?;
        }
        if output.json {
            context.ui.json(&config)?;
            return Ok(Exit::Success);
        }
        let mut text = format!(
            "This host follows {} of {}.\n",
            config.reference, config.repository
        );
        if seeded.is_some() {
            text.push_str("It had no commit; it has a first one now, without tenants.\n");
        }
        text.push_str("Next: `bbctl tenant add ID --embedded`, then `bbctl sync`.\n");
        context.ui.print(&text)?;
        Ok(Exit::Success)
    }
}

fn verify_word(text: &str) -> Result<VerifyCommits, String> {
    match text {
        "required" => Ok(VerifyCommits::Required),
        "warn" => Ok(VerifyCommits::Warn),
        "off" => Ok(VerifyCommits::Off),
        _ => Err("write `required`, `warn` or `off`".to_owned()),
    }
}

fn has_commits(path: &std::path::Path) -> bool {
    let heads = path.join("refs/heads");
    let loose = std::fs::read_dir(heads).is_ok_and(|mut entries| entries.next().is_some());
    loose || path.join("packed-refs").exists()
}

/// A first commit: a system repository without tenants.
fn seed(host: &dyn Host, config: &HostConfig) -> Result<String, CommandError> {
    let files = scaffold::system().into_iter();
    let files = files
        .map(|(path, text)| (path, text.into_bytes()))
        .collect();
    let proposal = Proposal {
        url: &host.root().url(&config.repository),
        branch: &config.reference,
        parent: None,
        files,
        message: "Start the system repository",
        author: &Author::caller(host),
    };
    Ok(propose(&proposal, &host.root().state().join(".proposal"))?)
}
