//! Networks of tenants of two hosts, joined by a cable: WireGuard, VXLAN, VXLAN over WireGuard.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod common;

use bitbuilder_itest::VmHost;
use common::{Repository, command, status, wait_healthy};
use serde_json::{Value, json};

/// A host with one tenant, and where the other end reaches it.
struct End<'a> {
    host: &'a VmHost,
    id: &'static str,
    system: Repository,
    repository: Repository,
}

impl<'a> End<'a> {
    /// A tenant whose container `web` serves what is its name.
    fn new(host: &'a VmHost, id: &'static str, address: &str, allow: &[&str]) -> Self {
        host.init();
        host.sh(&format!(
            "ip address add {address}/24 dev wire0; ip link set wire0 up"
        ));
        let system = Repository::new();
        let tenant = json!({
            "id": id, "repository": format!("file:///var/lib/bitbuilder/git/{id}.git"),
            "allow": { "networks": allow },
        });
        let registry = json!({ "tenants": [tenant] });
        system.write("tenants/registry.json", &registry.to_string());
        host.push_ok("system", system.path());
        let repository = Repository::tenant(id);
        let serve = format!(
            "mkdir /tmp/www; echo {id} >/tmp/www/index.html; exec busybox httpd -f -p 80 -h /tmp/www"
        );
        repository.write("containers/web/config.yaml", &command(&serve, ""));
        Self {
            host,
            id,
            system,
            repository,
        }
    }

    /// The container is on `wide`, with this address.
    fn attach(&self, address: &str) {
        let serve = format!(
            "mkdir /tmp/www; echo {} >/tmp/www/index.html; exec busybox httpd -f -p 80 -h /tmp/www",
            self.id
        );
        let networks = format!("networks: [{{ network: wide, address: {address} }}]\n");
        self.repository
            .write("containers/web/config.yaml", &command(&serve, &networks));
    }

    /// Deploys these networks; the container is on the first one.
    fn deploy(&self, networks: &Value) {
        let topology = json!({ "networks": networks });
        self.repository
            .write("network/topology.yaml", &topology.to_string());
        self.host.push_ok(self.id, self.repository.path());
        wait_healthy(self.host, self.id);
    }

    /// A command in the network namespace of the container.
    fn inside(&self, command: &str) -> String {
        format!("ip netns exec {}-web {command}", self.id)
    }

    fn works(&self, command: &str) -> String {
        self.host.sh(&self.inside(command))
    }

    fn fails(&self, command: &str) {
        let output = self.host.sh_try(&self.inside(command));
        assert!(!output.status.success(), "{command}: {output:?}");
    }

    /// What `bbctl status` tells of the one tunnel.
    fn tunnel(&self) -> Value {
        status(self.host, self.id)["tunnels"][0].clone()
    }

    fn public_key(&self) -> String {
        self.tunnel()["publicKey"].as_str().unwrap().to_owned()
    }

    /// The tenant goes from the registry, and with it everything of it.
    fn leave(&self) {
        let registry = json!({ "tenants": [] });
        self.system
            .write("tenants/registry.json", &registry.to_string());
        self.host.push_ok("system", self.system.path());
        self.host.wait_sh("! ip -o link show group 48059 | grep .");
        let left = self.host.sh(
            "ip -o link show type wireguard; ip -o link show type vxlan; ip -o link show type bridge
            ip rule show | grep -v 'lookup \\(local\\|main\\|default\\)' || true
            ip route show table all | grep -v 'table local\\|dev wire0\\|dev lo' | grep 10.64 || true
            find /var/lib/bitbuilder/wireguard /run/bitbuilder/wireguard -type f
            ls /run/systemd/network
            nft list tables | grep bb- || true",
        );
        assert_eq!(left, "", "{}", self.id);
    }
}

