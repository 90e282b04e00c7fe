//! The documents that are changed.

use super::key;
use crate::world::{File, Files};
use serde_json::{Value, json};

/// What `systemd-creds encrypt` prints.
pub(super) const CIPHERTEXTS: [&str; 3] = [
    "WhQZht+JQJax1aZemmGLxmAAAAEAAAABAAAADAAAABAAAABuwB7BqJKw7oXaHZkAAAAAV2hRWmh0K0pR\nSmF4MWFaZW1tR0x4\n",
    "WhQZht+JQJax1aZemmGLxmAAAAEAAAABAAAADAAAABAAAABuwB7BqJKw7oXaHZkAAAAAV2hRWmh0K0pR\nSmF4MWFaZW1tR0x5\n",
    "WhQZht+JQJax1aZemmGLxmAAAAEAAAABAAAADAAAABAAAABuwB7BqJKw7oXaHZkAAAAAV2hRWmh0K0pR\nSmF4MWFaZW1tR0x6\n",
];

/// A tenant with some of everything, one beside it, and the operator's documents; `url` knows where repositories are.
pub(crate) fn base(url: &dyn Fn(&str) -> String) -> Files {
    let mut files = Files::new();
    let mut document = |path: &str, value: Value| {
        files.insert(key(path), File::Document(value));
    };
    document("tenants/registry.json", registry(url));
    let pools = json!({ "trunks": ["eno1", "eno2"] });
    document(".gitops/config.yaml", json!({ "pools": pools }));
    document("metadata.json", metadata());
    document("containers/web/config.yaml", web());
    document("containers/db/config.yaml", db());
    document("machines/router/config.yaml", router());
    document("network/topology.yaml", topology());
    document("network/firewall/10-shop.yaml", firewall());
    document("network/wireguard/office.yaml", wireguard());
    document(
        "infrastructure/config.yaml",
        json!({ "manager": "container" }),
    );
    document(
        "infrastructure/resource-limits.yaml",
        json!({ "workloads": { "web": { "cpu": 1.5, "memory": "1G", "tasks": 1000, "storage": "5G" } } }),
    );
    document("users/ada/homed-config.json", json!({ "userName": "ada" }));
    document(
        "/usr/lib/bitbuilder/templates/tenant-container/metadata.json",
        template(),
    );
    let mut second = template();
    second["template"]["name"] = json!("second");
    document("/usr/lib/bitbuilder/templates/second/metadata.json", second);
    let mut machine = template();
    machine["template"]["type"] = json!("machine");
    machine["template"]["name"] = json!("second-machine");
    document(
        "/usr/lib/bitbuilder/templates/second-machine/metadata.json",
        machine,
    );
    let digest = format!("sha256:{}\n", "5ec0".repeat(16));
    let machine_digest = format!("sha256:{}\n", "5ec1".repeat(16));
    for (path, text) in [
        (
            "/usr/lib/bitbuilder/templates/second/digest",
            digest.as_str(),
        ),
        (
            "/usr/lib/bitbuilder/templates/second/rootfs/usr/lib/os-release",
            "ID=second\n",
        ),
        (
            "/usr/lib/bitbuilder/templates/second-machine/digest",
            machine_digest.as_str(),
        ),
        (
            "/usr/lib/bitbuilder/templates/second-machine/disk.raw",
            "disk",
        ),
        (
            "/usr/lib/bitbuilder/templates/second-machine/kernel",
            "kernel",
        ),
        (
            "/usr/lib/bitbuilder/templates/second-machine/initrd",
            "initrd",
        ),
        ("containers/web/token.cred", CIPHERTEXTS[0]),
        ("containers/web/other.cred", CIPHERTEXTS[1]),
        ("containers/web/rootfs-overlay/etc/motd", "hello\n"),
        ("containers/web/check.sh", "exit 0\n"),
        ("machines/router/disk.raw", "raw\n"),
        ("machines/router/vmlinuz", "kernel\n"),
        ("machines/router/token.cred", CIPHERTEXTS[0]),
    ] {
        files.insert(key(path), File::Text(text.to_owned()));
    }
    let other = json!({ "tenant": { "id": "other", "type": "container", "enabled": true } });
    files.insert(
        ("other".to_owned(), "metadata.json".to_owned()),
        File::Document(other),
    );
    files
}

