//! The host and its tenants.

use super::short;
use super::table::{Cell, Table, pairs};
use super::time::utc;
use crate::ui::{Style, Ui};
use bitbuilder_core::finding::Finding;
use bitbuilder_core::model::{Bytes, Limits, MilliCores};
use bitbuilder_core::report::{escape, render_findings};
use bitbuilder_host::observe::{
    Health, HostStatus, SyncState, SystemStatus, TenantStatus, TunnelStatus, WindowStatus,
    WorkloadStatus,
};
use bitbuilder_host::reconcile::{FetchFailure, Left};
use std::collections::BTreeMap;

/// Whether everything is as it shall be.
pub(crate) fn is_good(status: &HostStatus) -> bool {
    let system = &status.system;
    system.refused.is_none()
        && system.fetch_failure.is_none()
        && status.tenants.iter().all(|tenant| {
            tenant.sync == SyncState::Synced
                && matches!(tenant.health, Health::Healthy | Health::Stopped)
        })
}

/// Every tenant in a line.
pub(crate) fn all(ui: &Ui, status: &HostStatus) -> String {
    let mut text = system(ui, &status.system);
    if status.tenants.is_empty() {
        text.push_str("No tenants. `bbctl tenant add ID --repository URL` adds one.\n");
        text.push_str(&kept(&status.left));
        return text;
    }
    let mut table = Table::new(&[
        "TENANT",
        "SYNC",
        "HEALTH",
        "GEN",
        "COMMIT",
        "WORKLOADS",
        "LIMITS",
        "REASON",
    ]);
    for tenant in &status.tenants {
        table.row(vec![
            Cell::new(tenant.id.as_str(), Style::Bold),
            sync(tenant.sync),
            health(tenant.health),
            number(tenant.generation),
            Cell::plain(tenant.commit.as_deref().map_or("-", short)),
            workloads(&tenant.workloads),
            Cell::plain(limits(&tenant.limits)),
            Cell::plain(reason(tenant)),
        ]);
    }
    text.push_str(&table.text(ui));
    text.push_str(&kept(&status.left));
    text
}

/// Tenants that left, a line for each.
pub(crate) fn kept(left: &[Left]) -> String {
    let line = |one: &Left| {
        let until = utc(one.until);
        format!(
            "{} was removed; its data is kept until {until}.\n",
            one.tenant
        )
    };
    left.iter().map(line).collect()
}

/// One tenant with everything that is known of it; `sources` are the texts that its findings point into.
pub(crate) fn one(ui: &Ui, tenant: &TenantStatus, sources: &BTreeMap<String, String>) -> String {
    let name = format!("{} ({})", tenant.id, tenant.name);
    let mut lines = vec![
        ("Tenant", Cell::new(name, Style::Bold)),
        ("Sync", sync(tenant.sync)),
        ("Health", health(tenant.health)),
    ];
    if let Some(reason) = &tenant.reason {
        lines.push(("Reason", Cell::plain(reason)));
    }
    lines.push(("Generation", number(tenant.generation)));
    lines.push((
        "Commit",
        Cell::plain(tenant.commit.as_deref().unwrap_or("-")),
    ));
    if let Some(signer) = &tenant.signer {
        lines.push(("Signer", Cell::plain(signer)));
    }
    lines.push(("Limits", Cell::plain(limits(&tenant.limits))));
    if let Some(trial) = &tenant.trial {
        let until = match trial.until {
            Some(until) => format!("until {}", utc(until)),
            None => "is over".to_owned(),
        };
        let of = match &trial.reference {
            Some(reference) => format!(" of {reference}"),
            None => String::new(),
        };
        let text = format!("{until}{of}, then generation {} returns", trial.confirmed);
        lines.push(("Trial", Cell::new(text, Style::Warn)));
    }
    if let Some(window) = &tenant.window {
        lines.push(("Window", Cell::new(self::window(window), Style::Warn)));
    }
    if let Some(degraded) = &tenant.degraded {
        let left = if degraded.left {
            "; it is left as it is"
        } else {
            ""
        };
        let text = format!("since {}: {}{left}", utc(degraded.since), degraded.reason);
        lines.push(("Degraded", Cell::new(text, Style::Bad)));
    }
    if let Some(suspended) = &tenant.suspended {
        let text = format!("since {}: {}", utc(suspended.since), suspended.reason);
        lines.push(("Suspended", Cell::new(text, Style::Warn)));
    }
    if let Some(refused) = &tenant.refused {
        let text = format!(
            "commit {} since {}: {}",
            short(&refused.commit),
            utc(refused.since),
            refused.reason
        );
        lines.push(("Refused", Cell::new(text, Style::Bad)));
    }
    if let Some(failed) = &tenant.fetch_failure {
        let text = format!("{}: {}", failures(failed), failed.error);
        lines.push(("Fetch", Cell::new(text, Style::Bad)));
    }
    let mut text = pairs(&lines, ui);
    if !tenant.workloads.is_empty() {
        text.push('\n');
        text.push_str(&workload_table(&tenant.workloads).text(ui));
    }
    if !tenant.tunnels.is_empty() {
        text.push('\n');
        text.push_str(&tunnel_table(&tenant.tunnels).text(ui));
    }
    let findings = findings(tenant);
    if !findings.is_empty() {
        text.push('\n');
        text.push_str(&render_findings(findings, sources, ui.color));
    }
    text
}

