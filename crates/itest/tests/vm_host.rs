//! VM hosts: that they boot, go on from snapshots and join, and what a tenant meets on a kernel with everything.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod common;

use bitbuilder_itest::VmHost;
use common::{example, generation, invocation, wait_healthy};
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::thread;

#[test]
fn a_host_boots_a_kernel_of_its_own_with_every_controller() {
    let host = VmHost::stopped("vm-boot");
    // A degraded host is a panic that names the units.
    host.boot();
    assert_eq!(host.exec_ok(["hostname"]).trim(), host.name());
    let version = host.exec_ok(["systemctl", "--version"]);
    assert!(version.starts_with("systemd 262 "), "{version}");
    let ours = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    assert_ne!(host.read_file("/proc/sys/kernel/osrelease"), ours);
    let controllers = host.read_file("/sys/fs/cgroup/cgroup.controllers");
    for controller in ["cpuset", "cpu", "io", "memory", "pids"] {
        let mut found = controllers.split_whitespace();
        assert!(found.any(|found| found == controller), "{controllers}");
    }
    host.exec_ok(["systemctl", "is-enabled", "bitbuilder-sync.timer"]);
}

#[test]
fn a_killed_host_leaves_no_process_and_no_lock() {
    let host = VmHost::new("vm-killed");
    let directory = host.directory();
    let processes = processes_of(host.name());
    assert_eq!(processes.len(), 1, "{processes:?}");
    // It needs no privileges.
    let status = fs::read_to_string(processes[0].join("status")).unwrap();
    assert!(status.contains("\nCapEff:\t0000000000000000\n"), "{status}");
    host.crash();
    assert_eq!(processes_of(host.name()), Vec::<PathBuf>::new());
    let mut locks = 0;
    for entry in fs::read_dir(&directory).unwrap() {
        let path = entry.unwrap().path();
        if path
            .extension()
            .is_some_and(|extension| extension == "lock")
        {
            fs::File::open(&path).unwrap().try_lock().unwrap();
            locks += 1;
        }
    }
    assert!(locks > 0, "{} has no locks", directory.display());
    drop(host);
    assert!(!directory.exists(), "{} stays", directory.display());

    // One that runs ends with its host.
    let host = VmHost::new("vm-dropped");
    let (directory, name) = (host.directory(), host.name().to_owned());
    drop(host);
    assert_eq!(processes_of(&name), Vec::<PathBuf>::new());
    assert!(!directory.exists(), "{} stays", directory.display());
}

/// Directories in `/proc` of what runs the host; a zombie has no command line.
fn processes_of(host: &str) -> Vec<PathBuf> {
    let files = format!("vm/hosts/{host}/");
    let processes = fs::read_dir("/proc").unwrap();
    let processes = processes.map(|entry| entry.unwrap().path());
    let line = |process: &PathBuf| fs::read(process.join("cmdline")).unwrap_or_default();
    processes
        .filter(|process| String::from_utf8_lossy(&line(process)).contains(&files))
        .collect()
}

#[test]
fn commands_pass_their_streams_and_their_exit_status() {
    let host = VmHost::new("vm-commands");
    let output = host.sh_try("echo out; echo err >&2; exit 7");
    assert_eq!(output.status.code(), Some(7));
    assert_eq!(output.stdout, b"out\n");
    assert_eq!(output.stderr, b"err\n");
    let killed = host.exec(["sh", "-c", "kill -9 $$"]);
    assert_eq!(killed.status.signal(), Some(9));

    // More than fits into any buffer on the way, in both directions.
    let bytes: Vec<u8> = (0..10_000_000_u32).map(|n| (n % 251) as u8).collect();
    host.write_file("/root/deep/big", &bytes);
    let output = host.exec(["cat", "/root/deep/big"]);
    assert!(output.stdout == bytes, "{} came back", output.stdout.len());

    // More commands at once than there are channels.
    thread::scope(|scope| {
        for number in 0..8 {
            let host = &host;
            let script = format!("sleep .2; echo {number}");
            scope.spawn(move || assert_eq!(host.sh(&script), format!("{number}\n")));
        }
    });
}

