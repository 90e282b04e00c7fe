//! `machines/*/config.yaml`.

use super::{Row, row};
use serde_json::{Value, json};

const FILE: &str = "machines/router/config.yaml";

pub(super) fn rows() -> Vec<Row> {
    let set = |field, pointer, value: Value| row("machine", field).set(FILE, pointer, value);
    let image = |field, value| set(field, "/image", value);
    let command = |row: Row| row.set(FILE, "/command", json!(["/bin/server"]));
    let health = |field, value| set(field, "/health", value);
    vec![
        image("image.template", json!({ "template": "second-machine" }))
            .says("disk-kept", "`router`"),
        image(
            "image.url",
            json!({ "url": "https://images.example/a.raw", "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08" }),
        ),
        image(
            "image.sha256",
            json!({ "url": "https://images.example/a.raw", "sha256": "0f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08" }),
        ),
        image(
            "image.oci",
            json!({ "oci": "registry.example/team/job:1.2" }),
        ),
        image("image.path", json!({ "path": "disk.raw" })),
        image("image.ddi", json!({ "ddi": "other.raw" }))
            .write("machines/router/other.raw", "raw\n"),
        set("image.verify", "/image/verify", json!("voa")),
        row("machine", "boot").set(FILE, "/boot", json!(false)).set(
            FILE,
            "/command",
            json!(["/bin/server"]),
        ),
        set("command", "/command", json!(["/bin/server"])),
        set("env.*", "/env/COLOR", json!("blue")),
        command(set("user", "/user", json!("daemon"))),
        command(set("workdir", "/workdir", json!("/srv"))),
        set("resources.cpu", "/resources/cpu", json!(2)),
        set("resources.memory", "/resources/memory", json!("2G")),
        set("resources.storage", "/resources/storage", json!("2G")),
        set("resources.tasks", "/resources/tasks", json!(100)),
        set("networks[].network", "/networks/0/network", json!("back")).first(
            FILE,
            "/networks",
            json!([{ "network": "default" }]),
        ),
        set(
            "networks[].address",
            "/networks/0/address",
            json!("10.64.50.40"),
        )
        .first(FILE, "/networks", json!([{ "network": "default" }])),
        set(
            "networks[].mac",
            "/networks/0/mac",
            json!("02:00:00:00:00:0c"),
        )
        .first(FILE, "/networks", json!([{ "network": "default" }])),
        set("networks[].bandwidth", "/networks/0/bandwidth", json!(100)).first(
            FILE,
            "/networks",
            json!([{ "network": "default" }]),
        ),
        set(
            "volumes[].name",
            "/volumes",
            json!([{ "name": "moved", "mount": "/data" }]),
        ),
        set(
            "volumes[].mount",
            "/volumes",
            json!([{ "name": "data", "mount": "/srv" }]),
        ),
        set(
            "volumes[].size",
            "/volumes",
            json!([{ "name": "data", "mount": "/data", "size": "1G" }]),
        ),
        set(
            "volumes[].readOnly",
            "/volumes",
            json!([{ "name": "data", "mount": "/data", "readOnly": true }]),
        ),
        set(
            "credentials.*.encrypted",
            "/credentials/token/encrypted",
            json!("token.cred"),
        ),
        set("extensions", "/extensions", json!(["tools"])),
        set("dependsOn", "/dependsOn", json!(["db"])),
        set("restart", "/restart", json!("no")),
        set("autostart", "/autostart", json!(false)),
        health(
            "health.script",
            json!({ "script": "machines/router/vmlinuz" }),
        ),
        health("health.command", json!({ "command": ["/bin/true"] })),
        health("health.tcp", json!({ "tcp": 22 })),
        health("health.http.port", json!({ "http": { "port": 80 } })),
        health(
            "health.http.path",
            json!({ "http": { "port": 80, "path": "/up" } }),
        ),
        health("health.interval", json!({ "tcp": 22, "interval": "7s" })),
        health("health.timeout", json!({ "tcp": 22, "timeout": "3s" })),
        health("health.retries", json!({ "tcp": 22, "retries": 5 })),
        health(
            "health.startPeriod",
            json!({ "tcp": 22, "startPeriod": "9s" }),
        ),
        set("firmware", "/firmware", json!("uefi")),
        set("secureBoot", "/secureBoot", json!(true)),
        set("tpm", "/tpm", json!(true)),
        set("kvm", "/kvm", json!("auto"))
            .first(FILE, "/kvm", json!("no"))
            .says("emulated", "`router`"),
        set("kernel", "/kernel", json!("vmlinuz")).set(FILE, "/firmware", json!("none")),
        set("initrd", "/initrd", json!("vmlinuz"))
            .set(FILE, "/firmware", json!("none"))
            .set(FILE, "/kernel", json!("vmlinuz")),
        set("cmdline", "/cmdline", json!("quiet")),
        set("disk.size", "/disk/size", json!("20G")),
        set("disk.format", "/disk/format", json!("qcow2")),
        set("ephemeral", "/ephemeral", json!(true)),
    ]
}
