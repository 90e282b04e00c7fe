//! Networks of the modes that need a kernel with everything: what passes, by each of them, and that nothing of one stays.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod common;

use bitbuilder_itest::{TestHost, VmHost};
use common::{Repository, booted, command, inside, wait_healthy, works};
use serde_json::{Value, json};

const SERVE: &str = "echo $NAME > /srv/index.html; head -c 100000 /dev/zero > /srv/large
perl -MIO::Socket::INET -e '$s = IO::Socket::INET->new(Proto => \"udp\", LocalPort => 7) or die;
    $s->send($b) while defined $s->recv($b, 2000)' &
exec busybox httpd -f -p 80 -h /srv";

/// A system repository whose tenants may use `modes`, with `trunk0` for VLANs.
fn system(ids: &[&str], modes: &[&str]) -> Repository {
    let tenant = |id: &&str| {
        json!({
            "id": id,
            "repository": format!("file:///var/lib/bitbuilder/git/{id}.git"),
            "allow": { "publish": ["tcp/8000-8099"], "networks": modes },
        })
    };
    let tenants: Vec<Value> = ids.iter().map(tenant).collect();
    let repository = Repository::new();
    let registry = json!({ "tenants": tenants }).to_string();
    repository.write("tenants/registry.json", &registry);
    repository.write(
        ".gitops/config.yaml",
        "pools: { trunks: [trunk0], vlan: 1000-1999 }\n",
    );
    repository
}

/// A tenant with a server `web` and a machine `look` in the network that `network` describes.
fn deploy(host: &TestHost, id: &str, topology: &str) {
    let tenant = Repository::tenant(id);
    let env = format!("env: {{ NAME: {id} }}\nhealth: {{ tcp: 80, interval: 1s }}\n");
    tenant.write("containers/web/config.yaml", &command(SERVE, &env));
    tenant.write("containers/look/config.yaml", &booted(""));
    tenant.write("network/topology.yaml", topology);
    host.push_ok(id, tenant.path());
    wait_healthy(host, id);
}

fn address(host: &TestHost, id: &str, workload: &str) -> String {
    let allocations = host.read_file("/var/lib/bitbuilder/allocations.json");
    let allocations: Value = serde_json::from_str(&allocations).unwrap();
    let interfaces = &allocations["tenants"][id]["machines"][workload]["interfaces"];
    interfaces["default"]["address"]
        .as_str()
        .unwrap()
        .to_owned()
}

/// Ping, TCP, UDP, a packet of full size and one of IPv6, by name.
fn reaches_its_neighbour(host: &TestHost, id: &str) {
    let look = format!("{id}-look");
    let ready = "busybox ping -c 1 -W 2 web";
    host.wait_for("an address", || inside(host, &look, ready).status.success());
    works(host, &look, "busybox ping -c 1 -W 5 -s 1472 web");
    works(
        host,
        &look,
        "ping -6 -c 1 -W 5 web 2>/dev/null || busybox ping6 -c 1 -W 5 web",
    );
    let fetch = "busybox wget -q -T 5 -O - http://web";
    assert_eq!(works(host, &look, &format!("{fetch}/")), format!("{id}\n"));
    assert_eq!(
        works(host, &look, &format!("{fetch}/large | wc -c")).trim(),
        "100000"
    );
    assert_eq!(works(host, &look, &echo("web")), "hello");
}

/// A datagram that comes back.
fn echo(to: &str) -> String {
    format!(
        "perl -MIO::Socket::INET -e 'alarm 5; $s = IO::Socket::INET->new(Proto => \"udp\",
            PeerAddr => \"{to}\", PeerPort => 7) or die; $s->send(\"hello\"); $s->recv($b, 99); print $b'"
    )
}

/// Everything of the network that the kernel has, without what every host has.
fn kernel(host: &TestHost) -> String {
    host.sh(
        "{ ip -o link | cut -d ' ' -f 2; ip netns; ip rule; ip -6 rule
        ip route show table all; ip -6 route show table all; nft list tables
        find /run/systemd/network /run/bitbuilder/network -type f
        } 2>/dev/null | grep -v 'dev up0\\|dev trunk0'",
    )
}

