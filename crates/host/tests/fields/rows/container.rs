//! `containers/*/config.yaml`.

use super::{Row, row};
use serde_json::json;

const DB: &str = "containers/db/config.yaml";
const WEB: &str = "containers/web/config.yaml";

pub(super) fn rows() -> Vec<Row> {
    let row = |field| row("container", field);
    let web = |field, pointer, value| row(field).set(WEB, pointer, value);
    let image = |field, image| row(field).set(WEB, "/image", image);
    let check = |field, value| {
        let row = row(field).unset(WEB, "/health/http");
        row.set(
            WEB,
            &["/health/", field.strip_prefix("health.").unwrap()]
                .concat()
                .leak()[..],
            value,
        )
    };
    vec![
        image("image.template", json!({ "template": "second" })),
        image(
            "image.url",
            json!({ "url": "https://images.example/a.tar.xz", "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08" }),
        ),
        image(
            "image.sha256",
            json!({ "url": "https://images.example/a.tar.xz", "sha256": "0f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08" }),
        ),
        image(
            "image.oci",
            json!({ "oci": "registry.example/team/job:1.2" }),
        ),
        image("image.path", json!({ "path": "image" }))
            .write("containers/web/image/etc/os-release", "ID=x\n"),
        image("image.ddi", json!({ "ddi": "disk.raw" })).write("containers/web/disk.raw", "raw\n"),
        image(
            "image.verify",
            json!({ "template": "tenant-container", "verify": "voa" }),
        ),
        row("boot")
            .unset(DB, "/boot")
            .set(DB, "/command", json!(["/bin/db"])),
        web("command", "/command", json!(["/usr/bin/server"])),
        web("env.*", "/env/COLOR", json!("blue")),
        web("user", "/user", json!("daemon")),
        web("workdir", "/workdir", json!("/var")),
        web("resources.cpu", "/resources/cpu", json!(0.5)),
        web("resources.memory", "/resources/memory", json!("256M")),
        web("resources.tasks", "/resources/tasks", json!(100)),
        web("resources.storage", "/resources/storage", json!("1G"))
            .says("limit-not-enforced", "storage"),
        web(
            "networks[].network",
            "/networks",
            json!([
                { "network": "default", "address": "10.64.50.20/24", "mac": "02:00:00:00:00:0a" },
            ]),
        ),
        web(
            "networks[].address",
            "/networks/0/address",
            json!("10.64.50.21"),
        )
        .case("(a command)"),
        row("networks[].address").case("(by DHCP)").set(
            DB,
            "/networks/0/address",
            json!("10.64.50.31"),
        ),
        web(
            "networks[].mac",
            "/networks/0/mac",
            json!("02:00:00:00:00:0b"),
        ),
        web("networks[].bandwidth", "/networks/0/bandwidth", json!(100)),
        web("volumes[].name", "/volumes/0/name", json!("moved")),
        web("volumes[].mount", "/volumes/0/mount", json!("/srv/data")),
        web("volumes[].readOnly", "/volumes/0/readOnly", json!(true)),
        web("volumes[].size", "/volumes/0/size", json!("10G"))
            .says("limit-not-enforced", "storage"),
        web(
            "credentials.*.encrypted",
            "/credentials/token/encrypted",
            json!("other.cred"),
        ),
        web("extensions", "/extensions", json!(["tools"])),
        web("dependsOn", "/dependsOn", json!(["db"])),
        web("restart", "/restart", json!("no")),
        web("autostart", "/autostart", json!(false)),
        check("health.script", json!("check.sh")),
        check("health.command", json!(["/bin/true"])),
        check("health.tcp", json!(80)),
        web("health.http.port", "/health/http/port", json!(81)),
        web("health.http.path", "/health/http/path", json!("/up")),
        web("health.interval", "/health/interval", json!("7s")),
        web("health.timeout", "/health/timeout", json!("3s")),
        web("health.retries", "/health/retries", json!(5)),
        web("health.startPeriod", "/health/startPeriod", json!("9s")),
        web("privateUsers", "/privateUsers", json!(true)).elsewhere("nothing: it is always `true`"),
        web("capabilities", "/capabilities", json!(["CAP_LEASE"])),
        web("readOnly", "/readOnly", json!(true)),
    ]
}
