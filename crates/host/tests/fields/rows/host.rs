//! What operators write: the registry, the policy, and the templates on a host.

use super::{Edit, Row, row};
use serde_json::{Value, json};

const REGISTRY: &str = "tenants/registry.json";
const POLICY: &str = ".gitops/config.yaml";
const TEMPLATE: &str = "/usr/lib/bitbuilder/templates/tenant-container/metadata.json";
const SIGNERS: [&str; 2] = [
    "SHA256:4uOHXjhAPRnJ4aC0IZ6jJYmbY0j0UOaHbTzgLcqEyQM",
    "SHA256:5uOHXjhAPRnJ4aC0IZ6jJYmbY0j0UOaHbTzgLcqEyQM",
];
const WEB: &str = "containers/web/config.yaml";

pub(super) fn rows() -> Vec<Row> {
    [
        registry(),
        access(),
        webhooks(),
        allow(),
        policy(),
        template(),
    ]
    .concat()
}

fn registry() -> Vec<Row> {
    let set = |field, pointer, value| row("registry", field).set(REGISTRY, pointer, value);
    let copied = |field, pointer, value| {
        set(field, pointer, value).elsewhere("the commit that it leads to is deployed")
    };
    vec![
        set("tenants[].id", "/tenants/1/id", json!("another")).set(
            "other:metadata.json",
            "/tenant/id",
            json!("another"),
        ),
        set("tenants[].name", "/tenants/0/name", json!("The shop"))
            .elsewhere("nothing: a name for people"),
        copied(
            "tenants[].repository",
            "/tenants/1/repository",
            json!("file:///var/lib/bitbuilder/git/other.git"),
        ),
        copied("tenants[].ref", "/tenants/0/ref", json!("refs/heads/main")),
        set("tenants[].enabled", "/tenants/1/enabled", json!(false)),
        set("tenants[].limits.cpu", "/tenants/0/limits/cpu", json!(2)),
        set(
            "tenants[].limits.memory",
            "/tenants/0/limits/memory",
            json!("4G"),
        ),
        set(
            "tenants[].limits.tasks",
            "/tenants/0/limits/tasks",
            json!(1500),
        ),
        set(
            "tenants[].limits.storage",
            "/tenants/0/limits/storage",
            json!("45G"),
        )
        .says("limit-not-enforced", "storage"),
        set(
            "tenants[].limits.machines",
            "/tenants/0/limits/machines",
            json!(0),
        ),
        set(
            "tenants[].limits.containers",
            "/tenants/0/limits/containers",
            json!(1),
        ),
        set(
            "tenants[].limits.networks",
            "/tenants/0/limits/networks",
            json!(1),
        ),
        set(
            "tenants[].limits.addresses",
            "/tenants/0/limits/addresses",
            json!(1),
        ),
        set(
            "tenants[].limits.connections",
            "/tenants/0/limits/connections",
            json!(100),
        ),
        set(
            "tenants[].limits.bandwidth",
            "/tenants/0/limits/bandwidth",
            json!(100),
        ),
        set(
            "tenants[].verify.commits",
            "/tenants/0/verify",
            json!({ "commits": "warn", "signers": [SIGNERS[0]] }),
        )
        .says("unsigned", "is not signed"),
        set(
            "tenants[].verify.signers",
            "/tenants/0/verify/signers",
            json!([SIGNERS[1]]),
        )
        .first(
            REGISTRY,
            "/tenants/0/verify",
            json!({ "commits": "warn", "signers": [SIGNERS[0]] }),
        )
        .says("unsigned", "is not signed"),
        set(
            "tenants[].placement",
            "/tenants/1/placement",
            json!(["zone=eu*"]),
        ),
    ]
}

/// What opens the repository of a tenant that no pass asks for.
fn access() -> Vec<Row> {
    let with = |field, url, key, value: &str| {
        let tenant = json!({ "id": "far", "repository": url });
        let mut row = row("registry", field).first(REGISTRY, "/tenants/2", tenant);
        let suspended = r#"{ "format": 1, "suspended": { "since": 1, "reason": "it is far" } }"#;
        let state = super::File::Text(suspended.to_owned());
        row.before
            .push(Edit::Write("/var/lib/tenants/far/state.json", state));
        for file in ["access/key", "access/hosts", "access/ca.pem"] {
            let text = super::File::Text(access_file(file));
            row.before.push(Edit::Write(file, text));
        }
        let pointer = match key {
            "sshKey" => "/tenants/2/access/sshKey/encrypted",
            "token" => "/tenants/2/access/token/encrypted",
            "knownHosts" => "/tenants/2/access/knownHosts",
            _ => "/tenants/2/access/ca",
        };
        row.set(REGISTRY, pointer, json!(value))
            .elsewhere("the next fetch uses it")
    };
    let (ssh, https) = ("git@git.example:far.git", "https://git.example/far.git");
    vec![
        with(
            "tenants[].access.sshKey.encrypted",
            ssh,
            "sshKey",
            "access/key",
        ),
        with(
            "tenants[].access.knownHosts",
            ssh,
            "knownHosts",
            "access/hosts",
        ),
        with(
            "tenants[].access.token.encrypted",
            https,
            "token",
            "access/key",
        ),
        with("tenants[].access.ca", https, "ca", "access/ca.pem"),
    ]
}

