//! Repositories of the booted tests, and what they ask a host.
#![allow(dead_code, reason = "each test binary uses its own part")]

use bitbuilder_itest::TestHost;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

/// A repository directory that a test writes and pushes.
pub(crate) struct Repository(tempfile::TempDir);

impl Repository {
    /// An empty one.
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// A tenant `id` with nothing but metadata.
    pub(crate) fn tenant(id: &str) -> Self {
        let repository = Self::new();
        let metadata = format!(
            r#"{{ "tenant": {{ "id": "{id}", "name": "{id}", "type": "container", "enabled": true }} }}"#
        );
        repository.write("metadata.json", &metadata);
        repository
    }

    /// A tenant `id` whose container `web` serves port 80.
    pub(crate) fn serving(id: &str) -> Self {
        let repository = Self::tenant(id);
        let serve = command(
            "exec busybox httpd -f -p 80",
            "health: { tcp: 80, interval: 1s }\n",
        );
        repository.write("containers/web/config.yaml", &serve);
        repository
    }

    /// A system repository with these tenants, each embedded on the host and allowed what the tests need.
    pub(crate) fn system(ids: &[&str]) -> Self {
        let repository = Self::new();
        repository.write_registry(ids);
        repository
    }

    /// Replaces the registry.
    pub(crate) fn write_registry(&self, ids: &[&str]) {
        let tenants: Vec<Value> = ids
            .iter()
            .map(|id| {
                serde_json::json!({
                    "id": id,
                    "repository": format!("file:///var/lib/bitbuilder/git/{id}.git"),
                    "allow": { "publish": ["tcp/8000-8099"], "networks": ["isolated-bridge"] },
                })
            })
            .collect();
        let registry = serde_json::json!({ "tenants": tenants });
        self.write("tenants/registry.json", &registry.to_string());
    }

    /// Writes a file.
    pub(crate) fn write(&self, path: &str, content: &str) -> &Self {
        let file = self.0.path().join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, content).unwrap();
        self
    }

    /// Removes a file or directory.
    pub(crate) fn remove(&self, path: &str) {
        let path = self.0.path().join(path);
        if path.is_dir() {
            fs::remove_dir_all(path).unwrap();
        } else {
            fs::remove_file(path).unwrap();
        }
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }
}

/// A container that runs `script` with `/bin/sh` and more lines of configuration.
pub(crate) fn command(script: &str, more: &str) -> String {
    format!(
        "image: {{ template: tenant-container }}\ncommand: [/bin/sh, -c, {}]\n{more}",
        serde_json::to_string(script).unwrap()
    )
}

/// A container with its own systemd.
pub(crate) fn booted(more: &str) -> String {
    format!("image: {{ template: tenant-container }}\nboot: true\n{more}")
}

/// `bbctl status ID --json`.
pub(crate) fn status(host: &TestHost, id: &str) -> Value {
    let text = host.exec_ok(["bbctl", "status", "--json"]);
    let status: Value = serde_json::from_str(&text).unwrap();
    let tenants = status["tenants"].as_array().unwrap();
    let tenant = tenants.iter().find(|tenant| tenant["id"] == id);
    tenant
        .unwrap_or_else(|| panic!("no {id} in {text}"))
        .clone()
}

/// Waits until `id` is Healthy.
pub(crate) fn wait_healthy(host: &TestHost, id: &str) {
    host.wait_for(&format!("{id} is Healthy"), || {
        status(host, id)["health"] == "Healthy"
    });
}

/// Number of the current generation.
pub(crate) fn generation(host: &TestHost, id: &str) -> u64 {
    let target = host.exec_ok(["readlink", &format!("/var/lib/tenants/{id}/current")]);
    let number = target.trim().strip_prefix("generations/").unwrap();
    number.parse().unwrap()
}

/// Invocation id of a machine's unit: another one after each start.
pub(crate) fn invocation(host: &TestHost, machine: &str) -> String {
    let unit = format!("systemd-nspawn@{machine}.service");
    host.exec_ok([
        "systemctl",
        "show",
        "--property=InvocationID",
        "--value",
        &unit,
    ])
}

/// A shell script of root in a booted container.
pub(crate) fn inside(host: &TestHost, machine: &str, script: &str) -> Output {
    let machine = format!("--machine={machine}");
    let run = ["systemd-run", "--quiet", "--pipe", "--wait", "--collect"];
    let run = run
        .into_iter()
        .chain([machine.as_str(), "/bin/sh", "-c", script]);
    host.exec(run)
}

/// The same, which must succeed; returns what it printed.
#[track_caller]
pub(crate) fn works(host: &TestHost, machine: &str, script: &str) -> String {
    let output = inside(host, machine, script);
    assert!(
        output.status.success(),
        "{machine}: `{script}` must work: {output:?}"
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A path in the writable layer of a container, as the host sees it.
pub(crate) fn upper(id: &str, container: &str, path: &str) -> String {
    format!("/var/lib/tenants/{id}/containers/{container}/upper/{path}")
}

/// An example of this repository.
pub(crate) fn example(name: &str) -> PathBuf {
    bitbuilder_itest::repository().join("examples").join(name)
}