/// Removes every tenant: nothing of them is left in the kernel.
fn leaves_nothing(host: &TestHost, before: &str) {
    host.push_ok("system", system(&[], &[]).path());
    let lines = |text: &str| {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    let (mut seen, wanted) = (Vec::new(), lines(before));
    host.wait_for("nothing of the tenants is left", || {
        seen = lines(&kernel(host));
        seen == wanted
    });
}

#[test]
fn a_vlan_reaches_the_machines_of_its_trunk_and_no_other() {
    let host = VmHost::new("vm-vlan");
    host.init();
    // Two VLANs behind a trunk, and a machine in each.
    host.sh(
        "ip netns add world; ip link add trunk0 type veth peer name far netns world; ip link set trunk0 up
        ip -n world link set far up
        for id in 1100 1101; do
          ip netns add world$id
          ip -n world link add link far name v$id type vlan id $id; ip -n world link set v$id netns world$id
          ip -n world$id address add 10.64.7.200/24 dev v$id; ip -n world$id link set v$id up
        done",
    );
    let before = kernel(&host);
    host.push_ok("system", system(&["shop"], &["vlan"]).path());
    let vlan = |id: u16| {
        format!(
            "networks:\n  default: {{ mode: vlan, id: {id}, parent: trunk0, subnet: 10.64.7.0/24 }}\n"
        )
    };
    deploy(&host, "shop", &vlan(1100));
    reaches_its_neighbour(&host, "shop");

    let web = address(&host, "shop", "web");
    let fetch = format!("busybox wget -q -T 3 -O - http://{web}/");
    works(
        &host,
        "shop-look",
        "busybox ping -c 1 -W 5 -s 1472 10.64.7.200",
    );
    assert_eq!(
        host.sh(&format!("ip netns exec world1100 {fetch}")),
        "shop\n"
    );
    let other = host.sh_try(&format!("ip netns exec world1101 {fetch}"));
    assert!(!other.status.success(), "{other:?}");
    from_outside(&host, &web);

    // Another number: the link is another one, and machines go on.
    let tenant = host.sh("systemctl show -P InvocationID systemd-nspawn@shop-web.service");
    deploy(&host, "shop", &vlan(1101));
    host.wait_sh(&format!("ip netns exec world1101 {fetch}"));
    let gone = host.sh_try(&format!("ip netns exec world1100 {fetch}"));
    assert!(!gone.status.success(), "{gone:?}");
    let after = host.sh("systemctl show -P InvocationID systemd-nspawn@shop-web.service");
    assert_eq!(tenant, after);

    // Somebody takes the link away: a repair makes it again.
    host.sh("ip link delete vl-shop");
    host.exec_ok(["bbctl", "sync", "--repair"]);
    host.wait_sh(&format!("ip netns exec world1101 {fetch}"));
    leaves_nothing(&host, &before);
}

/// Whoever is in the VLAN is neither the host, nor a machine, nor a router or DHCP server.
fn from_outside(host: &TestHost, web: &str) {
    let exec = "ip netns exec world1100";
    // The host's address in the network, and its DHCP server.
    assert!(
        !host
            .sh_try(&format!("{exec} busybox ping -c 1 -W 2 10.64.7.1"))
            .status
            .success()
    );
    let client = format!("{exec} busybox udhcpc -n -q -t 2 -T 1 -i v1100 -s /bin/true");
    assert!(!host.sh_try(&client).status.success());
    // A machine's address: its neighbours go on to find the machine.
    host.sh(&format!("ip -n world1100 address add {web}/24 dev v1100"));
    let arping = format!("{exec} busybox arping -U -c 2 -I v1100 -s {web} {web} >/dev/null");
    host.sh_try(&arping);
    works(
        host,
        "shop-look",
        "ip neigh flush dev host0; busybox wget -q -T 5 -O - http://web/",
    );
    host.sh(&format!("ip -n world1100 address del {web}/24 dev v1100"));
    let dropped = host.sh("nft list chain bridge bitbuilder shop/uplink");
    let counted = |comment: &str| {
        let mut lines = dropped.lines().filter(|line| line.contains(comment));
        lines.any(|line| !line.contains("packets 0 "))
    };
    assert!(counted("an address in use here"), "{dropped}");
    assert!(counted("DHCP"), "{dropped}");
}

#[test]
fn two_routing_domains_have_the_same_addresses_and_stay_apart() {
    let host = VmHost::new("vm-vrf");
    host.init();
    // The kernel has its own rule for routing domains from the first one on.
    host.sh("ip link add vrf-first type vrf table 1; ip link delete vrf-first");
    let before = kernel(&host);
    host.push_ok("system", system(&["one", "two"], &["vrf"]).path());
    for (id, port) in [("one", 8081), ("two", 8082)] {
        let topology = format!(
            "networks:\n  default: {{ mode: vrf, subnet: 10.64.7.0/24, ipv6: 'fd00:bb:0:7::/64', nat: true }}\n\
             publish:\n  - {{ port: {port}, to: web, toPort: 80 }}\n"
        );
        deploy(&host, id, &topology);
    }
    // The very same addresses.
    assert_eq!(address(&host, "one", "web"), address(&host, "two", "web"));
    for id in ["one", "two"] {
        reaches_its_neighbour(&host, id);
        // Outside, each from its own connection though both say the same of themselves.
        works(
            &host,
            &format!("{id}-look"),
            "busybox ping -c 1 -W 5 198.18.0.1",
        );
    }
    let machine = host.address();
    for (port, id) in [(8081, "one\n"), (8082, "two\n"), (8081, "one\n")] {
        let fetch = format!("busybox wget -q -T 5 -O - http://{machine}:{port}/");
        let seen = host.outside(&fetch);
        assert_eq!(String::from_utf8_lossy(&seen.stdout), id, "{seen:?}");
    }
    // From the same port of the same machine to both: the connections are two.
    let twice = "perl -MIO::Socket::INET -e 'for (8081, 8082) { my $s = IO::Socket::INET->new(PeerAddr => $ARGV[0],
        PeerPort => $_, LocalPort => 4000, ReuseAddr => 1, Timeout => 5) or die; push @s, $s }
        for (@s) { print $_ \"GET / HTTP/1.0\\r\\n\\r\\n\"; print((<$_>)[-1]) }' --";
    let seen = host.outside(&format!("{twice} {machine}"));
    assert_eq!(
        String::from_utf8_lossy(&seen.stdout),
        "one\ntwo\n",
        "{seen:?}"
    );
    // A check of the host asks in the domain: one that is dead is seen, though the other lives.
    host.sh("ip link set dev $(cd /sys/class/net; echo v-one-web*) down");
    host.wait_for("one is not Healthy", || {
        common::status(&host, "one")["health"] != "Healthy"
    });
    assert_eq!(common::status(&host, "two")["health"], "Healthy");
    leaves_nothing(&host, &before);
}