/// Ping, TCP, and the largest packet that fits, and not one byte more.
fn carries(from: &End<'_>, to: &str, name: &str, mtu: u32) {
    from.host
        .wait_sh(&from.inside(&format!("ping -c 1 -W 2 {to}")));
    let page = from.works(&format!("busybox wget -qO- http://{to}/"));
    assert_eq!(page, format!("{name}\n"));
    let largest = mtu - 28;
    from.works(&format!("ping -M do -c 1 -W 10 -s {largest} {to}"));
    from.fails(&format!("ping -M do -c 1 -W 1 -s {} {to}", largest + 1));
}

#[test]
fn wireguard_between_tenants_of_two_hosts() {
    let (one, other) = (VmHost::new("vm-wg-one"), VmHost::new("vm-wg-other"));
    let _wire = one.wire(&other);
    let north = End::new(&one, "north", "10.1.0.1", &["wireguard"]);
    let south = End::new(&other, "south", "10.1.0.2", &["wireguard"]);

    // First they have keys, then they tell each other.
    let network = |subnet: &str, peers: Value| json!({ "office": { "mode": "wireguard", "subnet": subnet, "peers": peers } });
    north.deploy(&network("10.64.10.0/24", json!([])));
    south.deploy(&network("10.64.20.0/24", json!([])));
    guarded(&north);
    let secret = one.sh("wg genpsk");
    for (end, peer) in [(&north, "south"), (&south, "north")] {
        let name = format!("wireguard.{}.office.{peer}", end.id);
        end.host.write_file("/root/psk", &secret);
        let sealed = end
            .host
            .sh(&format!("systemd-creds encrypt --name={name} /root/psk -"));
        end.repository.write("network/wireguard/peer.psk", &sealed);
        end.host.sh("rm /root/psk");
    }
    let peer = |end: &End<'_>, address: &str, subnet: &str| {
        json!([{ "name": end.id, "publicKey": end.public_key(), "endpoint": format!("{address}:{}", end.tunnel()["port"]),
            "allowedIPs": [subnet], "keepalive": "5s", "presharedKey": { "encrypted": "wireguard/peer.psk" } }])
    };
    let deploy_north = || {
        north.deploy(&network(
            "10.64.10.0/24",
            peer(&south, "10.1.0.2", "10.64.20.0/24"),
        ))
    };
    deploy_north();
    south.deploy(&network(
        "10.64.20.0/24",
        peer(&north, "10.1.0.1", "10.64.10.0/24"),
    ));
    let web = |end: &End<'_>| {
        let status = status(end.host, end.id);
        status["workloads"][0]["addresses"][0]
            .as_str()
            .unwrap()
            .to_owned()
    };
    carries(&north, &web(&south), "south", 1420);
    carries(&south, &web(&north), "north", 1420);
    assert!(one.sh("wg show all preshared-keys").contains(secret.trim()));

    // The way into the tunnel is the tenant's, not the host's.
    let routes = one.sh("ip route show");
    assert!(!routes.contains("10.64.20."), "{routes}");
    let ping = format!("ping -c 1 -W 1 {}", web(&south));
    assert!(!one.sh_try(&ping).status.success());
    // The far host is not reached through the tunnel.
    north.fails("ping -c 1 -W 1 10.64.20.1");

    let before = south.public_key();
    let said = other.sh("bbctl network rotate-key south office");
    let after = south.public_key();
    assert_ne!(before, after);
    assert!(said.contains(&after), "{said}");
    north.fails(&ping);
    guarded(&south);
    let audit = other.sh("bbctl audit --json");
    assert!(
        audit.contains("key-rotated") && audit.contains(&after),
        "{audit}"
    );
    deploy_north();
    carries(&north, &web(&south), "south", 1420);

    // The same key and port after a start of the host.
    let (key, port) = (north.public_key(), north.tunnel()["port"].clone());
    north.leave();
    south.leave();
    assert_ne!((key, port), (String::new(), Value::Null));
}

