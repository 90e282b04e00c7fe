//! Networks of tenants of two hosts, joined by a cable: WireGuard, VXLAN, VXLAN over WireGuard.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod common;

use bitbuilder_itest::VmHost;
use common::{Repository, command, status, wait_healthy};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::thread;

/// Bytes of the largest packet: of WireGuard, of VXLAN, of VXLAN over WireGuard.
const MTU: [u32; 3] = [1420, 1450, 1370];

const RULES: &str = "network/firewall/10-own.yaml";

/// A host with one tenant, and where the other end reaches it.
struct End<'a> {
    host: &'a VmHost,
    id: &'static str,
    /// On the cable.
    address: &'static str,
    /// Of its WireGuard network, the first three numbers.
    office: &'static str,
    /// Its container in the segment.
    wide: &'static str,
    system: Repository,
    repository: Repository,
}

impl<'a> End<'a> {
    /// A tenant whose container `web` serves what is its name, in the segment and in the WireGuard network.
    fn new(host: &'a VmHost, id: &'static str, [address, office, wide]: [&'static str; 3]) -> Self {
        let repository = Repository::tenant(id);
        let serve = format!(
            "mkdir /tmp/www; echo {id} >/tmp/www/index.html; exec busybox httpd -f -p 80 -h /tmp/www"
        );
        let networks = json!([
            { "network": "wide", "address": wide },
            { "network": "office", "address": format!("{office}.11") },
        ]);
        let more = format!("networks: {networks}\n");
        repository.write("containers/web/config.yaml", &command(&serve, &more));
        repository.write(RULES, "rules:\n  - { from: 10.64.0.0/16, to: web, protocol: tcp, ports: [81], action: drop }\n");
        let system = Repository::new();
        Self {
            host,
            id,
            address,
            office,
            wide,
            system,
            repository,
        }
    }

    /// The host has its end of the cable and knows the tenant.
    fn begin(&self) {
        let address = self.address;
        self.host.init();
        self.host.sh(&format!(
            "ip address add {address}/24 dev wire0; ip link set wire0 up"
        ));
        let id = self.id;
        let tenant = json!({
            "id": id, "repository": format!("file:///var/lib/bitbuilder/git/{id}.git"),
            "allow": { "networks": ["wireguard", "vxlan"] },
        });
        self.register(&[tenant]);
    }

    fn register(&self, tenants: &[Value]) {
        let registry = json!({ "tenants": tenants }).to_string();
        self.system.write("tenants/registry.json", &registry);
        self.host.push_ok("system", self.system.path());
    }

    /// Deploys a WireGuard network with these peers, and a segment.
    fn deploy(&self, peers: &Value, segment: &Value) {
        let mut wide = json!({ "mode": "vxlan", "vni": 1_048_600, "subnet": "10.64.30.0/24" });
        let segment = segment.as_object().unwrap().clone();
        wide.as_object_mut().unwrap().extend(segment);
        let subnet = format!("{}.0/24", self.office);
        let office = json!({ "mode": "wireguard", "subnet": subnet, "peers": peers });
        let topology = json!({ "networks": { "office": office, "wide": wide } });
        self.repository
            .write("network/topology.yaml", &topology.to_string());
        self.host.push_ok(self.id, self.repository.path());
        wait_healthy(self.host, self.id);
    }

    /// What another end writes to have this one for a peer, with a key that both have.
    fn as_peer(&self) -> Value {
        let tunnel = self.tunnel();
        json!([{
            "name": self.id, "publicKey": tunnel["publicKey"],
            "endpoint": format!("{}:{}", self.address, tunnel["port"]),
            "allowedIPs": [format!("{}.0/24", self.office)], "keepalive": "5s",
            "presharedKey": { "encrypted": "wireguard/peer.psk" },
        }])
    }

    /// Puts the key that it has with `peer` into its repository, as only its host reads it.
    fn seal(&self, peer: &str, secret: &str) {
        let name = format!("wireguard.{}.office.{peer}", self.id);
        self.host.write_file("/root/psk", secret);
        let seal = format!("systemd-creds encrypt --name={name} /root/psk -; rm /root/psk");
        let sealed = self.host.sh(&seal);
        self.repository.write("network/wireguard/peer.psk", &sealed);
    }

    /// A command in the network namespace of the container.
    fn inside(&self, command: &str) -> String {
        format!("ip netns exec machine-{}-web {command}", self.id)
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
        self.register(&[]);
        self.host.wait_sh(
            "! ip -o link show group 48059 | grep . && ! ls /var/lib/bitbuilder/wireguard | grep .",
        );
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

/// Does the same at both ends at once: each has a processor of its own.
fn both(ends: [&End<'_>; 2], act: impl Fn(&End<'_>, &End<'_>) + Sync) {
    let [one, other] = ends;
    thread::scope(|scope| {
        scope.spawn(|| act(one, other));
        scope.spawn(|| act(other, one));
    });
}

/// Ping, TCP, and the largest packet that fits, and not one byte more.
fn carries(from: &End<'_>, address: &str, to: &End<'_>, mtu: u32) {
    from.host
        .wait_sh(&from.inside(&format!("ping -c 1 -W 2 {address}")));
    let fetch = from.inside(&format!("busybox wget -qO- http://{address}/"));
    let page = from.host.wait_sh(&fetch);
    assert_eq!(page, format!("{}\n", to.id));
    let largest = mtu - 28;
    from.works(&format!("ping -M do -c 1 -W 10 -s {largest} {address}"));
    from.fails(&format!(
        "ping -M do -c 1 -W 1 -s {} {address}",
        largest + 1
    ));
}

#[test]
fn wireguard_and_vxlan_between_tenants_of_two_hosts() {
    let (one, other) = (VmHost::new("vm-tunnel-one"), VmHost::new("vm-tunnel-other"));
    let _wire = one.wire(&other);
    let north = End::new(&one, "north", ["10.1.0.1", "10.64.10", "10.64.30.11"]);
    let south = End::new(&other, "south", ["10.1.0.2", "10.64.20", "10.64.30.12"]);
    let ends = [&north, &south];

    // Of the segment one end is nobody: what has no known place goes to all. Of WireGuard each first gets a key.
    let plain = |to: &End<'_>| json!({ "remotes": [to.address, "10.1.0.9"] });
    both(ends, |end, to| {
        end.begin();
        end.deploy(&json!([]), &plain(to));
    });
    segment(&north, &south);

    let peers = || -> BTreeMap<_, _> { ends.map(|end| (end.id, end.as_peer())).into() };
    let (secret, known) = (one.sh("wg genpsk"), peers());
    both(ends, |end, to| {
        end.seal(to.id, &secret);
        end.deploy(&known[to.id], &plain(to));
    });
    wireguard(&north, &south);
    assert!(one.sh("wg show all preshared-keys").contains(secret.trim()));
    traced(&north, &south);
    roams(&south, &north);

    // Another key of one of them: they are apart until the other one knows.
    rotate(&south);
    north.fails(&format!("ping -c 1 -W 1 {}.11", south.office));

    // The segment goes over the tunnel: the hosts meet at their addresses in it.
    let known = peers();
    both(ends, |end, to| {
        let over = json!({ "remotes": [format!("{}.1", to.office)], "parent": "office" });
        end.deploy(&known[to.id], &over);
    });
    both(ends, |end, to| {
        carries(end, &format!("{}.11", to.office), to, MTU[0]);
        carries(end, to.wide, to, MTU[2]);
        guarded(end);
    });
    reboots(&south);
    both(ends, |end, _| end.leave());
}

/// `bbctl network trace` knows who is behind a peer and in a segment, and says what the kernel does.
fn traced(from: &End<'_>, to: &End<'_>) {
    let ask = |host: &VmHost, id: &str, [from, to]: [&str; 2], port: u16| -> Value {
        let trace =
            format!("bbctl network trace {id} --from {from} --to {to} --port {port} --json");
        serde_json::from_str(&host.sh(&trace)).unwrap()
    };
    let (near, far) = (format!("{}.11", from.office), format!("{}.11", to.office));
    for (address, peer) in [(far.as_str(), json!(to.id)), (to.wide, Value::Null)] {
        let trace = ask(from.host, from.id, ["web", address], 80);
        assert_eq!(trace["verdict"], "accept", "{trace}");
        assert_eq!(trace["to"]["at"], "far", "{trace}");
        assert_eq!(trace["to"]["peer"], peer, "{trace}");
        from.works(&format!("busybox wget -qO- http://{address}/"));
    }
    let rule = format!("{RULES}:2");
    for (source, target) in [(near.as_str(), far.as_str()), (from.wide, to.wide)] {
        let trace = ask(to.host, to.id, [source, "web"], 81);
        assert_eq!(trace["verdict"], "drop", "{trace}");
        assert_eq!(trace["origin"], json!(rule), "{trace}");
        let family = trace["decided"]["family"].as_str().unwrap();
        let counted =
            format!("nft list table {family} bitbuilder | grep '{rule}' | grep 'packets [1-9]'");
        let early = to.host.sh_try(&counted);
        assert!(!early.status.success(), "{early:?}");
        from.fails(&format!("busybox nc -w 1 {target} 81"));
        to.host.wait_sh(&counted);
    }
}

/// An end that calls from another address is followed.
fn roams(end: &End<'_>, to: &End<'_>) {
    let ping = format!("ping -c 1 -W 2 {}.11", to.office);
    for (address, before) in [("10.1.0.3", end.address), (end.address, "10.1.0.3")] {
        end.host.sh(&format!(
            "ip address delete {before}/24 dev wire0; ip address add {address}/24 dev wire0"
        ));
        end.host.wait_sh(&end.inside(&ping));
        let seen = to.host.sh("wg show all endpoints");
        assert!(seen.contains(&format!("{address}:")), "{seen}");
        to.works(&format!("ping -c 1 -W 10 {}.11", end.office));
    }
}

/// After a reboot a tunnel has the same key and port, and machines have the same addresses.
fn reboots(end: &End<'_>) {
    let known = || {
        let tunnel = end.tunnel();
        let key = end.host.sh("wg show all public-key");
        let addresses =
            end.works("sh -c \"ip -o address show scope global | tr -s ' ' | cut -d ' ' -f 2-4\"");
        (
            tunnel["publicKey"].clone(),
            tunnel["port"].clone(),
            key,
            addresses,
        )
    };
    let before = known();
    end.host.stop();
    end.host.boot();
    wait_healthy(end.host, end.id);
    assert_eq!(known(), before);
}

/// One Ethernet, with a router at each host, and for nobody who is no end of it.
fn segment(north: &End<'_>, south: &End<'_>) {
    both([north, south], |end, to| {
        carries(end, to.wide, to, MTU[1]);
        let own = end.host.sh("cat /sys/class/net/br-*wide*/address");
        let seen =
            end.works("sh -c 'ping -c 1 -W 1 10.64.30.1 >/dev/null; ip neighbour show 10.64.30.1'");
        assert!(seen.contains(own.trim()), "{seen} {own}");
    });
    let dropped = "nft list chain inet bitbuilder north/segments | grep 'counter packets [1-9]'";
    assert!(!north.host.sh_try(dropped).status.success());
    let send = "$s = IO::Socket::INET->new(Proto => 'udp', LocalAddr => '10.1.0.7', PeerAddr => '10.1.0.1:4789') or die;
        $s->send(pack('H*', '0800000010001800') . 'x' x 60)";
    south.host.sh(&format!(
        "ip address add 10.1.0.7/24 dev wire0; perl -MIO::Socket::INET -e \"{}\"
        ip address delete 10.1.0.7/24 dev wire0",
        send.replace('$', "\\$")
    ));
    north.host.wait_sh(dropped);
}

/// The machines of both, and neither of the hosts.
fn wireguard(north: &End<'_>, south: &End<'_>) {
    both([north, south], |end, to| {
        carries(end, &format!("{}.11", to.office), to, MTU[0]);
    });
    let routes = north.host.sh("ip route show");
    assert!(!routes.contains(south.office), "{routes}");
    let ping = format!("ping -c 1 -W 1 {}.11", south.office);
    assert!(!north.host.sh_try(&ping).status.success());
    north.fails(&format!("ping -c 1 -W 1 {}.1", south.office));
}

fn rotate(end: &End<'_>) {
    let before = end.public_key();
    let rotate = format!("bbctl network rotate-key {} office", end.id);
    let said = end.host.sh(&rotate);
    let after = end.public_key();
    assert_ne!(before, after);
    assert!(said.contains(&after), "{said}");
    let audit = end.host.sh("bbctl audit --json");
    let told = audit.contains("key-rotated") && audit.contains(&after);
    assert!(told, "{audit}");
}

/// Only networkd and root read the private key, and it is nowhere else.
fn guarded(end: &End<'_>) {
    let file = format!("/var/lib/bitbuilder/wireguard/{}.office.key", end.id);
    let mode = end.host.sh(&format!("stat -c '%U:%G %a' {file}"));
    assert_eq!(mode, "root:systemd-network 640\n");
    let public = end.host.sh(&format!("wg pubkey <{file}"));
    assert_eq!(public.trim(), end.public_key());
    let own = format!("--exclude={}.office.key", end.id);
    for look in [
        format!("runuser -u nobody -- cat {file}"),
        format!("grep -rsF -f {file} {own} /var/lib/bitbuilder /var/lib/tenants/*/generations"),
        format!("grep -rsF -f {file} /run/bitbuilder /run/systemd /etc/systemd"),
        format!("journalctl -o cat | grep -F -f {file}"),
        format!("bbctl audit --json | grep -F -f {file}"),
    ] {
        let found = end.host.sh_try(&look);
        assert!(!found.status.success(), "{look}: {found:?}");
    }
}
