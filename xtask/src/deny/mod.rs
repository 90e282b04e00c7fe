//! `cargo xtask deny`: the rules of `deny.toml` that need no network, over what cargo says.
//!
//! Advisories are not among them: cargo-deny has them.

mod cargo;
mod license;
mod rules;

use crate::repository;
use anyhow::{Result, bail};
use cargo::Package;
use rules::Rules;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;

/// Crates whose dependencies are a stored list, `xtask/dependencies/<crate>`: a new one is a decision.
const LISTED: &[&str] = &["bitbuilder-generators", "bitbuilder-agent", "bbctl"];

/// Checks; with `bless` the stored lists are written instead of compared.
pub(crate) fn check(bless: bool) -> Result<()> {
    let root = repository::root();
    let rules = Rules::parse(&fs::read_to_string(root.join("deny.toml"))?)?;
    let mut broken = violations(&cargo::packages(&root)?, &rules);
    for name in LISTED {
        let list = cargo::dependencies(&root, name)?;
        let path = root.join("xtask/dependencies").join(name);
        if bless {
            fs::write(&path, lines(&list))?;
        } else {
            let stored = fs::read_to_string(&path).unwrap_or_default();
            let stored: BTreeSet<String> = stored.lines().map(str::to_owned).collect();
            for change in list.symmetric_difference(&stored) {
                let verb = if stored.contains(change) {
                    "lost"
                } else {
                    "has"
                };
                broken.push(format!(
                    "{name} {verb} the dependency {change}: if that is meant, `cargo xtask deny --bless`"
                ));
            }
        }
    }
    if broken.is_empty() {
        return Ok(());
    }
    bail!("dependencies:\n  {}", broken.join("\n  "))
}

fn lines(list: &BTreeSet<String>) -> String {
    list.iter().map(|name| format!("{name}\n")).collect()
}

fn violations(packages: &[Package], rules: &Rules) -> Vec<String> {
    let mut broken = Vec::new();
    let mut versions: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for package in packages {
        let named = format!("{} {}", package.name, package.version);
        versions
            .entry(&package.name)
            .or_default()
            .insert(&package.version);
        match &package.license {
            Some(expression) if license::allows(expression, &rules.licenses) => {}
            Some(expression) => broken.push(format!("{named}: license {expression}")),
            None => broken.push(format!("{named}: no license")),
        }
        if rules.banned.contains(&package.name) {
            broken.push(format!("{named} is banned"));
        }
        if let Some(source) = &package.source {
            let registry = source.strip_prefix("registry+");
            if !registry
                .is_some_and(|registry| rules.registries.iter().any(|ours| ours == registry))
            {
                broken.push(format!("{named} comes from {source}"));
            }
        }
    }
    for (name, versions) in versions {
        if versions.len() > 1 && !rules.skip.iter().any(|skipped| skipped == name) {
            let versions: Vec<&str> = versions.into_iter().collect();
            broken.push(format!(
                "{name} is there more than once: {}",
                versions.join(", ")
            ));
        }
    }
    broken
}
