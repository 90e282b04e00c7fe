//! `network/`.

use super::{Row, row};
use serde_json::{Value, json};

const FILE: &str = "network/topology.yaml";
const RULES: &str = "network/firewall/10-shop.yaml";
const PEERS: &str = "network/wireguard/office.yaml";
const KEY: &str = "gN65BkIKy1eCE9pP1wdc8ROUtkHLF2PfAqYdyYBz6EA=";
const SECRET: &str = "network/wireguard/office.psk";
/// What the simulated host takes for the ciphertext of a key.
const CIPHERTEXT: &str = "RnBDeWh3czljeHdXb1Y0eEVMdGZKdmpKTit6UVZSUElTbGxSV2dlb3BWRT0KCgoK";

pub(super) fn rows() -> Vec<Row> {
    [topology(), tunnels(), traffic(), firewall(), wireguard()].concat()
}

fn topology() -> Vec<Row> {
    let set = |field, pointer, value| row("topology", field).set(FILE, pointer, value);
    vec![
        set("networks.*.mode", "/networks/back/mode", json!("none")).first(
            "containers/web/config.yaml",
            "/networks",
            json!([{ "address": "10.64.50.20/24" }]),
        ),
        row("topology", "networks.*.subnet")
            .set(FILE, "/networks/default/subnet", json!("10.64.60.0/24"))
            .set(
                "containers/web/config.yaml",
                "/networks/0/address",
                json!("10.64.60.20/24"),
            )
            .set(
                "containers/db/config.yaml",
                "/networks/0/address",
                json!("10.64.60.30"),
            ),
        set("networks.*.ipv6", "/networks/default/ipv6", json!("off")),
        // A machine has no other way to its address.
        set("networks.*.dhcp", "/networks/default/dhcp", json!(false)).first(
            "machines/router/config.yaml",
            "/networks",
            json!([]),
        ),
        set("networks.*.dns", "/networks/default/dns", json!(false)),
        set("networks.*.nat", "/networks/default/nat", json!(true)),
        set("networks.*.id", "/networks/legacy/id", json!(1101)),
        set(
            "networks.*.gateway",
            "/networks/legacy/gateway",
            json!("10.64.70.1"),
        )
        .first(FILE, "/networks/legacy/subnet", json!("10.64.70.0/24")),
    ]
}

/// Of WireGuard and VXLAN.
fn tunnels() -> Vec<Row> {
    let set = |field, pointer, value| row("topology", field).set(FILE, pointer, value);
    vec![
        set(
            "networks.*.listenPort",
            "/networks/office/listenPort",
            json!(51900),
        )
        .first(FILE, "/networks/office/listenPort", json!(51901)),
        set(
            "networks.*.peers[].name",
            "/networks/office/peers/0/name",
            json!("tablet"),
        ),
        set(
            "networks.*.peers[].publicKey",
            "/networks/office/peers/0/publicKey",
            json!(KEY),
        ),
        set(
            "networks.*.peers[].endpoint",
            "/networks/office/peers/0/endpoint",
            json!("vpn.example:51900"),
        ),
        set(
            "networks.*.peers[].allowedIPs",
            "/networks/office/peers/0/allowedIPs",
            json!(["10.99.0.9/32"]),
        ),
        set(
            "networks.*.peers[].keepalive",
            "/networks/office/peers/0/keepalive",
            json!("50s"),
        ),
        set(
            "networks.*.peers[].presharedKey.encrypted",
            "/networks/office/peers/0/presharedKey",
            json!({ "encrypted": SECRET }),
        )
        .write(SECRET, CIPHERTEXT),
        set("networks.*.mtu", "/networks/wide/mtu", json!(1400)),
        set("networks.*.vni", "/networks/wide/vni", json!(1_050_000)).first(
            FILE,
            "/networks/wide/vni",
            json!(1_050_001),
        ),
        set(
            "networks.*.group",
            "/networks/wide/group",
            json!("239.1.1.2"),
        ),
        set(
            "networks.*.remotes",
            "/networks/wide/remotes",
            json!(["192.0.2.10"]),
        )
        .unset(FILE, "/networks/wide/group"),
        set("networks.*.parent", "/networks/wide/parent", json!("eno2")),
    ]
}

fn traffic() -> Vec<Row> {
    let set = |field, pointer, value| row("topology", field).set(FILE, pointer, value);
    let peering = |field, pointer, value| {
        set(field, pointer, value).says("peering-without-partner", "peering")
    };
    vec![
        set("publish[].port", "/publish/0/port", json!(8081)),
        set("publish[].protocol", "/publish/0/protocol", json!("udp")).first(
            "tenants/registry.json",
            "/tenants/0/allow/publish",
            json!(["tcp/8000-8099", "udp/8000-8099"]),
        ),
        set("publish[].to", "/publish/0/to", json!("db")),
        set("publish[].toPort", "/publish/0/toPort", json!(81)),
        peering("peering[].tenant", "/peering/0/tenant", json!("third")),
        peering("peering[].network", "/peering/0/network", json!("back")),
    ]
}

fn firewall() -> Vec<Row> {
    let set = |field, pointer, value| row("firewall", field).set(RULES, pointer, value);
    vec![
        set("rules[].from", "/rules/0/from", json!("any")),
        set("rules[].to", "/rules/0/to", json!("any")),
        set("rules[].protocol", "/rules/0/protocol", json!("udp")),
        set("rules[].ports", "/rules/0/ports", json!([5433])),
        set("rules[].action", "/rules/0/action", json!("reject")),
        set("rules[].log", "/rules/0/log", json!(true)),
    ]
}

fn wireguard() -> Vec<Row> {
    let set = |field, pointer, value: Value| row("wireguard", field).set(PEERS, pointer, value);
    vec![
        row("wireguard", "network")
            .first(FILE, "/networks/home", json!({ "mode": "wireguard" }))
            .set(PEERS, "/network", json!("home")),
        set("peers[].name", "/peers/0/name", json!("tablet")),
        set("peers[].publicKey", "/peers/0/publicKey", json!(KEY)),
        set(
            "peers[].endpoint",
            "/peers/0/endpoint",
            json!("vpn.example:51900"),
        ),
        set(
            "peers[].allowedIPs",
            "/peers/0/allowedIPs",
            json!(["10.99.0.9/32"]),
        ),
        set("peers[].keepalive", "/peers/0/keepalive", json!("50s")),
        set(
            "peers[].presharedKey.encrypted",
            "/peers/0/presharedKey",
            json!({ "encrypted": SECRET }),
        )
        .write(SECRET, CIPHERTEXT),
    ]
}
