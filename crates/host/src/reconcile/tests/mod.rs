//! Passes on a simulated host, from repositories that the git command makes.

mod access;
mod audit;
mod deploy;
mod drift;
mod fault;
mod health;
mod leave;
mod mark;
mod operate;
mod plan;
mod refuse;
mod remotes;
mod rest;
mod signatures;
mod trial;
mod units;

use super::{Event, Options, Report, Scope, TenantReport, Verdict, init, pass};
use crate::generations;
use crate::host::Host;
use crate::sim::SimHost;
use bitbuilder_core::model::Name;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// A host, a system repository, and the repositories of its tenants.
pub(super) struct World {
    pub(super) host: SimHost,
    directory: TempDir,
}

impl World {
    /// A host whose registry has `ids`, each with one commit of one container `web`.
    pub(super) fn new(ids: &[&str]) -> Self {
        Self::within(tempfile::tempdir().unwrap(), ids)
    }

    /// The same, in this directory.
    pub(super) fn within(directory: TempDir, ids: &[&str]) -> Self {
        let host = SimHost::open(directory.path().join("host")).unwrap();
        let world = Self { host, directory };
        for id in ids {
            world.commit(
                id,
                &[("metadata.json", &metadata(id)), (WEB, &container("red"))],
            );
        }
        world.register(ids);
        let url = world.url("system");
        init(&world.host, Some(&url), "main").unwrap();
        world
    }

    /// Commits a registry with these tenants.
    pub(super) fn register(&self, ids: &[&str]) {
        let all: Vec<_> = ids.iter().map(|id| (*id, serde_json::json!({}))).collect();
        self.register_with(&all);
    }

    /// Commits a registry with these tenants, and what it says of each.
    pub(super) fn register_with(&self, tenants: &[(&str, serde_json::Value)]) -> String {
        let entry = |(id, more): &(&str, serde_json::Value)| {
            let mut entry = serde_json::json!({ "id": id, "repository": self.url(id) });
            for (key, value) in more.as_object().into_iter().flatten() {
                entry[key] = value.clone();
            }
            entry
        };
        let tenants: Vec<_> = tenants.iter().map(entry).collect();
        let registry = serde_json::json!({ "tenants": tenants }).to_string();
        self.commit("system", &[("tenants/registry.json", &registry)])
    }

    pub(super) fn repository(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(super) fn url(&self, name: &str) -> String {
        format!("file://{}", self.repository(name).display())
    }

    /// Writes `files` and commits them; returns the commit.
    pub(super) fn commit(&self, name: &str, files: &[(&str, &str)]) -> String {
        let repository = self.repository(name);
        if !repository.exists() {
            std::fs::create_dir(&repository).unwrap();
            git(&repository, &["init", "-q", "-b", "main"]);
        }
        for (path, content) in files {
            let path = repository.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
        git(&repository, &["add", "-A"]);
        git(
            &repository,
            &["commit", "-q", "--allow-empty", "-m", "a change"],
        );
        git(&repository, &["rev-parse", "HEAD"]).trim().to_owned()
    }

    /// A pass that must be possible.
    pub(super) fn pass(&self, options: &Options) -> Report {
        pass(&self.host, options, &mut |_| {}).unwrap()
    }

    /// A pass for all, and what became of `id`.
    pub(super) fn sync(&self, id: &str) -> TenantReport {
        let report = self.pass(&Options::default());
        find(report, id)
    }

    pub(super) fn generation(&self, id: &str) -> Option<u64> {
        generations::current(self.host.root(), &name(id)).unwrap()
    }

    /// Invocation id of a machine's unit.
    pub(super) fn invocation(&self, machine: &str) -> String {
        let unit = format!("systemd-nspawn@{machine}.service");
        let units = self.host.units(&[&unit]).unwrap();
        units
            .get(&unit)
            .map(|state| state.invocation.clone())
            .unwrap_or_default()
    }
}

pub(super) const WEB: &str = "containers/web/config.yaml";

pub(super) fn metadata(id: &str) -> String {
    serde_json::json!({ "tenant": { "id": id, "type": "container", "enabled": true } }).to_string()
}

pub(super) fn container(color: &str) -> String {
    format!("image: {{ template: tenant-container }}\nboot: true\nenv: {{ COLOR: {color} }}\n")
}

pub(super) fn name(id: &str) -> Name {
    Name::new(id).unwrap()
}

pub(super) fn find(report: Report, id: &str) -> TenantReport {
    let mut tenants = report.tenants.into_iter();
    tenants.find(|tenant| tenant.tenant.as_str() == id).unwrap()
}

/// Only this tenant.
pub(super) fn only(id: &str) -> Options {
    Options {
        scope: Scope::One(name(id)),
        ..Options::default()
    }
}

/// Nothing happens.
pub(super) fn silent(_: Event) {}

pub(super) fn git(directory: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .current_dir(directory)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .args(["-c", "user.name=t", "-c", "user.email=t@example.org"])
        .args(arguments)
        .output()
        .unwrap();
    assert!(output.status.success(), "git {arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}