/// Only networkd and root read the private key, and it is nowhere else.
fn guarded(end: &End<'_>) {
    let file = format!("/var/lib/bitbuilder/wireguard/{}.office.key", end.id);
    let mode = end.host.sh(&format!("stat -c '%U:%G %a' {file}"));
    assert_eq!(mode, "root:systemd-network 640\n");
    end.host.sh(&format!(
        "! runuser -u nobody -- cat {file}
        key=$(cat {file}); test \"$(wg pubkey <{file})\" = {}
        ! grep -rqsF \"$key\" /var/lib/tenants /run/bitbuilder /run/systemd /etc /var/lib/bitbuilder \
            --exclude={}.office.key
        ! journalctl -o cat | grep -qF \"$key\"
        ! bbctl audit --json | grep -qF \"$key\"",
        end.public_key(),
        end.id
    ));
}

#[test]
fn segments_between_tenants_of_two_hosts_and_over_wireguard() {
    let (one, other) = (VmHost::new("vm-vx-one"), VmHost::new("vm-vx-other"));
    let _wire = one.wire(&other);
    let allow = ["vxlan", "wireguard"];
    let north = End::new(&one, "north", "10.1.0.1", &allow);
    let south = End::new(&other, "south", "10.1.0.2", &allow);
    let addresses = [(&north, "10.64.30.11"), (&south, "10.64.30.12")];
    for (end, address) in addresses {
        end.attach(address);
    }
    let wide = |remotes: Value| json!({ "mode": "vxlan", "vni": 1_048_600, "subnet": "10.64.30.0/24", "remotes": remotes });
    // The second end is nobody: what has no known place goes to both.
    north.deploy(&json!({ "wide": wide(json!(["10.1.0.2", "10.1.0.9"])) }));
    south.deploy(&json!({ "wide": wide(json!(["10.1.0.1"])) }));
    carries(&north, "10.64.30.12", "south", 1450);
    carries(&south, "10.64.30.11", "north", 1450);
    // Each machine has its own host for a router, and nobody else's DHCP or router reaches it.
    for end in [&north, &south] {
        end.works("ping -c 1 -W 10 10.64.30.11");
        let own = end.host.sh("cat /sys/class/net/br-*/address");
        let seen =
            end.works("sh -c 'ping -c 1 -W 1 10.64.30.1 >/dev/null; ip neighbour show 10.64.30.1'");
        assert!(seen.contains(own.trim()), "{seen} {own}");
    }
    // Who is no end of the segment gets nothing into it: the guards count what they drop.
    let dropped = "nft list chain inet bb-north segments | grep 'counter packets [1-9]'";
    assert!(!one.sh_try(dropped).status.success());
    other.sh("ip address add 10.1.0.7/24 dev wire0
        printf '\\010\\000\\000\\000\\020\\000\\030\\000a frame of somebody else' >/root/forged
        timeout 2 busybox nc -u -s 10.1.0.7 10.1.0.1 4789 </root/forged || true");
    one.wait_sh(dropped);

    // The same over a tunnel of theirs: the hosts meet at their addresses in it.
    let office = |subnet: &str, peers: Value| json!({ "mode": "wireguard", "subnet": subnet, "peers": peers });
    let over = |remote: &str| json!({ "mode": "vxlan", "vni": 1_048_600, "subnet": "10.64.30.0/24", "remotes": [remote], "parent": "office" });
    let [first, second] = ["10.64.10.0/24", "10.64.20.0/24"];
    north.deploy(&json!({ "office": office(first, json!([])), "wide": over("10.64.20.1") }));
    south.deploy(&json!({ "office": office(second, json!([])), "wide": over("10.64.10.1") }));
    let peer = |end: &End<'_>, address: &str, subnet: &str| {
        json!([{ "name": end.id, "publicKey": end.public_key(), "endpoint": format!("{address}:{}", end.tunnel()["port"]),
            "allowedIPs": [subnet] }])
    };
    let [to_south, to_north] = [
        peer(&south, "10.1.0.2", second),
        peer(&north, "10.1.0.1", first),
    ];
    north.deploy(&json!({ "office": office(first, to_south), "wide": over("10.64.20.1") }));
    south.deploy(&json!({ "office": office(second, to_north), "wide": over("10.64.10.1") }));
    carries(&north, "10.64.30.12", "south", 1370);
    carries(&south, "10.64.30.11", "north", 1370);
    north.leave();
    south.leave();
}