/// What to show of the documents: of the refused commit, else of the deployed one.
pub(crate) fn findings(tenant: &TenantStatus) -> &[Finding] {
    match &tenant.refused {
        Some(refused) if !refused.findings.is_empty() => &refused.findings,
        _ => &tenant.findings,
    }
}

/// One line about a tenant that is waited for.
pub(crate) fn line(tenant: &TenantStatus) -> String {
    let word = word(tenant.health);
    match &tenant.reason {
        Some(reason) => format!("{}: {word}: {}\n", tenant.id, escape(reason)),
        None => format!("{}: {word}\n", tenant.id),
    }
}

fn system(ui: &Ui, system: &SystemStatus) -> String {
    let commit = system.commit.as_deref().map_or("no commit", short);
    let repository = escape(&system.repository);
    let signer = system.signer.as_ref();
    let signer = signer.map_or_else(String::new, |one| format!(", signed by {}", escape(one)));
    let mut text = format!("System repository {repository}, commit {commit}{signer}\n");
    if let Some(refused) = &system.refused {
        let message = format!(
            "commit {} is refused: {}",
            short(&refused.commit),
            escape(&refused.reason)
        );
        text.push_str(&format!("{}\n", ui.paint(Style::Bad, &message)));
    }
    if let Some(failed) = &system.fetch_failure {
        let message = format!(
            "it cannot be fetched ({}): {}",
            failures(failed),
            escape(&failed.error)
        );
        text.push_str(&format!("{}\n", ui.paint(Style::Bad, &message)));
    }
    text.push('\n');
    text
}

/// How often, since when, and when it is tried again.
fn failures(failed: &FetchFailure) -> String {
    let times = match failed.count {
        1 => "once".to_owned(),
        n => format!("{n} times"),
    };
    let next = failed.retry_after.map_or_else(String::new, |time| {
        format!(", next try after {}", utc(time))
    });
    format!("{times} since {}{next}", utc(failed.since))
}

/// Why it is not as it shall be, and until when that may change.
fn reason(tenant: &TenantStatus) -> String {
    let reason = tenant.reason.as_deref().unwrap_or_default();
    if let Some(until) = tenant.trial.as_ref().and_then(|trial| trial.until) {
        return format!("{reason} (until {})", utc(until));
    }
    match &tenant.window {
        Some(open) if !matches!(tenant.health, Health::Healthy | Health::Stopped) => {
            format!("{reason} (window {})", window(open))
        }
        _ => reason.to_owned(),
    }
}

