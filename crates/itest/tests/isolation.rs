//! A hostile tenant tries to reach another tenant and the host. Beside what must be closed stands what must be open: the
//! same tool on a way that is allowed, or the thing itself seen from the host, so that not everything fails for no reason.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod common;

use bitbuilder_itest::TestHost;
use common::{Repository, booted, command, wait_healthy};
use serde_json::Value;
use std::process::Output;

/// `evil` of alpha is a booted container whose root does what it likes; beta has a web server and a neighbour of it.
struct Arena {
    host: TestHost,
    allocations: Value,
}

impl Arena {
    fn new() -> Self {
        let host = TestHost::new("isolation");
        host.init();
        host.push_ok("system", Repository::system(&["alpha", "beta"]).path());
        let alpha = Repository::tenant("alpha");
        alpha.write("containers/evil/config.yaml", &booted(""));
        let beta = Repository::tenant("beta");
        let serve = "echo secret > /srv/index.html; exec busybox httpd -f -p 80 -h /srv";
        beta.write(
            "containers/web/config.yaml",
            &command(serve, "health: { tcp: 80, interval: 1s }\n"),
        );
        beta.write("containers/near/config.yaml", &booted(""));
        host.push_ok("alpha", alpha.path());
        host.push_ok("beta", beta.path());
        wait_healthy(&host, "alpha");
        wait_healthy(&host, "beta");
        // Something on the host to reach, on every address, and an abstract socket.
        host.sh(
            "systemd-run --quiet --unit=listener systemd-socket-activate --accept --inetd --listen='[::]:5555' cat; \
             systemd-run --quiet --unit=abstract systemd-socket-activate --listen=@bitbuilder-test cat",
        );
        host.wait_sh("bash -c 'exec 3<>/dev/tcp/127.0.0.1/5555'");
        host.wait_sh("grep -q @bitbuilder-test /proc/net/unix");
        let allocations = host.read_file("/var/lib/bitbuilder/allocations.json");
        Self {
            host,
            allocations: serde_json::from_str(&allocations).unwrap(),
        }
    }

    fn allocated(&self, path: &str) -> String {
        let value = self.allocations.pointer(path);
        let text = value.and_then(Value::as_str);
        text.unwrap_or_else(|| panic!("{path} in {}", self.allocations))
            .to_owned()
    }

    fn address(&self, tenant: &str, machine: &str) -> String {
        self.allocated(&format!(
            "/tenants/{tenant}/machines/{machine}/interfaces/default/address"
        ))
    }

    fn gateway(&self, tenant: &str) -> String {
        let address = self.allocated(&format!(
            "/tenants/{tenant}/networks/default/subnet/address"
        ));
        let (net, _) = address.rsplit_once('.').unwrap();
        format!("{net}.1")
    }

    fn bridge(&self, tenant: &str) -> String {
        self.allocated(&format!("/tenants/{tenant}/networks/default/link"))
    }

    fn inside(&self, machine: &str, script: &str) -> Output {
        common::inside(&self.host, machine, script)
    }

    /// Name of the attacker's only interface.
    fn link(&self) -> String {
        let links = self.works("alpha-evil", "ls /sys/class/net");
        let link = links.split_whitespace().find(|link| *link != "lo");
        link.unwrap_or_else(|| panic!("{links}")).to_owned()
    }

    #[track_caller]
    fn works(&self, machine: &str, script: &str) -> String {
        common::works(&self.host, machine, script)
    }

    #[track_caller]
    fn fails(&self, script: &str) {
        let output = self.inside("alpha-evil", script);
        assert!(!output.status.success(), "`{script}` must fail: {output:?}");
    }
}

#[test]
fn a_hostile_tenant_reaches_neither_another_tenant_nor_the_host() {
    let arena = Arena::new();
    ipv4(&arena);
    ipv6(&arena);
    link_layer(&arena);
    multicast(&arena);
    files(&arena);
    processes(&arena);
    sockets(&arena);
    spoofing(&arena);
}

