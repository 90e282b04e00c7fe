//! A pass in words: compact for the journal, more for a person who waits.

use crate::console::Console;
use crate::failure::Failure;
use bitbuilder_core::finding::{Finding, has_errors};
use bitbuilder_core::model::Name;
use bitbuilder_core::plan::{Action, Plan, TextOptions, text};
use bitbuilder_core::report::{escape, render_findings};
use bitbuilder_host::apply::{self, StepResult};
use bitbuilder_host::observe::{Health, SyncState, TenantStatus};
use bitbuilder_host::reconcile::{Event, PassError, Report, SystemReport, TenantReport, Verdict};
use std::collections::{BTreeMap, BTreeSet};

/// Tells a pass as it goes.
#[derive(Debug)]
pub struct Progress<'a> {
    console: &'a Console,
    /// Whether a person waits: everything is said, not only how it ended.
    verbose: bool,
    finished: BTreeSet<(Name, &'static str)>,
}

impl<'a> Progress<'a> {
    /// Says it on `console`.
    pub fn new(console: &'a Console, verbose: bool) -> Self {
        Self {
            console,
            verbose,
            finished: BTreeSet::new(),
        }
    }

    /// Says `event`, if it is worth it.
    pub fn tell(&mut self, event: &Event) {
        match event {
            Event::Finished { report } => self.tenant(report),
            _ if !self.verbose => {}
            Event::Waiting => self.console.say("waiting for another pass to end"),
            Event::Fetching { tenant: None } => self.console.say("fetching the system repository"),
            Event::Fetching { tenant: Some(id) } => self.console.say(&format!("{id}: fetching")),
            Event::Planned { plan } => {
                let text = text(&abridged(plan), &self.plan_options());
                self.console.say(&text);
            }
            Event::Apply { inner } => {
                if let Some(line) = step(inner) {
                    self.console.say(&line);
                }
            }
        }
    }

    /// Says what is left to say when the pass is over.
    pub fn finish(&mut self, report: &Report) {
        system(&report.system, self.console);
        for tenant in &report.tenants {
            self.tenant(tenant);
        }
        if self.verbose && report.tenants.is_empty() {
            self.console.say("no tenant is concerned");
        }
    }

    fn plan_options(&self) -> TextOptions {
        TextOptions {
            color: self.console.color,
            diffs: false,
        }
    }

    fn tenant(&mut self, report: &TenantReport) {
        // A tenant that was deployed may be rolled back in the same pass.
        let said = (report.tenant.clone(), word(report.verdict));
        if !self.finished.insert(said) {
            return;
        }
        // Who pushed has read the warnings when the push was judged.
        if report.verdict.is_bad() {
            findings(&report.findings, &report.sources, self.console);
        }
        let quiet = matches!(report.verdict, Verdict::Unchanged | Verdict::Suspended);
        if self.verbose || !quiet || report.error.is_some() {
            self.console.say(&verdict(report));
        }
    }
}

/// Says everything that is wrong with a pass that did not succeed.
pub(crate) fn complain(report: &Report, console: &Console) {
    Progress::new(console, false).finish(report);
}

/// The failure of a pass that could not be made, its findings said.
pub(crate) fn pass_failure(error: PassError, console: &Console) -> Failure {
    if let PassError::System {
        findings: list,
        sources,
    } = &error
    {
        findings(list, sources, console);
    }
    // The others say themselves what to do.
    let unclear = matches!(&error, PassError::Host(_) | PassError::Source(_));
    let failure = Failure::new(error);
    if unclear {
        failure.next("bbctl doctor")
    } else {
        failure
    }
}

/// How a tenant does, in one line.
pub(crate) fn health(status: &TenantStatus) -> String {
    let word = match status.health {
        Health::Healthy => "healthy",
        Health::Progressing => "starting",
        Health::Degraded => "degraded",
        Health::Stopped => "stopped",
        Health::Unknown => "unknown",
    };
    let attempt = match &status.window {
        Some(window) if window.attempt > 1 => {
            format!(", try {} of {}", window.attempt, window.tries)
        }
        _ => String::new(),
    };
    let id = &status.id;
    match status.reason.as_deref().map(escape) {
        Some(reason) if status.sync == SyncState::RolledBack => format!("{id}: {reason} ({word})"),
        Some(reason) => format!("{id}: {word}{attempt}: {reason}"),
        None if status.window.is_some() && status.health == Health::Healthy => {
            format!("{id}: {word}{attempt} so far; its window goes on, see `bbctl status {id}`")
        }
        None => format!("{id}: {word}{attempt}"),
    }
}

