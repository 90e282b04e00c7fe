//! A plan for people: one line per step, then the files.

use super::{Action, Change, FileChange, Gate, LinkFix, Phase, Plan, Step, Waiting};
use crate::artefact::UpdateClass;
use crate::report::escape;
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// How [`text`] shows a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TextOptions {
    /// With the escape sequences of a terminal.
    pub color: bool,
    /// With the diffs that the plan holds.
    pub diffs: bool,
}

const RED: &str = "31";
const GREEN: &str = "32";
const YELLOW: &str = "33";
const CYAN: &str = "36";
const BOLD: &str = "1";

/// Shows `plan`: what it leads to, one line per step (`restart  stop UNIT: REASON`), the files that differ, and how many
/// units that touches. Ends with a line break. Findings are shown by [`crate::report`].
pub fn text(plan: &Plan, options: &TextOptions) -> String {
    let paint = Paint(options.color);
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = writeln!(out, "{}", paint.with(BOLD, &title(plan)));
    for step in &plan.steps {
        let _ = writeln!(out, "  {}", line(step, paint));
    }
    for one in plan.waiting.iter().filter(|one| !is_finding(one)) {
        let _ = writeln!(out, "  {}", wait(one, paint));
    }
    if !plan.changes.is_empty() {
        out.push_str("files:\n");
    }
    for change in &plan.changes {
        let _ = writeln!(out, "  {}", file(change, paint));
        if let Some(diff) = change.diff.as_deref().filter(|_| options.diffs) {
            write_diff(diff, paint, &mut out);
        }
    }
    let _ = writeln!(out, "{}", summary(plan));
    out
}

#[derive(Clone, Copy)]
struct Paint(bool);

impl Paint {
    fn with(self, code: &str, text: &str) -> String {
        if self.0 {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }
}

fn title(plan: &Plan) -> String {
    let generations = match (plan.from, plan.to) {
        (None, None) => "no generation".to_owned(),
        (None, Some(to)) => format!("first generation {to}"),
        (Some(from), None) => format!("generation {from} -> none"),
        (Some(from), Some(to)) if from == to => format!("generation {from}"),
        (Some(from), Some(to)) => format!("generation {from} -> {to}"),
    };
    let commit: String = plan
        .commit
        .iter()
        .flat_map(|c| c.chars().take(12))
        .collect();
    let commit = match commit.as_str() {
        "" => commit,
        _ => format!(", commit {}", escape(&commit)),
    };
    format!("{}: {generations}{commit}", plan.tenant)
}

fn line(step: &Step, paint: Paint) -> String {
    let (code, word) = cost(step);
    let what = escape(&action(&step.action));
    let reason = escape(&step.reason);
    format!(
        "{} {what}: {reason}",
        paint.with(code, &format!("{word:<8}"))
    )
}

/// What a step costs, in a word: only what touches processes has the word of its class.
fn cost(step: &Step) -> (&'static str, &'static str) {
    match (step.phase, step.class) {
        (Phase::Prepare, _) => (CYAN, "prepare"),
        (_, UpdateClass::Live) => (GREEN, "live"),
        (_, UpdateClass::Restart) => (YELLOW, "restart"),
        (_, UpdateClass::Recreate) => (RED, "recreate"),
        (_, UpdateClass::Destroy) => (RED, "destroy"),
    }
}

/// Whether it is shown as a finding anyway.
fn is_finding(one: &Waiting) -> bool {
    matches!(one.gate, Gate::Template | Gate::Capability | Gate::Refused)
}

fn wait(one: &Waiting, paint: Paint) -> String {
    format!("{} {}", paint.with(CYAN, "waiting "), escape(&one.reason))
}

fn action(action: &Action) -> String {
    match action {
        Action::PrepareLayer(layer) => {
            let key: String = layer.key.chars().take(12).collect();
            format!("layer {key}")
        }
        Action::MakeDirectory(directory) => format!(
            "directory {} (owner {}, mode {:03o})",
            directory.path, directory.owner, directory.mode
        ),
        Action::MakeDisk(disk) => {
            let (directory, image) = (disk.directory(), &disk.image.name);
            format!("disk {directory}/disk.raw, a copy of image {image}")
        }
        Action::WriteGeneration { number } => format!("write generation {number}"),
        Action::Stop { units } => format!("stop {}", units.join(" ")),
        Action::Switch { number } => format!("switch to generation {number}"),
        Action::Unlink => "unlink the tenant".into(),
        Action::ReloadNetwork => "load the network".into(),
        Action::RenewLeases { links } => format!("renew the leases of {}", links.join(" ")),
        Action::SetProperties { unit, properties } => {
            let pairs: Vec<String> = properties
                .iter()
                .map(|(name, value)| format!("{name}={value}"))
                .collect();
            format!("set {} of {unit}", pairs.join(" "))
        }
        Action::Start { units } => format!("start {}", units.join(" ")),
        Action::Erase { .. } => "erase what was made for it".into(),
        Action::RestoreFiles { number } => format!("restore files of generation {number}"),
        Action::Revert { units } => format!("revert {}", units.join(" ")),
        Action::Reload => "reload systemd".into(),
        Action::FixLinks { fixes } => {
            let links: Vec<&str> = fixes.iter().map(LinkFix::link).collect();
            format!("set up {}", links.join(" "))
        }
    }
}

fn file(change: &FileChange, paint: Paint) -> String {
    let (code, mark) = match change.change {
        Change::Added => (GREEN, "+"),
        Change::Modified => (YELLOW, "~"),
        Change::Removed => (RED, "-"),
    };
    format!("{} {}", paint.with(code, mark), escape(&change.path))
}

fn write_diff(diff: &str, paint: Paint, out: &mut String) {
    for line in diff.lines() {
        let code = match line.as_bytes().first() {
            Some(b'+') => Some(GREEN),
            Some(b'-') => Some(RED),
            Some(b'@') => Some(CYAN),
            _ => None,
        };
        // A tab does no harm, and the columns of these files are made of them.
        let line = line.split('\t').map(escape).collect::<Vec<_>>().join("\t");
        let line = code.map_or(line.clone(), |code| paint.with(code, &line));
        let _ = writeln!(out, "      {line}");
    }
}

/// How many units are touched, in one sentence.
fn summary(plan: &Plan) -> String {
    if plan.is_empty() {
        return "Nothing to do.".into();
    }
    let mut stopped = BTreeSet::new();
    let mut started = BTreeSet::new();
    for step in &plan.steps {
        match &step.action {
            Action::Stop { units } => stopped.extend(units),
            Action::Start { units } => started.extend(units),
            _ => {}
        }
    }
    // Mounts come back with what stands on them, and a timer is no process: neither is counted.
    let counts = |unit: &&String| !unit.ends_with(".mount") && !unit.ends_with(".timer");
    stopped.retain(counts);
    started.retain(counts);
    let counts = [
        (stopped.intersection(&started).count(), "to restart"),
        (started.difference(&stopped).count(), "to start"),
        (stopped.difference(&started).count(), "to stop"),
    ];
    let parts: Vec<String> = counts
        .iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, word)| format!("{number} {word}"))
        .collect();
    if parts.is_empty() {
        return "No unit stops or starts.".into();
    }
    format!("Units: {}.", parts.join(", "))
}
