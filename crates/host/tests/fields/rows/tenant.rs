//! `metadata.json`, `infrastructure/`, and the files that have no schema.

use super::{Row, row};
use serde_json::{Value, json};

const FILE: &str = "metadata.json";
const LIMITS: &str = "infrastructure/resource-limits.yaml";

pub(super) fn rows() -> Vec<Row> {
    [metadata(), infrastructure(), limits(), files()].concat()
}

fn metadata() -> Vec<Row> {
    let row = |field| row("metadata", field);
    let set = |field, pointer, value| row(field).set(FILE, pointer, value);
    let second = json!({ "name": "eth1", "type": "bridge", "bridge": "br-shop-eth1" });
    // Without workloads and a topology of its own a tenant is what `metadata.json` says.
    let plain = |mut row: Row| {
        for path in PLAIN {
            row = row.first_delete(path);
        }
        row.first(FILE, "/tenant/type", json!("container"))
    };
    vec![
        set("tenant.id", "/tenant/id", json!("shop2")),
        set("tenant.name", "/tenant/name", json!("The shop"))
            .elsewhere("nothing: a name for people"),
        set("tenant.description", "/tenant/description", json!("Ours."))
            .elsewhere("nothing: words for people"),
        plain(row("tenant.type")).set(FILE, "/tenant/type", json!("vm")),
        set("tenant.enabled", "/tenant/enabled", json!(false)),
        set("resources.cpu", "/resources/cpu", json!(2.5)),
        set("resources.memory", "/resources/memory", json!("5G")),
        set("resources.tasks", "/resources/tasks", json!(3000)),
        set("resources.storage", "/resources/storage", json!("30G"))
            .says("limit-not-enforced", "storage"),
        plain(row("network.mode")).set(FILE, "/network/mode", json!("none")),
        plain(row("network.interfaces[].name"))
            .first(FILE, "/network/interfaces/1", second.clone())
            .set(FILE, "/network/interfaces/1/name", json!("inner"))
            .sticks(),
        plain(row("network.interfaces[].type"))
            .first(FILE, "/network/interfaces", json!([{ "name": "eth0" }]))
            .set(FILE, "/network/interfaces/0/type", json!("bridge"))
            .elsewhere("nothing: it is always `bridge`"),
        set(
            "network.interfaces[].bridge",
            "/network/interfaces/0/bridge",
            json!("br-shop-x"),
        )
        .says("bridge-name", "br-shop-x"),
        set("extensions", "/extensions", json!(["tools"])).says("not-available", "`tools`"),
        set("services", "/services", json!(["exporter"])).says("not-available", "`exporter`"),
        set("security.isolation", "/security/isolation", json!("vm")),
        set(
            "security.capabilities",
            "/security/capabilities",
            json!(["CAP_CHOWN", "CAP_SYS_ADMIN"]),
        ),
        set(
            "security.systemCalls",
            "/security/systemCalls",
            json!(["@aio"]),
        ),
        set(
            "security.encryptStorage",
            "/security/encryptStorage",
            json!(true),
        ),
    ]
}

/// What a tenant that is only `metadata.json` does not have.
const PLAIN: &[&str] = &[
    "containers/web/config.yaml",
    "containers/web/token.cred",
    "containers/web/other.cred",
    "containers/web/rootfs-overlay/etc/motd",
    "containers/web/check.sh",
    "containers/db/config.yaml",
    "machines/router/config.yaml",
    "machines/router/disk.raw",
    "machines/router/vmlinuz",
    "machines/router/token.cred",
    "network/topology.yaml",
    "network/firewall/10-shop.yaml",
    "network/wireguard/office.yaml",
    "infrastructure/config.yaml",
    "infrastructure/resource-limits.yaml",
];

fn infrastructure() -> Vec<Row> {
    let set = |field, pointer, value: Value| {
        let row = row("infrastructure", field);
        row.set("infrastructure/config.yaml", pointer, value)
            .says("not-available", "infrastructure manager")
    };
    vec![
        set("manager", "/manager", json!("vm")),
        set("resources.cpu", "/resources/cpu", json!(0.5)),
        set("resources.memory", "/resources/memory", json!("128M")),
        set("resources.storage", "/resources/storage", json!("1G")),
        set("resources.tasks", "/resources/tasks", json!(64)),
        set("sync", "/sync", json!("5min")),
    ]
}

fn limits() -> Vec<Row> {
    let set = |field, pointer, value| row("resource-limits", field).set(LIMITS, pointer, value);
    vec![
        set("workloads.*.cpu", "/workloads/web/cpu", json!(0.5)),
        set("workloads.*.memory", "/workloads/web/memory", json!("128M")),
        set("workloads.*.tasks", "/workloads/web/tasks", json!(64)),
        set("workloads.*.storage", "/workloads/web/storage", json!("1G"))
            .says("limit-not-enforced", "storage"),
    ]
}

fn files() -> Vec<Row> {
    let file = |field, path, text| row("files", field).write(path, text);
    vec![
        file(
            "containers/*/ (a new one)",
            "containers/new/config.yaml",
            "boot: true\n",
        )
        .sticks(),
        {
            let row = row("files", "containers/*/ (removed)");
            let web = row
                .first("network/topology.yaml", "/publish", json!([]))
                .first("network/firewall/10-shop.yaml", "/rules", json!([]));
            delete(web, "containers/db/config.yaml")
        },
        file(
            "containers/*/rootfs-overlay/",
            "containers/web/rootfs-overlay/etc/motd",
            "bye\n",
        ),
        file(
            "containers/*/ (a credential)",
            "containers/web/token.cred",
            super::base::CIPHERTEXTS[2],
        ),
        {
            let row = row("files", "containers/*/ (the script of its check)");
            row.first(
                "containers/web/config.yaml",
                "/health",
                json!({ "script": "check.sh" }),
            )
            .write("containers/web/check.sh", "exit 1\n")
        },
        file(
            "machines/*/cloud-init/",
            "machines/router/cloud-init/user-data",
            "#cloud-config\n{}\n",
        ),
        file("scripts/", "scripts/post-provision.sh", "exit 0\n")
            .says("not-available", "lifecycle script"),
        file(
            "scripts/health-check.sh",
            "scripts/health-check.sh",
            "exit 0\n",
        )
        .says("unused", "health check"),
        file("services/", "services/exporter.portable.raw", "raw\n")
            .says("not-available", "portable service"),
        file("extensions/", "extensions/sysext/tools.sysext.raw", "raw\n")
            .says("not-available", "extension"),
        file("every other file", "docs/notes.md", "Notes.\n").elsewhere("nothing: nobody reads it"),
    ]
}

fn delete(mut row: Row, path: &'static str) -> Row {
    row.change.push(super::Edit::Delete(path));
    row
}
