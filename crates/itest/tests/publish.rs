//! Ports that are published and networks that are shared: what passes, with whose address, and that what is taken back
//! closes connections that are open.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod common;

use bitbuilder_itest::TestHost;
use common::{Repository, booted, command, inside, invocation, wait_healthy, works};
use serde_json::{Value, json};

/// Port 80 of TCP and of UDP: says who asks, and then what it is told.
const SERVE: &str = r#"exec perl -MIO::Socket::IP -e '
    my %at = (LocalHost => "::", LocalPort => 80, V6Only => 0, ReuseAddr => 1);
    if (!fork) {
        my $udp = IO::Socket::IP->new(%at, Proto => "udp") or die;
        while (1) { $udp->recv(my $said, 100); $udp->send($udp->peerhost . "\n") }
    }
    my $tcp = IO::Socket::IP->new(%at, Listen => 9) or die;
    $SIG{CHLD} = "IGNORE";
    while (my $one = $tcp->accept) {
        next if fork;
        $one->autoflush(1);
        print $one $one->peerhost . "\n";
        while (defined(my $line = <$one>)) { print $one $line }
        exit;
    }'"#;
const OUTSIDE: &str = "198.18.0.1";
const OUTSIDE6: &str = "fd99::1";

fn registry(limits: &Value) -> Repository {
    let system = Repository::new();
    let entry = |id: &str| {
        json!({
            "id": id,
            "repository": format!("file:///var/lib/bitbuilder/git/{id}.git"),
            "limits": limits,
            "allow": { "publish": ["tcp/8000-8099", "udp/8000-8099"] },
        })
    };
    let registry = json!({ "tenants": [entry("one"), entry("two")] });
    system.write("tenants/registry.json", &registry.to_string());
    system
}

fn topology(publish: &[&str], peering: &str) -> String {
    let publish = publish.join(", ");
    format!("networks:\n  default: {{ ipv6: auto }}\npublish: [{publish}]\npeering: [{peering}]\n")
}

const TCP: &str = "{ port: 8080, to: web, toPort: 80 }";
const SECOND: &str = "{ port: 8081, to: web, toPort: 80 }";
const UDP: &str = "{ port: 8080, protocol: udp, to: web, toPort: 80 }";

/// A container that serves, and whose link carries so much.
fn serving(megabits: u32) -> String {
    let more = "health: { tcp: 80, interval: 1s }\n";
    let networks = format!("networks: [{{ network: default, bandwidth: {megabits} }}]\n");
    command(SERVE, &format!("{more}{networks}"))
}

/// `one` serves and publishes; `two` has a machine to look from.
fn prepared() -> (TestHost, Repository, Repository) {
    let host = TestHost::new("publish");
    host.init();
    host.push_ok("system", registry(&json!({})).path());
    let one = Repository::tenant("one");
    one.write("containers/web/config.yaml", &serving(100_000));
    one.write("network/topology.yaml", &topology(&[TCP, SECOND, UDP], ""));
    let two = Repository::tenant("two");
    two.write("containers/look/config.yaml", &booted(""));
    two.write("network/topology.yaml", &topology(&[], ""));
    for (id, tenant) in [("one", &one), ("two", &two)] {
        host.push_ok(id, tenant.path());
        wait_healthy(&host, id);
    }
    // The way by IPv6, which a host of a test has none of.
    host.sh(&format!(
        "ip -6 address replace fd99::2/64 dev up0 nodad; ip -6 route replace {OUTSIDE6} dev up0"
    ));
    let link = host.outside(&format!(
        "link=$(ip -o -4 address show | sed -n 's/^[0-9]*: \\([^ ]*\\) *inet {OUTSIDE}.*/\\1/p'); \
         ip -6 address replace {OUTSIDE6}/64 dev $link nodad"
    ));
    assert!(link.status.success(), "{link:?}");
    (host, one, two)
}

#[test]
fn what_is_taken_back_is_closed() {
    let (host, one, two) = prepared();
    who_asks(&host);
    conflicts(&host, &two);
    unpublished(&host, &one);
    shared(&host, &one, &two);
    bandwidth(&host, &one);
    ceilings(&host);
}