#[test]
fn machines_of_a_private_network_meet_at_the_host_only() {
    let host = TestHost::new("private");
    host.init();
    let before = kernel(&host);
    host.push_ok("system", system(&["shop", "blog"], &["private"]).path());
    let topology = "networks:\n  default: { mode: private, nat: true }\n\
        publish:\n  - { port: 8080, to: web, toPort: 80 }\n";
    deploy(&host, "shop", topology);
    deploy(&host, "blog", "networks:\n  default: { mode: private }\n");
    for id in ["shop", "blog"] {
        reaches_its_neighbour(&host, id);
    }
    let links = host.sh("ip -o link show type bridge");
    assert_eq!(links, "");
    works(&host, "shop-look", "busybox ping -c 1 -W 5 198.18.0.1");
    let outside = "busybox ping -c 1 -W 2 198.18.0.1";
    assert!(!inside(&host, "blog-look", outside).status.success());
    let fetch = format!("busybox wget -q -T 5 -O - http://{}:8080/", host.address());
    assert_eq!(host.outside(&fetch).stdout, b"shop\n");

    // Neither another tenant, nor the host, nor with another's address.
    let (own, other) = (address(&host, "blog", "web"), address(&host, "shop", "web"));
    let fetch = |address: &str| format!("busybox wget -q -T 2 -O - http://{address}/");
    assert!(!inside(&host, "shop-look", &fetch(&own)).status.success());
    assert!(
        !inside(&host, "shop-look", "busybox ping -c 1 -W 2 10.64.0.1")
            .status
            .success()
    );
    let spoofed = format!(
        "ip address add {other}/32 dev host0; busybox ping -c 1 -W 2 -I {other} {own}; status=$?
        ip address del {other}/32 dev host0; exit $status"
    );
    assert!(!inside(&host, "blog-look", &spoofed).status.success());
    let counted = host.sh("nft list chain inet bitbuilder blog/antispoof");
    let last = counted
        .lines()
        .find(|line| line.contains("everything else"));
    assert!(!last.unwrap().contains("packets 0 "), "{counted}");

    // A link that goes down loses its routes: the next pass makes both.
    host.sh("ip link set dev v-shop-web down");
    host.exec_ok(["bbctl", "sync"]);
    wait_healthy(&host, "shop");
    reaches_its_neighbour(&host, "shop");
    leaves_nothing(&host, &before);
}