/// Deliveries of forges.
fn webhooks() -> Vec<Row> {
    let set = |document, field, path, pointer, value: Value| {
        row(document, field)
            .set(path, pointer, value)
            .write("access/forge", &access_file("access/key"))
            .elsewhere("`bitbuilder-webhook.socket` and its service follow it")
    };
    let port = json!({ "port": 8088 });
    vec![
        set("policy", "webhooks.port", POLICY, "/webhooks", port.clone()),
        set(
            "policy",
            "webhooks.address",
            POLICY,
            "/webhooks/address",
            json!("::1"),
        )
        .first(POLICY, "/webhooks", port.clone()),
        set(
            "policy",
            "webhooks.secret.encrypted",
            POLICY,
            "/webhooks/secret",
            json!({ "encrypted": "access/forge" }),
        )
        .first(POLICY, "/webhooks", port.clone()),
        set(
            "registry",
            "tenants[].webhook.encrypted",
            REGISTRY,
            "/tenants/0/webhook",
            json!({ "encrypted": "access/forge" }),
        )
        .first(POLICY, "/webhooks", port),
    ]
}

fn access_file(path: &str) -> String {
    match path {
        "access/key" => "QUJD".repeat(32),
        "access/hosts" => "git.example ssh-ed25519 AAAA\n".to_owned(),
        _ => "-----BEGIN CERTIFICATE-----\n".to_owned(),
    }
}

fn allow() -> Vec<Row> {
    let forbid = |field, pointer| row("registry", field).set(REGISTRY, pointer, json!(false));
    let with = |mut row: Row, path, text: &str| {
        let text = super::File::Text(text.to_owned());
        row.before.push(Edit::Write(path, text));
        row
    };
    vec![
        forbid("tenants[].allow.machines", "/tenants/0/allow/machines"),
        forbid("tenants[].allow.containers", "/tenants/0/allow/containers"),
        with(
            forbid("tenants[].allow.portable", "/tenants/0/allow/portable"),
            "services/exporter.portable.raw",
            "raw\n",
        ),
        forbid("tenants[].allow.users", "/tenants/0/allow/users"),
        with(
            forbid("tenants[].allow.hooks", "/tenants/0/allow/hooks"),
            "scripts/post-provision.sh",
            "exit 0\n",
        ),
        row("registry", "tenants[].allow.publish").set(
            REGISTRY,
            "/tenants/0/allow/publish",
            json!(["tcp/9000"]),
        ),
        row("registry", "tenants[].allow.networks").set(
            REGISTRY,
            "/tenants/0/allow/networks",
            json!(["isolated-bridge"]),
        ),
    ]
}