/// Python of the outside: what the server says first.
fn ask(host: &TestHost, kind: &str, address: &str, port: u16) -> String {
    let output = host.outside(&format!(
        "python3 -c 'import socket
family, kind = socket.{family}, socket.{kind}
s = socket.socket(family, kind); s.settimeout(5); s.connect((\"{address}\", {port}))
s.send(b\"hello\\n\"); print(s.recv(100).decode().split()[0])'",
        family = if address.contains(':') {
            "AF_INET6"
        } else {
            "AF_INET"
        },
    ));
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{kind} {address}: {output:?}");
    said.trim().to_owned()
}

/// TCP and UDP, IPv4 and IPv6: the server sees who asks.
fn who_asks(host: &TestHost) {
    let mapped = format!("::ffff:{OUTSIDE}");
    let address = host.address().to_string();
    for kind in ["SOCK_STREAM", "SOCK_DGRAM"] {
        assert_eq!(ask(host, kind, &address, 8080), mapped, "{kind}");
        assert_eq!(ask(host, kind, "fd99::2", 8080), OUTSIDE6, "{kind}");
    }
}

/// A port of another tenant is refused when it is planned.
fn conflicts(host: &TestHost, two: &Repository) {
    let publish = "{ port: 8080, to: look }";
    two.write("network/topology.yaml", &topology(&[publish], ""));
    let output = host.push("two", two.path());
    let said = format!("{output:?}");
    assert!(
        said.contains("tcp/8080 is published by another tenant"),
        "{said}"
    );
    two.write("network/topology.yaml", &topology(&[], ""));
    host.push_ok("two", two.path());
}

/// An open connection by a port that is not published any more ends; one by another port goes on.
fn unpublished(host: &TestHost, one: &Repository) {
    let address = host.address();
    let client = format!(
        "python3 -c 'import socket, time
def connect(port):
    s = socket.create_connection((\"{address}\", port), 5)
    f = s.makefile(\"rw\")
    f.readline()
    return f
def echo(f):
    f.write(\"x\\n\"); f.flush()
    return f.readline() == \"x\\n\"
closed, stays = connect(8080), connect(8081)
end = time.monotonic() + 120
try:
    while time.monotonic() < end and echo(closed): time.sleep(0.05)
    print(\"ended\")
except ConnectionResetError: print(\"reset\")
print(echo(stays))'"
    );
    let output = std::thread::scope(|scope| {
        let client = scope.spawn(|| host.outside(&client));
        let count = "ss -Htn state established | grep -c ':80 ' || true";
        host.wait_for("two connections", || {
            let inside = host.sh(&format!("ip netns exec machine-one-web {count}"));
            inside.trim().parse::<u32>().is_ok_and(|count| count >= 2)
        });
        one.write("network/topology.yaml", &topology(&[SECOND, UDP], ""));
        host.push_ok("one", one.path());
        client.join().unwrap()
    });
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(said, "reset\nTrue\n", "{output:?}");
}

/// A network that both sides share is open both ways, by the addresses of the machines, until one takes it back.
fn shared(host: &TestHost, one: &Repository, two: &Repository) {
    let allocations = host.read_file("/var/lib/bitbuilder/allocations.json");
    let allocations: Value = serde_json::from_str(&allocations).unwrap();
    let address = |path: &str| allocations.pointer(path).and_then(Value::as_str).unwrap();
    let web = address("/tenants/one/machines/web/interfaces/default/address");
    let look = address("/tenants/two/machines/look/interfaces/default/address");
    let ask = format!("busybox nc -w 3 {web} 80 </dev/null");
    let refused = || !inside(host, "two-look", &ask).status.success();
    let publish = [SECOND, UDP];
    one.write(
        "network/topology.yaml",
        &topology(&publish, "{ tenant: two, network: default }"),
    );
    let said = host.push("one", one.path());
    let said = format!("{said:?}");
    assert!(
        said.contains("nothing is shared with tenant `two` yet"),
        "{said}"
    );
    assert!(refused());

    two.write(
        "network/topology.yaml",
        &topology(&[], "{ tenant: one, network: default }"),
    );
    host.push_ok("two", two.path());
    host.exec_ok(["bbctl", "sync"]);
    let said = works(host, "two-look", &ask);
    assert_eq!(said.trim(), format!("::ffff:{look}"));

    let client = format!(
        r#"perl -MIO::Socket::INET -e '
        my $s = IO::Socket::INET->new(PeerAddr => "{web}:80", Timeout => 5) or die; $s->autoflush(1);
        my $first = <$s>; open my $f, ">", "/run/connected"; close $f;
        $SIG{{ALRM}} = sub {{ print "silent\n"; exit }};
        for (1 .. 2400) {{ alarm 5; print $s "x\n"; last unless defined <$s>; select undef, undef, undef, 0.05 }}
        print "ended\n"'"#
    );
    let output = std::thread::scope(|scope| {
        let client = scope.spawn(|| inside(host, "two-look", &client));
        host.wait_for("a connection", || {
            inside(host, "two-look", "test -e /run/connected")
                .status
                .success()
        });
        one.write("network/topology.yaml", &topology(&publish, ""));
        host.push_ok("one", one.path());
        client.join().unwrap()
    });
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "silent\n",
        "{output:?}"
    );
    assert!(refused());
}

/// Whether a rule of `chain` that says `what` dropped packets.
fn dropped(host: &TestHost, family: &str, chain: &str, what: &str) -> bool {
    let rules = host.exec_ok(["nft", "list", "chain", family, "bitbuilder", chain]);
    let mut lines = rules.lines().filter(|line| line.contains(what));
    lines.any(|line| !line.contains("packets 0 "))
}

/// Python of the outside that sends a megabyte at once by UDP.
fn flood(host: &TestHost, more: &str) {
    let address = host.address();
    let output = host.outside(&format!(
        "python3 -c 'import socket
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for _ in range(1000): udp.sendto(b\"x\" * 1400, (\"{address}\", 8080))
{more}'"
    ));
    assert!(output.status.success(), "{output:?}");
}

/// The link of a machine carries what its attachment says, each way; a change touches no process.
fn bandwidth(host: &TestHost, one: &Repository) {
    // The router is where every packet of it may go, and where this one ends.
    let sends = r#"ip netns exec machine-one-web perl -MIO::Socket::INET -e '
        my ($router) = qx(ip -4 route show default) =~ /via (\S+)/ or die;
        my $udp = IO::Socket::INET->new(Proto => "udp", PeerAddr => $router, PeerPort => 9) or die;
        $udp->send("x" x 1400) for 1 .. 1000'"#;
    let over = |chain| dropped(host, "bridge", chain, "Mbit/s");
    let before = invocation(host, "one-web");
    flood(host, "");
    host.sh(sends);
    let (sent, got) = ("one/antispoof", "one/bandwidth");
    assert!(!over(sent) && !over(got), "nothing is too much");
    one.write("containers/web/config.yaml", &serving(1));
    host.push_ok("one", one.path());
    flood(host, "");
    host.wait_for("more than the machine gets", || over(got));
    assert!(!over(sent), "each way by itself");
    host.sh(sends);
    host.wait_for("more than the machine sends", || over(sent));
    assert_eq!(invocation(host, "one-web"), before);
    host.exec_ok(["bbctl", "drift", "one", "--exit-code"]);
}

/// What the registry allows is what passes: connections a second, and bandwidth.
fn ceilings(host: &TestHost) {
    let address = host.address();
    let connect = format!(
        "for _ in range(20):
    tcp = socket.socket(); tcp.setblocking(False); tcp.connect_ex((\"{address}\", 8081))"
    );
    let bytes = || dropped(host, "inet", "one/to", "more bandwidth");
    let connections = || dropped(host, "inet", "one/inbound", "more connections a second");
    let apply = |limits: Value| {
        host.push_ok("system", registry(&limits).path());
        host.exec_ok(["bbctl", "sync"]);
        flood(host, &connect);
    };
    apply(json!({ "bandwidth": 100_000, "connections": 1_000_000 }));
    assert!(!bytes() && !connections(), "nothing is too much");
    apply(json!({ "bandwidth": 1, "connections": 2 }));
    host.wait_for("bytes that are too many", bytes);
    host.wait_for("connections that are too many", connections);
    // Both are as they were rendered.
    host.exec_ok(["bbctl", "drift", "one", "--exit-code"]);
}