#[test]
fn workloads_share_a_network_namespace() {
    let host = TestHost::new("netns");
    host.init();
    let before = kernel(&host);
    let modes = ["netns", "isolated-bridge"];
    host.push_ok("system", system(&["pod", "blog"], &modes).path());
    let tenant = Repository::tenant("pod");
    let env = "env: { NAME: pod }\nhealth: { tcp: 80, interval: 1s }\n";
    tenant.write("containers/web/config.yaml", &command(SERVE, env));
    tenant.write(
        "containers/side/config.yaml",
        &command("exec sleep 1000000", ""),
    );
    tenant.write("containers/look/config.yaml", &booted(""));
    tenant.write("network/topology.yaml", POD);
    host.push_ok("pod", tenant.path());
    wait_healthy(&host, "pod");
    deploy(&host, "blog", "networks:\n  default: {}\n");

    // One interface and one loopback for all; the boot of one leaves it alone.
    let shell = |workload: &str, script: &str| {
        host.exec_ok(["bbctl", "shell", workload, "--", "/bin/sh", "-c", script])
    };
    let spaces = ["pod/web", "pod/side", "pod/look"]
        .map(|workload| shell(workload, "readlink /proc/self/ns/net"));
    assert!(spaces.iter().all(|space| *space == spaces[0]), "{spaces:?}");
    let fetch = |url: &str| format!("busybox wget -q -T 3 -O - http://{url}");
    for workload in ["pod/side", "pod/look"] {
        for name in ["127.0.0.1", "web", "web.default"] {
            assert_eq!(shell(workload, &fetch(name)), "pod\n");
        }
        // It answers that it has no such server.
        shell(
            workload,
            &format!("{} 2>&1 | grep refused", fetch("198.18.0.1:9")),
        );
    }
    let failed = works(&host, "pod-look", "systemctl --failed --plain --no-legend");
    assert_eq!(failed, "");
    let published = format!("{}:8080/", host.address());
    assert_eq!(host.outside(&fetch(&published)).stdout, b"pod\n");

    // Nobody in it has power over it, and nobody else reaches it.
    for change in [
        "ip link set dev host0 down",
        "ip address add 10.64.9.9/32 dev host0",
    ] {
        assert!(
            !inside(&host, "pod-look", change).status.success(),
            "{change}"
        );
    }
    let own = host.exec_ok(["bbctl", "network", "show", "pod", "--json"]);
    let own: Value = serde_json::from_str(&own).unwrap();
    let interface = &own["tenants"][0]["networks"][0]["interfaces"][0];
    let address = interface["address"].as_str().unwrap();
    assert!(!inside(&host, "blog-look", &fetch(address)).status.success());
    let blog = self::address(&host, "blog", "web");
    assert!(!inside(&host, "pod-look", &fetch(&blog)).status.success());
    host.exec_ok([
        "systemd-analyze",
        "verify",
        "--man=no",
        "netns-tenant@pod.service",
    ]);

    // One starts anew and the others stay; another subnet is another interface for all.
    let started = |unit: &str| {
        let unit = format!("systemd-nspawn@{unit}.service");
        host.exec_ok(["systemctl", "show", "-P", "InvocationID", &unit])
    };
    let side = started("pod-side");
    host.exec_ok(["systemctl", "restart", "systemd-nspawn@pod-web.service"]);
    wait_healthy(&host, "pod");
    assert_eq!(started("pod-side"), side);
    assert_eq!(shell("pod/side", &fetch("127.0.0.1")), "pod\n");
    let moved = POD.replace("mode: netns", "mode: netns, subnet: 10.64.77.0/24");
    tenant.write("network/topology.yaml", &moved);
    host.push_ok("pod", tenant.path());
    wait_healthy(&host, "pod");
    assert_ne!(started("pod-side"), side);
    assert_eq!(host.outside(&fetch(&published)).stdout, b"pod\n");
    let addresses = shell("pod/side", "ip -o address show dev host0");
    assert!(addresses.contains("10.64.77.10/32"), "{addresses}");

    // A namespace that somebody deleted is made again, with all who were in it.
    host.sh("ip link delete dev ns-pod");
    host.exec_ok(["bbctl", "sync", "--repair"]);
    wait_healthy(&host, "pod");
    assert_eq!(host.outside(&fetch(&published)).stdout, b"pod\n");
    leaves_nothing(&host, &before);
}

/// A published server in a namespace.
const POD: &str = "networks:
  default: { mode: netns, nat: true }
publish:
  - { port: 8080, to: web, toPort: 80 }
";
