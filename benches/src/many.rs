//! A simulated host with many tenants, each in a repository of its own. Git, compiler, plans and generations are the real
//! ones, and only the manager of units is simulated.

use crate::measure::{Usage, success, usage};
use crate::repository::Bare;
use anyhow::Context as _;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Exit code of a plan that is not empty.
const PENDING: i32 = 4;

/// The host and its tenants.
pub(crate) struct Many {
    bbctl: PathBuf,
    /// Root of the host.
    pub(crate) host: PathBuf,
    /// The tenants' repositories.
    pub(crate) tenants: Vec<Bare>,
    /// The one that registers them.
    pub(crate) system: Bare,
}

impl Many {
    /// A host below `directory` on which nothing is deployed yet.
    pub(crate) fn new(directory: &Path, bbctl: &Path, count: usize) -> anyhow::Result<Self> {
        let remotes = directory.join("remotes");
        let tenants: Vec<Bare> = (0..count)
            .map(|index| {
                let tenant = Bare::create(&remotes.join(format!("{}.git", id(index))))?;
                tenant.commit(&documents(index, 0))?;
                Ok(tenant)
            })
            .collect::<anyhow::Result<_>>()?;
        let system = Bare::create(&remotes.join("system.git"))?;
        system.commit(&registry(&tenants))?;
        let many = Self {
            bbctl: bbctl.to_owned(),
            host: directory.join("host"),
            tenants,
            system,
        };
        let url = many.system.url();
        success(many.command().args(["host", "init", "--system-repo", &url]))?;
        // A clock that goes is a file that the simulation writes at each look.
        fs::write(many.host.join("clock"), "1000000000")?;
        Ok(many)
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.bbctl);
        command.arg("--sim").arg(&self.host);
        command
    }

    /// The first pass.
    pub(crate) fn deploy(&self) -> anyhow::Result<Usage> {
        let usage = success(self.command().arg("sync")).context("the first pass")?;
        for index in 0..self.tenants.len() {
            self.current(index)?;
        }
        Ok(usage)
    }

    /// A pass that has nothing to do.
    pub(crate) fn idle(&self) -> anyhow::Result<Usage> {
        let before = self.current(0)?;
        let usage = success(self.command().arg("sync"))?;
        anyhow::ensure!(before == self.current(0)?, "something changed");
        Ok(usage)
    }

    /// Commits what no commit before had, to the first tenant.
    pub(crate) fn change(&self, number: u32) -> anyhow::Result<()> {
        self.tenants[0].commit(&documents(0, number))
    }

    /// A pass that brings a change to the first tenant.
    pub(crate) fn update(&self) -> anyhow::Result<Usage> {
        let before = self.current(0)?;
        let usage = success(self.command().arg("sync"))?;
        anyhow::ensure!(before != self.current(0)?, "nothing changed");
        Ok(usage)
    }

    /// Plans for all tenants.
    pub(crate) fn plan(&self, pending: bool) -> anyhow::Result<Usage> {
        let usage = usage(self.command().arg("plan"))?;
        let expected = if pending { PENDING } else { 0 };
        anyhow::ensure!(usage.code == Some(expected), "plan: {:?}", usage.code);
        Ok(usage)
    }

    /// The current generation of a tenant.
    fn current(&self, index: usize) -> anyhow::Result<PathBuf> {
        let link = format!("var/lib/tenants/{}/current", id(index));
        let link = self.host.join(link);
        fs::read_link(&link).with_context(|| format!("{} was not deployed", id(index)))
    }
}

/// What the system repository says.
fn registry(tenants: &[Bare]) -> BTreeMap<String, String> {
    let entries: Vec<String> = tenants
        .iter()
        .enumerate()
        .map(|(index, tenant)| {
            format!(
                r#"{{"id":"{}","repository":"{}","limits":{{"cpu":2,"memory":"1G","storage":"10G"}}}}"#,
                id(index),
                tenant.url()
            )
        })
        .collect();
    let text = format!("{{\"tenants\":[\n{}\n]}}\n", entries.join(",\n"));
    BTreeMap::from([("tenants/registry.json".to_owned(), text)])
}

/// What a tenant's repository says.
fn documents(index: usize, number: u32) -> BTreeMap<String, String> {
    let id = id(index);
    let metadata = format!(
        "{{\"tenant\":{{\"id\":\"{id}\",\"name\":\"{id}\",\"type\":\"container\",\"enabled\":true}}}}\n"
    );
    let web = format!(
        "image:\n  template: tenant-container\nboot: true\nenv:\n  NUMBER: \"{number}\"\n\
         networks:\n  - network: default\n"
    );
    BTreeMap::from([
        ("metadata.json".to_owned(), metadata),
        ("containers/web/config.yaml".to_owned(), web),
    ])
}

fn id(index: usize) -> String {
    format!("tenant-{index:05}")
}