#[test]
fn the_kernel_has_what_container_hosts_lack() {
    let host = VmHost::new("vm-kernel");
    // Two namespaces, a cable between them, and what is probed on top of it.
    host.sh(
        "ip netns add a; ip netns add b; ip link add p0 netns a type veth peer name p0 netns b; \
         for n in a b; do ip -n $n link set lo up; ip -n $n link set p0 up; done; \
         ip -n a address add 10.9.0.1/24 dev p0; ip -n b address add 10.9.0.2/24 dev p0",
    );
    host.sh(VLAN);
    host.sh(VRF);
    host.sh(VERITY);
    host.sh(CRYPT);
}

/// A tagged network, and that the same number on one side only reaches nobody.
const VLAN: &str = "
for n in a b; do ip -n $n link add link p0 name p0.7 type vlan id 7; ip -n $n link set p0.7 up; done
ip -n a address add 10.7.0.1/24 dev p0.7; ip -n b address add 10.7.0.2/24 dev p0.7
ip netns exec a ping -c 1 -W 20 10.7.0.2
ip -n b link delete p0.7; ip -n b link add link p0 name p0.7 type vlan id 8; ip -n b link set p0.7 up
ip -n b address add 10.7.0.2/24 dev p0.7; ip -n a neighbour flush dev p0.7
! ip netns exec a ping -c 1 -W 1 10.7.0.2";

/// The same subnet twice: each table has its own neighbour at the same address.
const VRF: &str = "
number=10
for n in one two; do
  ip netns add $n; ip link add vrf-$n type vrf table $number; number=$((number + 1)); ip link set vrf-$n up
  ip link add v-$n master vrf-$n type veth peer name v netns $n
  ip address add 10.6.0.1/24 dev v-$n; ip link set v-$n up
  ip -n $n address add 10.6.0.2/24 dev v; ip -n $n link set v up
  ping -c 1 -W 20 -I vrf-$n 10.6.0.2
done
ip -n one link set v down
! ping -c 1 -W 1 -I vrf-one 10.6.0.2
ping -c 1 -W 20 -I vrf-two 10.6.0.2";

/// What was changed after its root hash was taken cannot be read.
const VERITY: &str = "
cd /root; head -c 4M /dev/urandom >data
root=$(veritysetup format data hash | sed -n 's/^Root hash:[[:space:]]*//p')
veritysetup open data verified hash $root
cmp data /dev/mapper/verified
veritysetup close verified
printf tampered | dd of=data bs=1 seek=1048576 conv=notrunc status=none
veritysetup open data verified hash $root
! cat /dev/mapper/verified >/dev/null
veritysetup close verified";

/// What is written is not what is on the disk, and is there again with the same key only.
const CRYPT: &str = "
cd /root; truncate -s 32M vault; head -c 32 /dev/urandom >key; head -c 32 /dev/urandom >other
cryptsetup luksFormat --batch-mode --pbkdf pbkdf2 --pbkdf-force-iterations 1000 vault key
cryptsetup open --key-file key vault vault
echo a secret that is written >/dev/mapper/vault
cryptsetup close vault
! grep -q 'a secret that is written' vault
! cryptsetup open --key-file other vault vault
cryptsetup open --key-file key vault vault
test \"$(head -n 1 /dev/mapper/vault)\" = 'a secret that is written'
cryptsetup close vault";

#[test]
fn limits_of_a_tenant_are_the_kernels_and_a_power_cut_takes_nothing() {
    let host = VmHost::new("vm-shop");
    host.init();
    host.push_ok("system", &example("system"));
    let output = host.push_ok("shop", &example("shop"));
    assert!(output.contains("shop: healthy"), "{output}");
    wait_healthy(&host, "shop");
    assert_limits(&host);
    let before = invocation(&host, "shop-web");
    let shop = format!("http://{}:8080/cgi-bin/orders", host.address());
    let order = host.outside(&format!("busybox wget -qO- --post-data order=lamp {shop}"));
    assert_eq!(order.stdout, b"Ordered: lamp\n", "{order:?}");
    host.sh("sync");

    host.crash();
    host.boot();
    wait_healthy(&host, "shop");
    assert_eq!(generation(&host, "shop"), 1);
    assert_ne!(invocation(&host, "shop-web"), before);
    assert_limits(&host);
    let orders = host.outside(&format!("busybox wget -qO- {shop}"));
    assert!(orders.stdout.starts_with(b"lamp\n"), "{orders:?}");
}

