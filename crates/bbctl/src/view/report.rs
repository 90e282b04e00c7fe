//! Passes: as they go, and when they are over.

use super::short;
use crate::context::Context;
use crate::error::{CommandError, Exit};
use crate::ui::{Style, Ui, paint};
use bitbuilder_core::finding::{Finding, has_errors};
use bitbuilder_core::plan::{Action, Plan, TextOptions, text};
use bitbuilder_core::report::{escape, render_findings};
use bitbuilder_host::apply::{self, StepResult};
use bitbuilder_host::reconcile::{Event, Report, SystemReport, TenantReport, Verdict};
use std::collections::BTreeMap;

/// Tells a pass on standard error while it goes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Progress<'a> {
    ui: &'a Ui,
    quiet: bool,
}

impl<'a> Progress<'a> {
    /// Says it, unless a program reads the result.
    pub(crate) fn new(ui: &'a Ui, quiet: bool) -> Self {
        Self { ui, quiet }
    }

    /// Says `event`.
    pub(crate) fn tell(&self, event: &Event) {
        if self.quiet {
            return;
        }
        match event {
            Event::Waiting => self.line("waiting for another pass to end"),
            Event::Fetching { tenant: None } => self.line("fetching the system repository"),
            Event::Fetching { tenant: Some(id) } => self.line(&format!("{id}: fetching")),
            Event::Planned { plan } => self.plan(plan),
            Event::Apply { inner } => self.step(inner),
            // The result says it.
            Event::Finished { .. } => {}
        }
    }

    /// What happens, without the files: `bbctl plan` shows them.
    fn plan(&self, plan: &Plan) {
        let mut plan = plan.clone();
        plan.changes.clear();
        plan.steps
            .retain(|step| !matches!(step.action, Action::MakeDirectory(_)));
        let options = TextOptions {
            color: self.ui.color_errors,
            diffs: false,
        };
        self.ui.note(&text(&plan, &options));
    }

    fn step(&self, event: &apply::Event) {
        match event {
            apply::Event::Ended { tenant, report } => {
                let (style, what) = match &report.result {
                    StepResult::Failed { error } => {
                        (Style::Bad, format!("failed: {}", escape(error)))
                    }
                    StepResult::Skipped { because } => {
                        (Style::Warn, format!("skipped: {}", escape(because)))
                    }
                    StepResult::Done | StepResult::Unchanged => return,
                };
                let reason = escape(&report.step.reason);
                let what = paint(self.ui.color_errors, style, &what);
                self.line(&format!("{tenant}: {reason}: {what}"));
            }
            apply::Event::Reloaded { error: Some(error) } => {
                self.line(&format!("systemd did not reload: {}", escape(error)));
            }
            apply::Event::Started { .. }
            | apply::Event::Reloading
            | apply::Event::Reloaded { error: None } => {}
        }
    }

    fn line(&self, text: &str) {
        self.ui.note(&format!("{text}\n"));
    }
}

/// Prints how a pass went: findings first, then one line per tenant that something is to be said of, then a sum.
pub(crate) fn print(context: &Context, report: &Report) -> Result<(), CommandError> {
    let ui = &context.ui;
    system(ui, &report.system)?;
    for tenant in &report.tenants {
        self::tenant(ui, tenant)?;
    }
    ui.print(&sum(report))
}

/// The same of a pass that stops before anything changes, with what waits.
pub(crate) fn print_plan(context: &Context, report: &Report) -> Result<(), CommandError> {
    let ui = &context.ui;
    system(ui, &report.system)?;
    for tenant in &report.tenants {
        self::tenant(ui, tenant)?;
        // Refusals and failures are in the line above.
        let error = tenant.error.as_deref().unwrap_or_default();
        let waiting = tenant.waiting.iter().filter(|one| {
            one.what == "tenant" && (error.is_empty() || !error.contains(&one.reason))
        });
        for one in waiting {
            let word = ui.paint(Style::Warn, "waiting");
            let line = format!("{}: {word}: {}\n", tenant.tenant, escape(&one.reason));
            ui.print(&line)?;
        }
    }
    // Nothing is said of tenants that a broken system repository has.
    match has_errors(&report.system.findings) && report.tenants.is_empty() {
        true => Ok(()),
        false => ui.print(&sum(report)),
    }
}