fn policy() -> Vec<Row> {
    let set = |field, pointer, value: Value| row("policy", field).set(POLICY, pointer, value);
    let fresh = "new allocations are made from it";
    let told = "what happens next is told so";
    let hook = json!([{ "webhook": "https://hooks.example/a", "secret": "hooks" }]);
    let judged = "the next commits of the system repository are judged by it";
    let warn = json!({ "commits": "warn", "signers": [SIGNERS[0]] });
    vec![
        set("sync.interval", "/sync/interval", json!("1min"))
            .elsewhere("`bitbuilder-sync.timer` follows it"),
        set("sync.jitter", "/sync/jitter", json!("1min"))
            .elsewhere("`bitbuilder-sync.timer` follows it"),
        set("sync.timeout", "/sync/timeout", json!("1min")).elsewhere("the next fetch keeps to it"),
        set(
            "verify.commits",
            "/verify",
            json!({ "commits": "warn", "signers": [SIGNERS[0]] }),
        )
        .says("unsigned", "is not signed"),
        set("verify.signers", "/verify/signers", json!([SIGNERS[1]]))
            .first(
                POLICY,
                "/verify",
                json!({ "commits": "warn", "signers": [SIGNERS[0]] }),
            )
            .says("unsigned", "is not signed"),
        set("verify.system.commits", "/verify/system", warn.clone()).elsewhere(judged),
        set(
            "verify.system.signers",
            "/verify/system/signers",
            json!([SIGNERS[1]]),
        )
        .first(POLICY, "/verify/system", warn)
        .elsewhere(judged),
        set("pools.ipv4", "/pools/ipv4", json!("10.128.0.0/9")),
        set("pools.ipv6", "/pools/ipv6", json!("fd12:3456::/32")).elsewhere(fresh),
        set("pools.vni", "/pools/vni", json!("100000-199999")).elsewhere(fresh),
        set("pools.vlan", "/pools/vlan", json!("2000-2999")),
        set("pools.wireguard", "/pools/wireguard", json!("50000-50999")).elsewhere(fresh),
        set("pools.trunks", "/pools/trunks", json!(["eno1"])),
        set("storage.quota", "/storage/quota", json!("btrfs"))
            .says("not-available", "storage.quota"),
        set("storage.encrypt", "/storage/encrypt", json!(true)),
        set("retention.generations", "/retention/generations", json!(20))
            .elsewhere("older generations go after the next change"),
        set(
            "retention.removedTenants",
            "/retention/removedTenants",
            json!("2w"),
        )
        .elsewhere("data of removed tenants goes after it"),
        set(
            "notifications[].webhook",
            "/notifications/0/webhook",
            json!("https://hooks.example/b"),
        )
        .first(POLICY, "/notifications", hook.clone())
        .elsewhere(told),
        set(
            "notifications[].secret",
            "/notifications/0/secret",
            json!("others"),
        )
        .first(POLICY, "/notifications", hook.clone())
        .elsewhere(told),
        set(
            "notifications[].command",
            "/notifications",
            json!([{ "command": "pager" }]),
        )
        .elsewhere(told),
        set(
            "notifications[].events",
            "/notifications/0/events",
            json!(["refused"]),
        )
        .first(POLICY, "/notifications", hook)
        .elsewhere(told),
        set(
            "templates.*.repository",
            "/templates/php/repository",
            json!("https://git.example/b.git"),
        )
        .first(
            POLICY,
            "/templates",
            json!({ "php": { "repository": "https://git.example/a.git" } }),
        )
        .says("not-available", "templates"),
        set("templates.*.ref", "/templates/php/ref", json!("v2"))
            .first(
                POLICY,
                "/templates",
                json!({ "php": { "repository": "https://git.example/a.git" } }),
            )
            .says("not-available", "templates"),
        set("hooks.timeout", "/hooks/timeout", json!("30s")).says("not-available", "hooks.timeout"),
        set("health.window", "/health/window", json!("10min"))
            .elsewhere("the window of the next change is as long"),
        set("health.tries", "/health/tries", json!(3))
            .elsewhere("the next change has as many tries"),
        set("health.degraded", "/health/degraded", json!("rollback"))
            .elsewhere("what fails long after its window goes back as well"),
        set("health.trial", "/health/trial", json!("30min"))
            .elsewhere("the next commit of a branch `testing-<host>` is tried as long"),
        set("drift.policy", "/drift/policy", json!("repair"))
            .elsewhere("the next pass that finds drift puts it right"),
    ]
}

/// Files of the host itself; what they say counts from the next pass on.
fn template() -> Vec<Row> {
    let set = |field, pointer, value: Value| row("template", field).set(TEMPLATE, pointer, value);
    let label =
        |row: Row| row.elsewhere("nothing on a host: `bbctl template validate` looks at it");
    // One who says nothing gets the defaults.
    let default = |row: Row| {
        let mut row = row;
        row.before.push(Edit::Unset(WEB, "/resources"));
        row.before
            .push(Edit::Delete("infrastructure/resource-limits.yaml"));
        row
    };
    vec![
        set("template.name", "/template/name", json!("else")),
        set("template.type", "/template/type", json!("machine")),
        label(set("template.version", "/template/version", json!("9.9"))),
        label(set(
            "requirements.systemd_version",
            "/requirements/systemd_version",
            json!(">=259"),
        )),
        label(set(
            "requirements.kernel",
            "/requirements/kernel",
            json!(">=6.1"),
        )),
        label(set(
            "requirements.features",
            "/requirements/features",
            json!(["cgroups-v2"]),
        )),
        default(set(
            "defaults.resources.cpu",
            "/defaults/resources/cpu",
            json!(0.7),
        )),
        default(set(
            "defaults.resources.memory",
            "/defaults/resources/memory",
            json!("300M"),
        )),
        default(set(
            "defaults.resources.tasks",
            "/defaults/resources/tasks",
            json!(77),
        )),
        label(set(
            "defaults.resources.storage",
            "/defaults/resources/storage",
            json!("3G"),
        )),
        label(set(
            "defaults.network.mode",
            "/defaults/network/mode",
            json!("isolated-bridge"),
        )),
        label(set(
            "defaults.network.management_interface",
            "/defaults/network/management_interface",
            json!(true),
        )),
    ]
}