fn registry(url: &dyn Fn(&str) -> String) -> Value {
    json!({ "tenants": [
        {
            "id": "shop", "name": "Shop", "repository": url("shop"), "ref": "main", "enabled": true,
            "limits": { "cpu": 4, "memory": "8G", "storage": "50G", "tasks": 4096, "machines": 8, "containers": 32,
                "networks": 16, "addresses": 64, "connections": 500, "bandwidth": 1000 },
            "allow": {
                "machines": true, "containers": true, "portable": true, "users": true, "hooks": true,
                "publish": ["tcp/8000-8099"],
                "networks": ["isolated-bridge", "private", "wireguard", "vxlan", "vlan", "none"],
            },
        },
        { "id": "other", "repository": url("other") },
    ] })
}

fn metadata() -> Value {
    json!({
        "tenant": { "id": "shop", "name": "Shop", "type": "mixed", "enabled": true, "description": "A shop." },
        "resources": { "cpu": 3, "memory": "6G", "storage": "40G", "tasks": 2048 },
        "network": { "mode": "isolated-bridge", "interfaces": [
            { "name": "eth0", "type": "bridge", "bridge": "br-shop" },
        ] },
        "security": { "isolation": "namespace" },
    })
}

fn web() -> Value {
    json!({
        "image": { "template": "tenant-container" },
        "command": ["/usr/bin/server", "--port", "80"],
        "env": { "COLOR": "red" },
        "user": "www-data",
        "workdir": "/srv",
        "resources": { "cpu": 1, "memory": "512M", "tasks": 500, "storage": "2G" },
        "networks": [
            { "network": "default", "address": "10.64.50.20/24", "mac": "02:00:00:00:00:0a" },
            { "network": "back" },
        ],
        "volumes": [{ "name": "data", "mount": "/data" }],
        "credentials": { "token": { "encrypted": "token.cred" } },
        "restart": "always",
        "health": {
            "http": { "port": 80, "path": "/" },
            "interval": "10s", "timeout": "2s", "retries": 3, "startPeriod": "5s",
        },
        "capabilities": ["CAP_IPC_LOCK"],
    })
}

fn db() -> Value {
    json!({
        "boot": true,
        "networks": [{ "network": "default", "address": "10.64.50.30" }],
        "health": { "tcp": 5432, "interval": "20s" },
    })
}

fn router() -> Value {
    json!({
        "image": { "template": "tenant-machine" },
        "resources": { "cpu": 1, "memory": "1G" },
        "disk": { "size": "10G", "format": "raw" },
    })
}

/// What rules name by its line comes before what is changed: a line more would change their comments.
fn topology() -> Value {
    json!({
        "publish": [{ "port": 8080, "protocol": "tcp", "to": "web", "toPort": 80 }],
        "peering": [{ "tenant": "other", "network": "default" }],
        "networks": {
            "default": { "mode": "isolated-bridge", "subnet": "10.64.50.0/24" },
            "back": { "mode": "isolated-bridge" },
            "office": { "mode": "wireguard", "peers": [{
                "name": "laptop", "publicKey": "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=",
                "allowedIPs": ["10.99.0.2/32"], "endpoint": "vpn.example:51820", "keepalive": "25s",
            }] },
            "wide": { "mode": "vxlan", "group": "239.1.1.1", "parent": "eno1" },
            "legacy": { "mode": "vlan", "id": 1100, "parent": "eno2" },
        },
    })
}

fn firewall() -> Value {
    json!({ "rules": [
        { "from": "web", "to": "db", "protocol": "tcp", "ports": [5432], "action": "accept" },
        { "from": "any", "to": "db", "action": "drop" },
    ] })
}

fn wireguard() -> Value {
    json!({ "network": "office", "peers": [{
        "name": "phone", "publicKey": "HIgo9xNzJMWLKASShiTqIybxZ0U3wGLiUeJ1PKf8ykw=",
        "allowedIPs": ["10.99.0.3/32"], "endpoint": "vpn.example:51821", "keepalive": "25s",
    }] })
}

fn template() -> Value {
    let shipped = include_str!("../../../../../templates/tenant-container/metadata.json");
    serde_json::from_str(shipped).unwrap()
}