fn ipv4(arena: &Arena) {
    let web = arena.address("beta", "web");
    let (own, other) = (arena.gateway("alpha"), arena.gateway("beta"));
    let fetch = format!("busybox wget -q -T 3 -O - http://{web}/");
    assert_eq!(arena.works("beta-near", &fetch), "secret\n");
    arena.fails(&fetch);
    let (ping, connect) = (
        format!("busybox ping -c 1 -W 2 {web}"),
        format!("busybox nc -w 3 {web} 80 </dev/null"),
    );
    for open in [&ping, &connect] {
        arena.works("beta-near", open);
        arena.fails(open);
    }
    // A route of its own changes nothing.
    arena.works(
        "alpha-evil",
        &format!("ip route add {web} via {own} || ip route replace {web} via {own}"),
    );
    arena.fails(&fetch);
    // The host: on its own bridge's address, on the other tenant's, on any.
    for address in [&own, &other] {
        arena.fails(&format!("busybox nc -w 3 {address} 5555 </dev/null"));
        arena.fails(&format!("busybox nc -w 3 {address} 22 </dev/null"));
    }
}

fn ipv6(arena: &Arena) {
    // The link-local addresses of the two bridges and of the neighbour.
    let bridge = arena.bridge("alpha");
    let host = arena.host.sh(&format!(
        "ip -6 -o address show dev {bridge} | sed -n 's/.*inet6 \\([^/]*\\).*/\\1/p'"
    ));
    let near = arena.works(
        "beta-near",
        "ip -6 -o address show | sed -n 's/.*inet6 \\([^/]*\\).*/\\1/p'",
    );
    let link = arena.link();
    for address in host
        .lines()
        .chain(near.lines())
        .filter(|address| *address != "::1")
    {
        let scoped = if address.starts_with("fe80") {
            format!("{address}%{link}")
        } else {
            address.to_owned()
        };
        arena.fails(&format!("busybox nc -w 3 {scoped} 5555 </dev/null"));
    }
    arena.works("alpha-evil", "busybox ping6 -c 1 -W 2 ::1");
    for address in near.lines().filter(|address| *address != "::1") {
        let scoped = if address.starts_with("fe80") {
            format!("{address}%{link}")
        } else {
            address.to_owned()
        };
        arena.fails(&format!("busybox ping6 -c 1 -W 2 {scoped}"));
    }
}

fn link_layer(arena: &Arena) {
    let (own, web) = (arena.gateway("alpha"), arena.address("beta", "web"));
    let link = arena.link();
    arena.works(
        "alpha-evil",
        &format!("busybox arping -c 1 -w 3 -I {link} {own}"),
    );
    arena.fails(&format!("busybox arping -c 1 -w 3 -I {link} {web}"));
    // Nobody of beta has ever heard of alpha's interface.
    let mac = arena.allocated("/tenants/alpha/machines/evil/interfaces/default/mac");
    let seen = arena.works("beta-near", "ip neigh show");
    assert!(!seen.contains(&mac), "{seen}");
}

/// Prints every datagram to port 5353, multicast included, until one says that it is the last.
const LISTEN: &str = r#"exec perl -MIO::Socket::INET -e '
    $s = IO::Socket::INET->new(Proto => "udp", LocalPort => 5353) or die;
    setsockopt($s, 0, 35, pack("C8", 224, 0, 0, 251, 0, 0, 0, 0)) or die;
    alarm 60;
    while (defined $s->recv($m, 100)) { print $m; last if $m eq "last\n" }'"#;

/// A shell script that sends one datagram.
fn say(word: &str, to: &str) -> String {
    format!(
        r#"perl -MIO::Socket::INET -e 'IO::Socket::INET->new(Proto => "udp", Broadcast => 1,
            PeerAddr => "{to}", PeerPort => 5353)->send("{word}\n") or die'"#
    )
}

