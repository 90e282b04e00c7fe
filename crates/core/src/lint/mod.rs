//! Checks of the rendered artefacts before anything is switched.
//!
//! [`check`] is the privileged side's second look at what an unprivileged compiler made of a tenant's repository: it
//! knows the tenant's registration and allocation and believes nothing else. What it does not know it refuses: files have
//! known places, settings known names and values, commands known arguments. It does not share code with `render`, so that a
//! mistake there does not repeat here.
//!
//! - `set`: places, modes and sizes of files; units, layers and directories; what the boot links.
//! - `unit`: units and drop-ins; `command`: what they run; `mount`: what they mount; `machine`: virtual machines.
//! - `network`, `link`, `ruleset`: files of networkd, batches of ip(8), packet rules.
//!
//! [`host`] looks at all tenants together.

mod batch;
mod boot;
mod command;
mod expected;
mod health;
mod host;
mod machine;
mod mount;
mod network;
mod ruleset;
mod set;
mod tunnel;
mod unit;
mod uplink;

pub use host::host;

use crate::allocate::{Partner, TenantAllocation};
use crate::artefact::Artefacts;
use crate::desired::Templates;
use crate::finding::{Finding, Origin};
use crate::model::Registration;
use expected::Expected;
use std::collections::BTreeSet;

/// Most findings of one check: a set that is wrong all over needs no complete list.
const FINDINGS_MAX: usize = 100;

/// What the host itself knows of a tenant, and what its artefacts must keep within.
#[derive(Debug, Clone, Copy)]
pub struct Bounds<'a> {
    /// The tenant's entry in the registry.
    pub registration: &'a Registration,
    /// Its numbers and names.
    pub allocation: &'a TenantAllocation,
    /// Images that are on the host.
    pub templates: &'a Templates,
    /// With whom it shares networks.
    pub partners: &'a [Partner],
}

/// Everything in `artefacts` that is not within `bounds`; empty for what [`crate::render`] makes of them.
pub fn check(artefacts: &Artefacts, bounds: &Bounds<'_>) -> Vec<Finding> {
    let expected = Expected::new(bounds);
    let mut lint = Lint {
        artefacts,
        expected: &expected,
        units: artefacts
            .units
            .iter()
            .map(|unit| unit.name.as_str())
            .collect(),
        findings: Vec::new(),
    };
    set::check(&mut lint);
    // Contents are read only when their amount is bearable.
    if lint.findings.is_empty() {
        boot::check(&mut lint);
        unit::check(&mut lint);
        mount::check(&mut lint);
        network::check(&mut lint);
        batch::check(&mut lint);
        uplink::check(&mut lint);
        ruleset::check(&mut lint);
        health::check(&mut lint);
    }
    let mut findings = lint.findings;
    findings.sort();
    findings.dedup();
    findings.truncate(FINDINGS_MAX);
    findings
}

/// A check on its way.
struct Lint<'a> {
    artefacts: &'a Artefacts,
    expected: &'a Expected<'a>,
    /// Names of the set's units.
    units: BTreeSet<&'a str>,
    findings: Vec<Finding>,
}

impl<'a> Lint<'a> {
    /// A finding about the file `path`.
    fn refuse(&mut self, path: &str, rule: &str, message: impl std::fmt::Display) {
        let file = self.artefacts.files.get(path);
        let origin = file.and_then(|file| file.origin.clone());
        self.findings.push(Finding::error(
            origin.unwrap_or_else(|| Origin::file(path)),
            rule,
            format!("artefact `{path}`: {message}"),
        ));
    }

    /// A finding unless `holds`.
    fn require(&mut self, holds: bool, path: &str, rule: &str, message: impl std::fmt::Display) {
        if !holds {
            self.refuse(path, rule, message);
        }
    }

    /// Paths and texts of the files whose path begins with `prefix`; what is no text is a finding.
    fn texts(&mut self, prefix: &str) -> Vec<(&'a str, &'a str)> {
        let artefacts = self.artefacts;
        let mut texts = Vec::new();
        for (path, file) in &artefacts.files {
            if path.starts_with(prefix) {
                match std::str::from_utf8(&file.content) {
                    Ok(text) => texts.push((path.as_str(), text)),
                    Err(_) => self.refuse(path, "not-text", "it is no text"),
                }
            }
        }
        texts
    }

    /// The text of one file.
    fn text(&self, path: &str) -> Option<&'a str> {
        std::str::from_utf8(&self.artefacts.files.get(path)?.content).ok()
    }

    /// Whether the set has the file `path`.
    fn has(&self, path: &str) -> bool {
        self.artefacts.files.contains_key(path)
    }

    /// Whether the set has the unit `name`.
    fn owns(&self, name: &str) -> bool {
        self.units.contains(name)
    }
}