/// What `examples/shop` says, in the files of the kernel.
fn assert_limits(host: &VmHost) {
    let limits = |unit: &str| {
        let group = host.exec_ok(["systemctl", "show", "-P", "ControlGroup", unit]);
        let group = group.trim();
        assert!(!group.is_empty(), "{unit} has no control group");
        let read = |file: &str| host.read_file(&format!("/sys/fs/cgroup{group}/{file}"));
        ["memory.max", "cpu.max", "pids.max"].map(|file| read(file).trim().to_owned())
    };
    assert_eq!(
        limits("tenant-shop.slice"),
        ["536870912", "100000 100000", "512"]
    );
    let container = ["134217728", "50000 100000", "64"];
    for name in ["web", "db"] {
        assert_eq!(
            limits(&format!("systemd-nspawn@shop-{name}.service")),
            container
        );
    }
}

#[test]
fn hosts_go_on_from_one_boot_are_two_and_reach_each_other_by_wire_and_tunnel() {
    let before = seconds();
    let (one, other) = (VmHost::new("vm-one"), VmHost::new("vm-other"));
    // Nobody booted: the kernel that runs in both is that of the snapshot.
    let boot = |host: &VmHost| host.read_file("/proc/sys/kernel/random/boot_id");
    assert_eq!(boot(&one), boot(&other));
    // All the same they are two.
    for file in ["/etc/machine-id", "/etc/hostname"] {
        assert_ne!(one.read_file(file), other.read_file(file), "{file}");
    }
    let random = |host: &VmHost| host.exec_ok(["od", "-An", "-tx1", "-N16", "/dev/urandom"]);
    assert_ne!(random(&one), random(&other));
    for host in [&one, &other] {
        assert_eq!(host.exec_ok(["hostname"]).trim(), host.name());
        // The clock is not that of the snapshot.
        let now: u64 = host.exec_ok(["date", "+%s"]).trim().parse().unwrap();
        assert!((before..=seconds()).contains(&now), "{now}, {before}");
    }

    let wire = one.wire(&other);
    for (host, address) in [(&one, "10.1.0.1/24"), (&other, "10.1.0.2/24")] {
        host.sh(&format!(
            "ip address add {address} dev wire0; ip link set wire0 up"
        ));
    }
    let ping = "ping -c 1 -W 2 10.1.0.2";
    one.wait_sh(ping);
    tunnel(&one, &other);
    let carrier = |up: &str| {
        for host in [&one, &other] {
            host.wait_sh(&format!("test $(cat /sys/class/net/wire0/carrier) = {up}"));
        }
    };
    wire.set(false).unwrap();
    carrier("0");
    assert!(!one.sh_try(ping).status.success());
    wire.set(true).unwrap();
    carrier("1");
    one.wait_sh(ping);
}

/// A packet through WireGuard between 10.1.0.1 and 10.1.0.2, and none for who has another key.
fn tunnel(one: &VmHost, other: &VmHost) {
    let key = "umask 077; wg genkey >/root/key; wg pubkey </root/key";
    let keys = [one, other].map(|host| host.sh(key).trim().to_owned());
    let ends = [(one, &keys[1], 1, 2), (other, &keys[0], 2, 1)];
    for (host, peer, own, theirs) in ends {
        host.sh(&format!(
            "ip link add wg0 type wireguard
            wg set wg0 listen-port 5000 private-key /root/key \
              peer {peer} allowed-ips 10.8.0.{theirs}/32 endpoint 10.1.0.{theirs}:5000
            ip address add 10.8.0.{own}/24 dev wg0; ip link set wg0 up"
        ));
    }
    let ping = "ping -c 1 -W 2 10.8.0.2";
    one.wait_sh(ping);
    let handshake = "test $(wg show wg0 latest-handshakes | cut -f 2) -gt 0";
    other.sh(handshake);
    other.sh("umask 077; wg genkey >/root/another; wg set wg0 private-key /root/another");
    assert!(!one.sh_try(ping).status.success());
}

fn seconds() -> u64 {
    let epoch = std::time::SystemTime::UNIX_EPOCH;
    epoch.elapsed().unwrap().as_secs()
}