/// `until 2026-01-05 09:16:00, try 1 of 2`.
fn window(window: &WindowStatus) -> String {
    let until = match window.until {
        Some(until) => format!("until {}", utc(until)),
        None => "begins again".to_owned(),
    };
    format!("{until}, try {} of {}", window.attempt, window.tries)
}

fn tunnel_table(tunnels: &[TunnelStatus]) -> Table {
    let mut table = Table::new(&["NETWORK", "LINK", "UDP PORT", "PUBLIC KEY"]);
    for tunnel in tunnels {
        table.row(vec![
            Cell::new(tunnel.network.as_str(), Style::Bold),
            Cell::plain(&tunnel.link),
            Cell::plain(tunnel.port.to_string()),
            Cell::plain(&tunnel.public_key),
        ]);
    }
    table
}

fn workload_table(workloads: &[WorkloadStatus]) -> Table {
    let mut table = Table::new(&["WORKLOAD", "HEALTH", "UNIT", "STATE", "ADDRESSES", "REASON"]);
    for workload in workloads {
        table.row(vec![
            Cell::new(workload.name.as_str(), Style::Bold),
            health(workload.health),
            Cell::plain(&workload.unit),
            Cell::plain(&workload.active),
            Cell::plain(workload.addresses.join(" ")),
            Cell::plain(workload.reason.as_deref().unwrap_or_default()),
        ]);
    }
    table
}

fn number(generation: Option<u64>) -> Cell {
    Cell::plain(generation.map_or("-".to_owned(), |number| number.to_string()))
}

fn workloads(workloads: &[WorkloadStatus]) -> Cell {
    let healthy = workloads.iter().filter(|one| one.health == Health::Healthy);
    Cell::plain(format!("{}/{}", healthy.count(), workloads.len()))
}

fn sync(state: SyncState) -> Cell {
    match state {
        SyncState::Synced => Cell::new("Synced", Style::Good),
        SyncState::OutOfSync => Cell::new("OutOfSync", Style::Bad),
        SyncState::RolledBack => Cell::new("RolledBack", Style::Warn),
        SyncState::Trial => Cell::new("Trial", Style::Warn),
        SyncState::Suspended => Cell::new("Suspended", Style::Warn),
        SyncState::Unknown => Cell::new("Unknown", Style::Dim),
    }
}

fn word(health: Health) -> &'static str {
    match health {
        Health::Healthy => "Healthy",
        Health::Progressing => "Progressing",
        Health::Degraded => "Degraded",
        Health::Stopped => "Stopped",
        Health::Unknown => "Unknown",
    }
}

fn health(state: Health) -> Cell {
    let style = match state {
        Health::Healthy => Style::Good,
        Health::Progressing => Style::Warn,
        Health::Degraded => Style::Bad,
        Health::Stopped | Health::Unknown => Style::Dim,
    };
    Cell::new(word(state), style)
}

pub(crate) fn limits(limits: &Limits) -> String {
    let mut parts = Vec::new();
    if let Some(MilliCores(cpu)) = limits.cpu {
        parts.push(format!("cpu={}", cores(cpu)));
    }
    for (name, bytes) in [("memory", limits.memory), ("storage", limits.storage)] {
        parts.extend(bytes.map(|Bytes(bytes)| format!("{name}={}", size(bytes))));
    }
    if parts.is_empty() {
        return "-".into();
    }
    parts.join(" ")
}

/// `2` or `0.5`, of thousandths of a core.
fn cores(thousandths: u64) -> String {
    let text = format!("{}.{:03}", thousandths / 1000, thousandths % 1000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// `4G`, in the largest unit that divides it.
fn size(bytes: u64) -> String {
    for (shift, unit) in [(40, "T"), (30, "G"), (20, "M"), (10, "K")] {
        if bytes >= 1 << shift && bytes.is_multiple_of(1 << shift) {
            return format!("{}{unit}", bytes >> shift);
        }
    }
    format!("{bytes}B")
}