/// `plan` without what tells a person who waits nothing: directories, and all the files of a first generation.
fn abridged(plan: &Plan) -> Plan {
    let mut plan = plan.clone();
    plan.steps
        .retain(|step| !matches!(step.action, Action::MakeDirectory(_)));
    if plan.from.is_none() {
        plan.changes.clear();
    }
    plan
}

fn system(report: &SystemReport, console: &Console) {
    if has_errors(&report.findings) {
        findings(&report.findings, &report.sources, console);
    }
    if let Some(error) = &report.error {
        console.say(&format!("system repository: {}", escape(error)));
    }
}

/// Shows `findings` in their sources; nothing without findings.
pub(crate) fn findings(
    findings: &[Finding],
    sources: &BTreeMap<String, String>,
    console: &Console,
) {
    if !findings.is_empty() {
        console.say(&render_findings(findings, sources, console.color));
    }
}

fn verdict(report: &TenantReport) -> String {
    let mut line = format!("{}: {}", report.tenant, word(report.verdict));
    if let Some(generation) = report.generation {
        line.push_str(&format!(", generation {generation}"));
    }
    if let Some(commit) = &report.commit {
        line.push_str(&format!(", commit {}", short(commit)));
    }
    if let Some(signer) = &report.signer {
        line.push_str(&format!(", signed by {}", escape(signer)));
    }
    if let Some(error) = &report.error {
        line.push_str(&format!(": {}", escape(error)));
    }
    line
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Unchanged => "unchanged",
        Verdict::Planned => "planned",
        Verdict::Applied => "applied",
        Verdict::Refused => "refused",
        Verdict::Failed => "failed",
        Verdict::Suspended => "suspended",
        Verdict::Removed => "removed",
        Verdict::RolledBack => "rolled back",
    }
}

fn step(event: &apply::Event) -> Option<String> {
    match event {
        apply::Event::Started { tenant, step } => {
            let slow = matches!(
                step.action,
                Action::Stop { .. } | Action::Start { .. } | Action::PrepareLayer(_)
            );
            slow.then(|| format!("{tenant}: {}", action(&step.action)))
        }
        apply::Event::Ended { tenant, report } => match &report.result {
            StepResult::Failed { error } => Some(format!(
                "{tenant}: failed: {}: {}",
                action(&report.step.action),
                escape(error)
            )),
            StepResult::Skipped { because } => Some(format!(
                "{tenant}: skipped: {}: {}",
                action(&report.step.action),
                escape(because)
            )),
            StepResult::Done | StepResult::Unchanged => None,
        },
        apply::Event::Reloading => None,
        apply::Event::Reloaded { error } => error
            .as_ref()
            .map(|error| format!("the manager did not reload: {}", escape(error))),
    }
}

fn action(action: &Action) -> String {
    match action {
        Action::PrepareLayer(_) => "prepare a layer".to_owned(),
        Action::MakeDirectory(directory) => format!("make {}", escape(&directory.path)),
        Action::MakeDisk(disk) => format!("make the disk of {}", disk.workload),
        Action::WriteGeneration { number } => format!("write generation {number}"),
        Action::Stop { units } => format!("stop {}", units.join(" ")),
        Action::Switch { number } => format!("switch to generation {number}"),
        Action::Unlink => "unlink the current generation".to_owned(),
        Action::ReloadNetwork => "load networks and packet rules".to_owned(),
        Action::RenewLeases { .. } => "renew addresses".to_owned(),
        Action::SetProperties { unit, .. } => format!("set limits of {unit}"),
        Action::Start { units } => format!("start {}", units.join(" ")),
        Action::Erase { .. } => "erase what was made for it".to_owned(),
        Action::RestoreFiles { number } => format!("restore files of generation {number}"),
        Action::Revert { units } => format!("revert {}", units.join(" ")),
        Action::Reload => "reload the manager".to_owned(),
        Action::FixLinks { .. } => "put links right".to_owned(),
    }
}

/// A commit as people write it.
pub(crate) fn short(commit: &str) -> &str {
    commit.get(..12).unwrap_or(commit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_is_one_line() {
        let id = Name::new("shop").unwrap();
        let mut report = TenantReport::new(id, Verdict::Refused);
        report.commit = Some("0123456789abcdef".into());
        report.error = Some("bad\u{1b}[0m".into());
        assert_eq!(
            verdict(&report),
            "shop: refused, commit 0123456789ab: bad\\u{1b}[0m"
        );
    }
}