fn multicast(arena: &Arena) {
    // beta listens on its link while alpha shouts; what beta says last is heard, so it was listening all the time.
    let heard = std::thread::scope(|scope| {
        let listener = scope.spawn(|| arena.inside("beta-near", LISTEN));
        let listens = "grep -q :14E9 /proc/net/udp";
        arena.host.wait_for("beta listens", || {
            arena.inside("beta-near", listens).status.success()
        });
        for to in ["224.0.0.251", "255.255.255.255"] {
            arena.works("beta-near", &say("own", to));
            arena.works("alpha-evil", &say("shout", to));
        }
        arena.works("beta-near", &say("last", "127.0.0.1"));
        listener.join().unwrap()
    });
    let heard = String::from_utf8_lossy(&heard.stdout).into_owned();
    assert!(
        heard.starts_with("own\n") && heard.ends_with("last\n"),
        "{heard}"
    );
    assert!(!heard.contains("shout"), "{heard}");
}

fn files(arena: &Arena) {
    for path in ["/var/lib/tenants", "/var/lib/bitbuilder", "/run/bitbuilder"] {
        assert!(arena.host.exists(path), "{path}");
        arena.fails(&format!("ls {path}"));
    }
    // The host's control groups, seen from the top.
    let group = "system.slice/listener.service";
    assert!(arena.host.exists(&format!("/sys/fs/cgroup/{group}")));
    arena.fails(&format!("mount -t cgroup2 none /mnt && ls /mnt/{group}"));
    arena.fails("mknod /tmp/disk b 254 0 && head -c 1 /tmp/disk");
    arena.fails("echo 1 > /proc/sys/kernel/panic");
    arena.fails("echo h > /proc/sysrq-trigger");
    arena.fails("head -c 1 /dev/kmsg");
    // What its root writes belongs to nobody that the host or beta knows.
    arena.works("alpha-evil", "touch /root/mine");
    let owner = |tenant: &str, container: &str| {
        let path = format!("/var/lib/tenants/{tenant}/containers/{container}/upper");
        arena
            .host
            .exec_ok(["stat", "--format=%u", &path])
            .trim()
            .parse::<u64>()
            .unwrap()
    };
    let (alpha, beta) = (owner("alpha", "evil"), owner("beta", "near"));
    assert!(alpha >= 0x1000_0000 && beta >= 0x1000_0000);
    assert!(alpha.abs_diff(beta) >= 65_536);
}

fn processes(arena: &Arena) {
    let victim = arena
        .host
        .sh("systemctl show --property=MainPID --value listener.service");
    let victim = victim.trim();
    let names = arena.works("alpha-evil", "cat /proc/[0-9]*/comm");
    assert!(names.contains("systemd"), "its own processes: {names}");
    assert!(!names.contains("systemd-socket-"), "{names}");
    arena.inside("alpha-evil", &format!("kill -9 {victim}; kill -9 -1"));
    let state = arena.host.sh("systemctl is-active listener.service");
    assert_eq!(state.trim(), "active");
    // It has killed itself, which its restart policy mends.
    wait_healthy(&arena.host, "alpha");
    arena.host.wait_for("alpha answers again", || {
        arena.inside("alpha-evil", "true").status.success()
    });
    wait_healthy(&arena.host, "beta");
}

fn sockets(arena: &Arena) {
    let seen = arena.works("alpha-evil", "cat /proc/net/unix");
    assert!(!seen.contains("@bitbuilder-test"), "{seen}");
}

/// Last, because it breaks the attacker's own network.
fn spoofing(arena: &Arena) {
    let link = arena.link();
    let (own, web) = (arena.gateway("alpha"), arena.address("beta", "web"));
    arena.works(
        "alpha-evil",
        &format!("busybox arping -c 1 -w 3 -I {link} {own}"),
    );
    arena.works("alpha-evil", &format!("ip address add {web}/32 dev {link}"));
    arena.fails(&format!(
        "busybox arping -c 1 -w 3 -s {web} -I {link} {own}"
    ));
    arena.fails(&format!("busybox ping -c 1 -W 2 -I {web} {own}"));
    arena.works("alpha-evil", &format!(
        "ip link set {link} down; ip link set {link} address 02:00:00:00:00:99; ip link set {link} up"
    ));
    arena.fails(&format!("busybox arping -c 1 -w 3 -I {link} {own}"));
}