/// Prints how a command for one tenant went, and says with which code it ends.
pub(crate) fn outcome(ui: &Ui, report: &TenantReport, json: bool) -> Result<Exit, CommandError> {
    if json {
        ui.json(report)?;
    } else {
        tenant(ui, report)?;
    }
    Ok(if report.verdict.is_bad() {
        Exit::Failed
    } else {
        Exit::Success
    })
}

/// Prints how one tenant fared.
fn tenant(ui: &Ui, report: &TenantReport) -> Result<(), CommandError> {
    spaced(ui, &report.findings, &report.sources)?;
    let unchanged = matches!(report.verdict, Verdict::Unchanged);
    // Who signed a commit that changes nothing is news, too.
    if unchanged && report.error.is_none() && report.signer.is_none() {
        return Ok(());
    }
    ui.print(&format!("{}\n", verdict(ui, report)))
}

/// Prints findings, if there are any.
pub(crate) fn findings(
    ui: &Ui,
    findings: &[Finding],
    sources: &BTreeMap<String, String>,
) -> Result<(), CommandError> {
    if findings.is_empty() {
        return Ok(());
    }
    ui.print(&render_findings(findings, sources, ui.color))
}

/// Findings, and an empty line before what follows.
fn spaced(
    ui: &Ui,
    list: &[Finding],
    sources: &BTreeMap<String, String>,
) -> Result<(), CommandError> {
    findings(ui, list, sources)?;
    ui.print(if list.is_empty() { "" } else { "\n" })
}

fn system(ui: &Ui, report: &SystemReport) -> Result<(), CommandError> {
    spaced(ui, &report.findings, &report.sources)?;
    match &report.error {
        Some(error) => {
            let word = ui.paint(Style::Bad, "failed");
            ui.print(&format!("system repository: {word}: {}\n", escape(error)))
        }
        None => Ok(()),
    }
}

fn verdict(ui: &Ui, report: &TenantReport) -> String {
    let (word, style) = word(report.verdict);
    let mut line = format!("{}: {}", report.tenant, ui.paint(style, word));
    if let Some(generation) = report.generation {
        line.push_str(&format!(", generation {generation}"));
    }
    let error = report.error.as_deref().unwrap_or_default();
    if let Some(commit) = report.commit.as_deref().map(short)
        && !error.contains(commit)
    {
        line.push_str(&format!(", commit {commit}"));
    }
    if let Some(signer) = &report.signer {
        line.push_str(&format!(", signed by {}", escape(signer)));
    }
    if !error.is_empty() {
        line.push_str(&format!(": {}", escape(error)));
    }
    line
}

fn word(verdict: Verdict) -> (&'static str, Style) {
    match verdict {
        Verdict::Unchanged => ("unchanged", Style::Plain),
        Verdict::Planned => ("planned", Style::Warn),
        Verdict::Applied => ("applied", Style::Good),
        Verdict::Refused => ("refused", Style::Bad),
        Verdict::Failed => ("failed", Style::Bad),
        Verdict::Suspended => ("suspended", Style::Warn),
        Verdict::Removed => ("removed", Style::Warn),
        Verdict::RolledBack => ("rolled back", Style::Bad),
    }
}

fn sum(report: &Report) -> String {
    const ORDER: [Verdict; 8] = [
        Verdict::Applied,
        Verdict::Planned,
        Verdict::Removed,
        Verdict::Unchanged,
        Verdict::Suspended,
        Verdict::Refused,
        Verdict::RolledBack,
        Verdict::Failed,
    ];
    let parts: Vec<String> = ORDER
        .into_iter()
        .filter_map(|verdict| {
            let same = report.tenants.iter().filter(|one| one.verdict == verdict);
            let count = same.count();
            (count > 0).then(|| format!("{count} {}", word(verdict).0))
        })
        .collect();
    match report.tenants.len() {
        0 => "no tenants\n".into(),
        1 => format!("1 tenant: {}\n", parts.join(", ")),
        count => format!("{count} tenants: {}\n", parts.join(", ")),
    }
}
