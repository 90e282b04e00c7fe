//! A host with one rich tenant, whose documents are values that rows change.

use crate::rows::Edit;
use bitbuilder_core::model::Name;
use bitbuilder_core::plan::Plan;
use bitbuilder_host::generations;
use bitbuilder_host::host::Host;
use bitbuilder_host::reconcile::{
    Options, Preview, Report, init, pass, preview_system, preview_tenant,
};
use bitbuilder_host::sim::SimHost;
use bitbuilder_host::source::{TreeLimits, read_directory};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The tenant that is changed.
pub(crate) const SHOP: &str = "shop";

/// A document that is a value, or another file.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum File {
    Document(Value),
    Text(String),
}

/// Files by repository (or `host`) and path.
pub(crate) type Files = BTreeMap<(String, String), File>;

pub(crate) struct World {
    pub(crate) host: SimHost,
    pub(crate) files: Files,
    directory: tempfile::TempDir,
}

impl World {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let host = SimHost::open(directory.path().join("host")).unwrap();
        let mut world = Self {
            host,
            files: Files::new(),
            directory,
        };
        let files = crate::rows::base(&|name| world.url(name));
        world.put(files);
        init(&world.host, Some(&world.url("system")), "main").unwrap();
        crate::effect::settled("the base", &world.sync());
        world
    }

    fn url(&self, name: &str) -> String {
        format!("file://{}", self.repository(name).display())
    }

    fn repository(&self, name: &str) -> PathBuf {
        match name {
            "host" => self.host.root().path().to_owned(),
            _ => self.directory.path().join(name),
        }
    }

    /// The files with `edits` done.
    pub(crate) fn edited(&self, edits: &[Edit]) -> Files {
        let mut files = self.files.clone();
        for edit in edits {
            edit.apply(&mut files);
        }
        files
    }

    /// Writes what differs and commits it; the repositories that it concerns.
    pub(crate) fn put(&mut self, files: Files) -> Vec<String> {
        let changed = self.write(&files);
        for name in &changed {
            self.commit(name);
        }
        self.files = files;
        changed
    }

    /// Writes what differs into the work trees; the repositories that it concerns.
    pub(crate) fn write(&self, files: &Files) -> Vec<String> {
        let mut changed = Vec::new();
        for (repository, path) in self.files.keys().chain(files.keys()) {
            let key = (repository.clone(), path.clone());
            let (before, after) = (self.files.get(&key), files.get(&key));
            if before == after {
                continue;
            }
            changed.push(repository.clone());
            let path = self.repository(repository).join(path);
            let Some(file) = after else {
                let _ = fs::remove_file(&path);
                continue;
            };
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            let text = match file {
                File::Document(value) => format!("{value:#}\n"),
                File::Text(text) => text.clone(),
            };
            fs::write(path, text).unwrap();
        }
        changed.sort();
        changed.dedup();
        changed
    }

    fn commit(&self, name: &str) {
        if name == "host" {
            return;
        }
        let repository = self.repository(name);
        if !repository.join(".git").exists() {
            git(&repository, &["init", "-q", "-b", "main"]);
        }
        git(&repository, &["add", "-A"]);
        git(&repository, &["commit", "-q", "-m", "a change"]);
    }

    pub(crate) fn sync(&self) -> Report {
        pass(&self.host, &Options::default(), &mut |_| {}).unwrap()
    }

    /// What a pass would do now.
    pub(crate) fn dry_run(&self) -> Report {
        let options = Options {
            plan_only: true,
            ..Options::default()
        };
        pass(&self.host, &options, &mut |_| {}).unwrap()
    }

    /// What the work tree `name` would do, uncommitted.
    pub(crate) fn preview(&self, name: &str) -> Preview {
        let reading = read_directory(&self.repository(name), &TreeLimits::default()).unwrap();
        match name {
            "system" => preview_system(&self.host, reading, "local").unwrap(),
            _ => preview_tenant(&self.host, &Name::new(name).unwrap(), reading, "local").unwrap(),
        }
    }

    /// Tree hash of the current generation of a tenant.
    pub(crate) fn hash(&self, id: &str) -> Option<String> {
        let current = generations::read_current(self.host.root(), &Name::new(id).unwrap());
        current.unwrap().map(|manifest| manifest.hash)
    }
}

/// What two plans have in common when one was made for people and of no commit.
pub(crate) fn essence(plan: &Plan) -> Value {
    let changes: Vec<Value> = plan
        .changes
        .iter()
        .map(|change| json!([change.path, change.change, change.class, change.unit]))
        .collect();
    json!([plan.tenant, plan.from, plan.to, plan.steps, changes])
}

fn git(directory: &Path, arguments: &[&str]) {
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
}
