//! `dependsOn` between workloads: every name exists, and nothing waits for itself.

use super::suggest;
use crate::finding::{Finding, Origin};
use crate::model::{Name, Workload};
use std::collections::{BTreeMap, BTreeSet};

/// Unknown names that are reported, and cycles.
const MOST: usize = 100;

/// Unknown names and cycles among `workloads`; `known` are all workloads, also those that could not be read.
pub(crate) fn check<'a>(
    workloads: impl Iterator<Item = &'a Workload>,
    known: &BTreeMap<Name, String>,
) -> Vec<Finding> {
    let graph: BTreeMap<&Name, &[(Name, Origin)]> = workloads
        .map(|workload| (&workload.name, workload.depends_on.as_slice()))
        .collect();
    let edges = graph.values().copied().flatten();
    let missing = edges.filter(|(name, _)| !known.contains_key(name));
    let missing = missing.map(|(name, origin)| unknown(name, origin, known));
    let mut findings: Vec<Finding> = missing.take(MOST).collect();
    let mut finished = BTreeSet::new();
    let mut circles = 0;
    for name in graph.keys() {
        let found = cycle_from(name, &graph, &mut finished, MOST - circles);
        circles += found.len();
        findings.extend(found);
    }
    findings
}

fn unknown(name: &Name, origin: &Origin, known: &BTreeMap<Name, String>) -> Finding {
    let message = format!("there is no container or machine `{name}`");
    let finding = Finding::error(origin.clone(), "unknown-reference", message);
    let finding = finding.length(name.as_str().len());
    match suggest::hint(name.as_str(), known.keys().map(Name::as_str)) {
        Some(help) => finding.help(help),
        None => finding,
    }
}

/// Walks from `start` without recursion (a chain may be as long as a repository has workloads).
fn cycle_from<'a>(
    start: &'a Name,
    graph: &BTreeMap<&'a Name, &'a [(Name, Origin)]>,
    finished: &mut BTreeSet<&'a Name>,
    most: usize,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut path: Vec<(&Name, usize)> = vec![(start, 0)];
    let mut open = BTreeSet::from([start]);
    while let Some((name, next)) = path.last_mut() {
        let edges = graph.get(*name).copied().unwrap_or_default();
        let Some((target, origin)) = edges.get(*next).filter(|_| !finished.contains(*name)) else {
            finished.insert(*name);
            open.remove(*name);
            path.pop();
            continue;
        };
        *next += 1;
        if open.contains(target) {
            if findings.len() < most {
                findings.push(cycle(&path, target, origin));
            }
        } else if !finished.contains(target) {
            open.insert(target);
            path.push((target, 0));
        }
    }
    findings
}

fn cycle(path: &[(&Name, usize)], target: &Name, origin: &Origin) -> Finding {
    let from = path
        .iter()
        .position(|(name, _)| *name == target)
        .unwrap_or(0);
    let mut names: Vec<&str> = path[from..].iter().map(|(name, _)| name.as_str()).collect();
    names.push(target.as_str());
    if names.len() > 12 {
        names.splice(6..names.len() - 6, ["..."]);
    }
    let message = format!("the dependencies form a circle: {}", names.join(" -> "));
    Finding::error(origin.clone(), "dependency-cycle", message)
        .length(target.as_str().len())
        .help("remove one of them; a workload starts when all that it depends on are healthy")
}
