//! What a compiler in the hands of a tenant could say.

use crate::Case;
use crate::fixtures::*;
use bitbuilder_core::artefact::{OwnedDirectory, OwnedUnit, UnitKind};
use bitbuilder_core::desired::Layer;
use bitbuilder_core::model::{Limits, Name, NetworkMode};
use proptest::prelude::*;

const WEB: &str = "system/systemd-nspawn@shop-web.service.d/50-bitbuilder.conf";
const DB: &str = "system/systemd-nspawn@shop-db.service.d/50-bitbuilder.conf";
const DEPENDENCIES: &str = "system/systemd-nspawn@shop-web.service.d/70-dependencies.conf";
const SLICE: &str = "system/tenant-shop.slice";
const RULES: &str = "nftables/ruleset.json";
const BRIDGE: &str = "network/10-bitbuilder-br-shop.network";
const PORTS: &str = "network/10-bitbuilder-ports-shop.network";
const ROOT: &str = "mounts/var-lib-tenants-shop-containers-web-rootfs.mount";
const IMAGE: &str = "mounts/var-lib-tenants-shop-layers-0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef.mount";
const TIMER: &str = "system/tenant-health@shop-web.timer.d/50-bitbuilder.conf";

/// After `edit` the shop is refused by `rule`.
#[track_caller]
fn refused(rule: &str, edit: impl FnOnce(&mut Case)) {
    let mut case = Case::of(&shop());
    edit(&mut case);
    let findings = case.findings();
    assert!(
        findings.iter().any(|finding| finding.rule == rule),
        "{rule}: {findings:#?}"
    );
}

/// After the replacement in `path` the shop is refused by `rule`.
#[track_caller]
fn edited(rule: &str, path: &str, from: &str, to: &str) {
    refused(rule, |case| case.edit(path, from, to));
}

#[test]
fn files_stay_in_their_places() {
    for path in [
        "../../x",
        "/etc/passwd",
        "system/../x",
        "hosts//web",
        "hosts/a\nb",
        "./boot",
    ] {
        refused("path-outside", |case| case.add(path, "boot"));
    }
    for path in [
        "generation.json",
        "system/sshd.service",
        "system/sshd.service.d/50-bitbuilder.conf",
        "system/systemd-nspawn@shop-web.service.d/99-more.conf",
        "system/systemd-nspawn@other-web.service.d/50-bitbuilder.conf",
        "system/tenant@other.service.d/50-bitbuilder.conf",
        "system/tenant-other.slice",
        "system/systemd-nspawn@shop-web.service",
        "mounts/etc.mount",
        "mounts/var-lib-tenants-other-x.mount",
        "network/00-eth0.network",
        "network/10-bitbuilder-eth0.network",
        "network/10-bitbuilder-br-shop.link",
        "nftables/more.json",
        "hosts/other",
        "links/web.sh",
        "links/other.host",
        "credentials/web/a/b",
        "scripts",
    ] {
        refused("unknown-file", |case| case.add(path, "boot"));
    }
    refused("path-outside", |case| {
        case.add("scripts/pre-provision.sh/x", "scripts/pre-provision.sh")
    });
}

#[test]
fn tunnels_take_nobody_elses_packets_and_keys() {
    const DEVICE: &str = "network/10-bitbuilder-wg-office.netdev";
    const TUNNEL: &str = "network/10-bitbuilder-wg-office.network";
    let rows = [
        ("setting", DEVICE, "shop.office.key", "other.office.key"),
        (
            "setting",
            DEVICE,
            "/run/bitbuilder/wireguard/shop.",
            "/etc/",
        ),
        ("setting", DEVICE, "ListenPort=51820", "ListenPort=22"),
        (
            "setting",
            DEVICE,
            "Endpoint=vpn.example",
            "Endpoint=@vpn.example",
        ),
        (
            "setting",
            TUNNEL,
            "Destination=10.98.0.0/16\nTable=",
            "Destination=10.98.0.0/16\n#",
        ),
        ("setting", TUNNEL, "Table=48251820", "Table=254"),
        ("setting", TUNNEL, "IncomingInterface=wg-office\n", ""),
        ("setting", TUNNEL, "From=172.20.16.1", "From=172.20.17.9"),
        ("setting", TUNNEL, "Group=48059", "Group=0"),
        ("link-command", "uplinks/vx-wide", "id 7002", "id 7"),
        (
            "link-command",
            "uplinks/vx-over",
            "local 172.20.16.1",
            "local 10.0.0.1",
        ),
        (
            "link-command",
            "uplinks/vx-cast",
            "dev eno1",
            "master br-other",
        ),
        (
            "link-command",
            "uplinks/vx-cast",
            "link add",
            "link delete eno1\nlink add",
        ),
        ("packet-rule", RULES, "wg-office", "eno1"),
        ("packet-rule", RULES, "\"right\":7002", "\"right\":9"),
        ("packet-rule", RULES, "vx-wide", "vx-other"),
    ];
    for (rule, path, from, to) in rows {
        let mut case = Case::of(&tunnels());
        case.edit(path, from, to);
        let findings = case.findings();
        let found = findings.iter().any(|finding| finding.rule == rule);
        assert!(found, "{path}: {from} -> {to}: {findings:#?}");
    }
}

#[test]
fn modes_are_sane() {
    for mode in [0o4755, 0o666, 0o777, 0o600] {
        refused("mode", |case| {
            case.artefacts.files.get_mut(WEB).unwrap().mode = mode
        });
    }
}

#[test]
fn sizes_are_bounded() {
    refused("too-large", |case| {
        let file = case
            .artefacts
            .files
            .get_mut("scripts/pre-provision.sh")
            .unwrap();
        file.content = vec![b'x'; 33 << 20];
    });
    refused("too-large", |case| {
        for number in 0..50_001 {
            case.add(&format!("scripts/{number}"), "scripts/pre-provision.sh");
        }
    });
}

#[test]
fn units_wait_and_are_lent_only_within_the_tenant() {
    let needs = |unit: &mut OwnedUnit| unit.needs.push("systemd-nspawn@other-web.service".into());
    let lent = |unit: &mut OwnedUnit| drop(unit.leases.insert("br-other".into(), "x".into()));
    for change in [needs as fn(&mut OwnedUnit), lent] {
        refused("foreign-unit", |case| {
            let mut units = case.artefacts.units.iter_mut();
            let workload = units.find(|unit| unit.kind == UnitKind::Workload);
            change(workload.unwrap());
        });
    }
}

#[test]
fn units_are_the_tenants() {
    let add = |case: &mut Case, name: &str, kind| {
        case.artefacts.units.push(OwnedUnit {
            autostart: true,
            ..OwnedUnit::new(name, kind)
        });
    };
    for (unit, kind) in [
        ("sshd.service", UnitKind::Workload),
        ("systemd-nspawn@other-web.service", UnitKind::Workload),
        ("tenant@other.service", UnitKind::Tenant),
        ("tenant-health@shop-web.service", UnitKind::Health),
        ("tenant-other.slice", UnitKind::Slice),
        ("-.slice", UnitKind::Slice),
        ("etc.mount", UnitKind::Mount),
        ("var-lib-tenants-shopping-x.mount", UnitKind::Mount),
        ("tenant-shop.slice", UnitKind::Mount),
    ] {
        refused("foreign-unit", |case| add(case, unit, kind));
    }
    refused("unit-twice", |case| {
        add(case, "tenant@shop.service", UnitKind::Tenant)
    });
    refused("missing-file", |case| {
        add(case, "var-lib-tenants-shop-x.mount", UnitKind::Mount);
    });
    refused("unknown-unit", |case| {
        case.artefacts.units[1].requires.push("boot.mount".into());
    });
    refused("foreign-unit", |case| {
        let web = case
            .artefacts
            .units
            .iter_mut()
            .find(|u| u.name.ends_with("shop-web.service"));
        web.unwrap().workload = Some(name("db"));
    });
    refused("foreign-unit", |case| {
        case.artefacts.files.get_mut(WEB).unwrap().unit = Some("sshd.service".into());
    });
    // Without its drop-in upstream's unit would run whatever is in /var/lib/machines/.
    refused("missing-file", |case| {
        drop(case.artefacts.files.remove(WEB))
    });
    refused("missing-file", |case| {
        case.artefacts.units.retain(|u| u.kind != UnitKind::Slice)
    });
}

#[test]
fn layers_and_directories_are_the_tenants() {
    for key in ["../../etc", "", "zz", &"A".repeat(40)] {
        let path = "containers/web/rootfs-overlay".to_owned();
        refused("layer", |case| {
            case.artefacts.layers.push(Layer {
                key: key.into(),
                path,
            })
        });
    }
    refused("layer", |case| {
        case.artefacts.layers[0].path = "../x".into()
    });
    for (path, owner, mode) in [
        ("../other", 0, 0o755),
        ("config.git", 0, 0o755),
        ("generations", 0, 0o755),
        ("current", 0, 0o755),
        ("containers/web/upper", 0, 0o755),
        ("containers/web/upper", 1000, 0o755),
        ("containers/web/rootfs", 268_500_992, 0o755),
        ("containers/web/etc", 0, 0o755),
        ("containers/other", 0, 0o755),
        ("volumes/..", 268_500_992, 0o755),
        ("volumes/data", 0, 0o755),
        ("volumes/data", 268_500_992, 0o4777),
        ("layers/../../../etc", 0, 0o755),
    ] {
        let path = path.to_owned();
        refused("directory", |case| {
            case.artefacts
                .directories
                .push(OwnedDirectory { path, owner, mode });
        });
    }
}

#[test]
fn the_boot_links_this_set_and_all_of_it() {
    for line in [
        "sshd.service\tsystem/tenant-shop.slice\n",
        "x.service\t/etc/shadow\n",
        "multi-user.target.wants/sshd.service\t/usr/lib/systemd/system/sshd.service\n",
        "multi-user.target.wants/tenant@other.service\t/usr/lib/systemd/system/tenant@.service\n",
        "../../x\tsystem/tenant-shop.slice\n",
        "tenant-shop.slice\t../../../../etc/passwd\n",
        "tenant@other.service.wants/systemd-nspawn@shop-web.service\t/usr/lib/systemd/system/systemd-nspawn@.service\n",
        "nonsense\n",
    ] {
        refused("boot-link", |case| {
            case.artefacts
                .files
                .get_mut("boot")
                .unwrap()
                .content
                .extend(line.bytes());
        });
    }
    edited(
        "boot-link",
        "boot",
        "tenant-shop.slice\tsystem/tenant-shop.slice\n",
        "",
    );
    edited("boot-link", "mount-boot", "mounts/var", "system/var");
    refused("missing-file", |case| {
        drop(case.artefacts.files.remove("boot"))
    });
    refused("boot-link", |case| case.registration.enabled = false);
}

#[test]
fn units_have_known_settings_only() {
    for line in [
        "ExecStartPost=/bin/sh -c id",
        "Environment=SYSTEMD_SECCOMP=0",
        "User=root",
        "Restart=always\\",
        "Slice=system.slice",
        "PartOf=sshd.service",
        "Requires=sshd.service",
        "After=systemd-nspawn@other-web.service",
        "LoadCredentialEncrypted=x:/etc/shadow",
        "ExecStartPre=+/bin/sh",
        "ExecStartPre=cp -T /etc/shadow /var/lib/tenants/shop/hosts/web",
        "ExecStartPre=ip -batch /var/lib/tenants/other/current/links/web.host",
        "ExecStopPost=-ip link delete dev eth0",
        "Description=%H",
        "[Install]",
    ] {
        refused("setting", |case| {
            let more = format!("{}\nAlias=x.service\n", line.trim_end_matches('\\'));
            case.artefacts
                .files
                .get_mut(WEB)
                .unwrap()
                .content
                .extend(more.bytes());
        });
        let rule = if line.ends_with('\\') {
            "syntax"
        } else {
            "setting"
        };
        if !line.starts_with('[') {
            refused(rule, |case| {
                let more = format!("{line}\n");
                case.artefacts
                    .files
                    .get_mut(WEB)
                    .unwrap()
                    .content
                    .extend(more.bytes());
            });
        }
    }
    edited("setting", WEB, "Slice=tenant-shop.slice\n", "");
    edited("setting", WEB, "PartOf=tenant@shop.service\n", "");
    edited("setting", WEB, "After=tenant-network@shop.service\n", "");
    edited(
        "setting",
        WEB,
        "X-BitBuilder-Tenant=shop",
        "X-BitBuilder-Tenant=other",
    );
    edited(
        "setting",
        "system/tenant@shop.service.d/50-bitbuilder.conf",
        "LogExtraFields=",
        "ExecStart=",
    );
    edited(
        "setting",
        "system/tenant@shop.service.d/50-bitbuilder.conf",
        "BITBUILDER_",
        "MESSAGE_",
    );
    edited(
        "setting",
        "system/tenant-health@shop-web.service.d/50-bitbuilder.conf",
        "Slice=tenant-shop.slice\n",
        "",
    );
    edited(
        "setting",
        TIMER,
        "PartOf=systemd-nspawn@shop-web.service",
        "PartOf=sshd.service",
    );
    edited("setting", TIMER, "=500ms", "=1ms");
    edited(
        "setting",
        DEPENDENCIES,
        "Wants=systemd-nspawn@shop-db.service",
        "Wants=sshd.service",
    );
    edited(
        "setting",
        DEPENDENCIES,
        "After=systemd-nspawn@shop-db.service",
        "After=systemd-nspawn@shop-gone.service",
    );
    edited("setting", DEPENDENCIES, "wait shop db", "wait other db");
    edited(
        "setting",
        DEPENDENCIES,
        "+/usr/lib/bitbuilder/tenant-health",
        "+/bin/sh",
    );
    edited("syntax", SLICE, "[Slice]", "[Slice] ");
    refused("not-text", |case| {
        case.artefacts.files.get_mut(SLICE).unwrap().content = vec![0xff, 0xfe];
    });
}

#[test]
fn the_registrys_limits_hold() {
    edited("limit", SLICE, "MemoryMax=2147483648", "MemoryMax=infinity");
    edited(
        "limit",
        SLICE,
        "MemoryMax=2147483648",
        "MemoryMax=2147483649",
    );
    edited("limit", SLICE, "CPUQuota=200%", "CPUQuota=");
    edited("limit", SLICE, "CPUQuota=200%", "CPUQuota=200.1%");
    edited("limit", SLICE, "TasksMax=1024\n", "");
    edited(
        "limit",
        SLICE,
        "TasksMax=1024\n",
        "TasksMax=1024\nTasksMax=infinity\n",
    );
    edited("setting", SLICE, "IOWeight=100", "IOWeight=10000");
}

#[test]
fn containers_are_confined() {
    for (from, to) in [
        (" --private-users=268500992:65536", ""),
        (" --private-users=268500992:65536", " --private-users=no"),
        (
            " --private-users=268500992:65536",
            " --private-users=0:65536",
        ),
        (
            " --private-users-ownership=off",
            " --private-users-ownership=chown",
        ),
        (" --no-new-privileges=yes", ""),
        (" --settings=no", " --settings=trusted"),
        (
            " --settings=no --machine=shop-web",
            " --settings=no --machine=other-web",
        ),
        (
            " --hostname=web --directory=/var/lib/tenants/shop/containers/web/rootfs",
            " --hostname=web --directory=/",
        ),
        (" --capability=CAP_IPC_LOCK", " --capability=CAP_SYS_MODULE"),
        (" --capability=CAP_IPC_LOCK", " --capability=all"),
        (",CAP_MKNOD", ""),
        (
            "--system-call-filter=@aio @memlock",
            "--system-call-filter=@module",
        ),
        ("AF_PACKET\"", "AF_VSOCK\""),
        (
            " \"--restrict-address-families=AF_UNIX AF_INET AF_INET6 AF_NETLINK AF_PACKET\"",
            "",
        ),
        (
            " --network-interface=p2de8610df41e81:host0",
            " --network-interface=eth0:host0",
        ),
        (" --bind-ro=/var/lib/tenants/shop/hosts/web", " --bind=/etc"),
        (
            " --bind-ro=/var/lib/tenants/shop/hosts/web:",
            " --bind=/var/lib/tenants/shop/hosts/web:",
        ),
        (" --boot", " --boot=x"),
        (" --boot", " -D /"),
        (" --boot", " --network-veth --boot"),
        (" --boot", " --load-credential=x:/etc/shadow --boot"),
        (" --boot", " --setenv=SECRET --boot"),
        (" --boot", " --ephemeral --boot"),
        ("ExecStart=systemd-nspawn", "ExecStart=+systemd-nspawn"),
        ("ExecStart=systemd-nspawn", "ExecStart=/bin/sh"),
        ("ExecStart=\n", ""),
        ("=web \"systemd", "=%H \"systemd"),
    ] {
        edited("command", WEB, from, to);
    }
    edited(
        "command",
        DB,
        " --network-namespace-path=/run/netns/machine-shop-db",
        "",
    );
    edited(
        "command",
        DB,
        "/run/netns/machine-shop-db --res",
        "/proc/1/ns/net --res",
    );
    for to in [
        "--bind=/var/lib/tenants/shop/volumes/../config.git:/data",
        "--bind=/var/lib/tenants/other/volumes/data:/data",
        "--bind=/var/lib/tenants/shop/volumes/data:/data:rootidmap",
        "--bind=/:/data",
    ] {
        edited(
            "command",
            DB,
            "--bind=/var/lib/tenants/shop/volumes/data:/data",
            to,
        );
    }
}

#[test]
fn mounts_show_images_and_the_tenants_own() {
    for (from, to) in [
        (
            "What=/usr/lib/bitbuilder/templates/tenant-container/rootfs",
            "What=/etc",
        ),
        ("Options=bind,ro", "Options=bind,rw"),
        ("b:0:268500992:65536", "b:0:0:65536"),
        ("nodev,", ""),
        (
            "Where=/var/lib/tenants/shop/layers/",
            "Where=/var/lib/tenants/other/layers/",
        ),
        ("Type=none", "Type=ext4"),
        ("Type=none\n", "Type=none\nOptions=bind\n"),
    ] {
        edited("mount", IMAGE, from, to);
    }
    for (from, to) in [
        (
            "lowerdir=/var/lib/tenants/shop/layers/fedc",
            "lowerdir=/etc:/var/lib/tenants/shop/layers/fedc",
        ),
        (
            "lowerdir=/var/lib/tenants/shop/layers/",
            "lowerdir=/var/lib/tenants/shop/layers/../",
        ),
        (
            "upperdir=/var/lib/tenants/shop/containers/web",
            "upperdir=/var/lib/tenants/other/containers/web",
        ),
        (
            "workdir=/var/lib/tenants/shop/containers/web/work",
            "workdir=/tmp",
        ),
        (
            "Where=/var/lib/tenants/shop/containers/web/rootfs",
            "Where=/usr",
        ),
        ("nodev,", "nodev,suid,"),
    ] {
        edited("mount", ROOT, from, to);
    }
    edited(
        "setting",
        ROOT,
        "Conflicts=umount.target",
        "Conflicts=sshd.service",
    );
    edited("setting", ROOT, "Requires=var-lib", "Requires=etc-lib");
    edited(
        "setting",
        ROOT,
        "DefaultDependencies=no",
        "DirectoryMode=0777",
    );
    refused("directory", |case| case.templates.clear());
    refused("mount", |case| {
        let template = case.templates.values_mut().next().unwrap();
        template.image.root = "/usr/lib/bitbuilder/templates/other/rootfs".into();
    });
}

#[test]
fn networks_are_the_tenants() {
    for (from, to) in [
        ("Name=br-shop", "Name=*"),
        ("Name=br-shop", "Name=eth0"),
        ("Name=br-shop\n", ""),
        ("Group=48059\n", ""),
        ("Group=48059", "Group=1"),
        ("Address=172.20.16.1/24", "Address=10.0.0.1/8"),
        ("IPv6AcceptRA=no", "IPv6AcceptRA=yes"),
        ("IPv6AcceptRA=no", "IPMasquerade=both"),
        ("EmitNTP=no", "EmitRouter=yes"),
        (
            "MACAddress=02:bb:00:01:00:03",
            "MACAddress=02:00:00:00:00:01",
        ),
        ("Address=172.20.16.3", "Address=172.20.17.3"),
        (
            "[IPv6Prefix]\n",
            "[Route]\nDestination=0.0.0.0/0\n\n[IPv6Prefix]\n",
        ),
        ("Prefix=fdbb:0:0:100::/64", "Prefix=2001:db8::/64"),
    ] {
        edited("setting", BRIDGE, from, to);
    }
    edited(
        "setting",
        "network/10-bitbuilder-br-shop.netdev",
        "Name=br-shop",
        "Name=docker0",
    );
    edited(
        "setting",
        "network/10-bitbuilder-br-shop.netdev",
        "Kind=bridge",
        "Kind=ipvlan",
    );
    edited("setting", PORTS, "v1-web-0", "eth0");
    edited("setting", PORTS, "Unmanaged=yes", "Unmanaged=no");
    edited(
        "address-twice",
        "network/10-bitbuilder-br-shop-1.network",
        "Address=172.20.17.3",
        "Address=172.20.17.2",
    );
}

#[test]
fn batches_concern_own_links() {
    for (path, from, to) in [
        (
            "links/web.host",
            "link add name v1-web-0",
            "link add name eth0",
        ),
        ("links/web.host", "02:bb:00:01:00:03", "02:00:00:00:00:01"),
        ("links/web.host", "master br-shop up", "master br-other up"),
        (
            "links/web.host",
            "link set dev",
            "netns exec x link set dev",
        ),
        (
            "links/web.host",
            "link add name v1-web-0",
            "link add name v1-db-0",
        ),
        ("links/db.host", "netns machine-shop-db", "netns 1"),
        ("links/db.inside", "172.20.17.2/24", "172.20.17.3/24"),
        ("links/db.inside", "via 172.20.17.1", "via 172.20.16.1"),
        ("links/db.inside", "dev host0", "dev eth0"),
        (
            "links/db.inside",
            "link set dev lo up",
            "netns exec shop-db sh",
        ),
    ] {
        edited("link-command", path, from, to);
    }
}

#[test]
fn links_and_addresses_are_there_once() {
    let interface =
        |case: &mut Case,
         workload: &str,
         network: &str,
         edit: fn(&mut bitbuilder_core::allocate::InterfaceAllocation)| {
            let machine = case.allocation.machines.get_mut(&name(workload)).unwrap();
            edit(
                machine
                    .interfaces
                    .get_mut(&Name::new(network).unwrap())
                    .unwrap(),
            );
        };
    refused("link-name", |case| {
        interface(case, "web", "back", |i| i.link = "v1-web-0".into())
    });
    refused("link-name", |case| {
        interface(case, "web", "back", |i| i.link = "v1-web-sixteen-b".into())
    });
    refused("mac-twice", |case| {
        interface(case, "web", "back", |i| i.mac = "02:bb:00:01:00:03".into())
    });
    refused("address-twice", |case| {
        interface(case, "web", "back", |i| i.address = [172, 20, 17, 2].into())
    });
    refused("address-twice", |case| {
        interface(case, "web", "back", |i| i.address = [172, 20, 17, 1].into())
    });
    refused("address-twice", |case| {
        interface(case, "web", "back", |i| i.address = [10, 0, 0, 1].into())
    });
}

#[test]
fn packet_rules_are_about_own_packets() {
    let rule = |family: &str, chain: &str, expr: &str| {
        format!(
            r#"{{"add":{{"rule":{{"family":"{family}","table":"bitbuilder","chain":"shop/{chain}","expr":{expr}}}}}}}"#
        )
    };
    let element = |verb: &str, map: &str, element: &str| {
        format!(
            r#"{{"{verb}":{{"element":{{"family":"inet","table":"bitbuilder","name":"{map}","elem":[{element}]}}}}}}"#
        )
    };
    let more = [
        r#"{"flush":{"ruleset":null}}"#.to_owned(),
        r#"{"delete":{"table":{"family":"inet","name":"bitbuilder"}}}"#.into(),
        r#"{"add":{"table":{"family":"inet","name":"filter"}}}"#.into(),
        r#"{"flush":{"chain":{"family":"inet","table":"bitbuilder","name":"input"}}}"#.into(),
        r#"{"flush":{"chain":{"family":"inet","table":"bitbuilder","name":"other/input"}}}"#.into(),
        r#"{"flush":{"chain":{"family":"inet","table":"bitbuilder","name":"shop/input"}}}"#.into(),
        r#"{"destroy":{"set":{"family":"inet","table":"bitbuilder","name":"other/links"}}}"#.into(),
        r#"{"destroy":{"set":{"family":"inet","table":"bitbuilder","name":"shop/links"}}}"#.into(),
        r#"{"add":{"chain":{"family":"inet","table":"bitbuilder","name":"shop/x","type":"filter","hook":"input","prio":-500,"policy":"accept"}}}"#.into(),
        r#"{"add":{"chain":{"family":"inet","table":"bitbuilder","name":"shop/x"}}}"#.into(),
        r#"{"add":{"chain":{"family":"inet","table":"bitbuilder","name":"other/x"}}}"#.into(),
        r#"{"add":{"set":{"family":"inet","table":"bitbuilder","name":"shop/x","type":"ifname","elem":["eth0"]}}}"#.into(),
        r#"{"add":{"set":{"family":"bridge","table":"bitbuilder","name":"shop/x","type":"ifname","elem":["eth0"]}}}"#.into(),
        r#"{"add":{"rule":{"family":"inet","table":"bitbuilder","chain":"shop/rules","handle":1,"expr":[]}}}"#.into(),
        r#"{"add":{"rule":{"family":"inet","table":"bitbuilder","chain":"input","expr":[{"drop":null}]}}}"#.into(),
        r#"{"add":{"rule":{"family":"inet","table":"bitbuilder","chain":"other/rules","expr":[{"drop":null}]}}}"#.into(),
        element("add", "output", r#"["eth0",{"goto":{"target":"shop/output"}}]"#),
        element("add", "marks", r#"[7,{"goto":{"target":"shop/marks"}}]"#),
        element("add", "output", r#"["br-shop",{"goto":{"target":"shop/rules"}}]"#),
        element("add", "output", r#"["br-shop",{"goto":{"target":"other/output"}}]"#),
        element("add", "output", r#"["br-shop",{"accept":null}]"#),
        element("destroy", "output", r#""br-other""#),
        element("delete", "input", r#""br-shop""#),
        rule("inet", "input", r#"[{"accept":null}]"#),
        rule("inet", "from", r#"[{"drop":null}]"#),
        rule("inet", "to", r#"[{"accept":null}]"#),
        rule("inet", "inbound", r#"[{"accept":null}]"#),
        rule("inet", "between", r#"[{"accept":null}]"#),
        rule("inet", "output", r#"[{"drop":null}]"#),
        rule("inet", "rules", r#"[{"dnat":{"addr":"10.0.0.1"}}]"#),
        rule("inet", "rules", r#"[{"jump":{"target":"shop/inbound"}}]"#),
        rule("inet", "rules", r#"[{"jump":{"target":"other/rules"}}]"#),
        rule("inet", "rules", r#"[{"vmap":{"key":{"meta":{"key":"iifname"}},"data":"@input"}}]"#),
        rule("inet", "rules", r#"[{"mangle":{"key":{"meta":{"key":"mark"}},"value":1}}]"#),
        rule("inet", "rules", r#"[{"log":{"prefix":"sshd: "}}]"#),
        rule("inet", "rules", r#"[{"log":{"prefix":"bb-shop web.yaml:1: ","group":5}}]"#),
        rule("inet", "rules", r#"[{"log":{"prefix":"bb-shop\nsshd: "}}]"#),
        rule("inet", "rules", r#"[{"counter":"another's"}]"#),
        rule("inet", "dstnat", r#"[{"dnat":{"family":"ip","addr":"172.20.16.3","port":80}}]"#),
        rule("inet", "srcnat", r#"[{"masquerade":null}]"#),
        rule("bridge", "antispoof", r#"[{"accept":null}]"#),
        rule("bridge", "forward", r#"[{"dup":{"addr":"eth0"}}]"#),
        "null".into(),
    ];
    for command in more {
        edited("packet-rule", RULES, "\n]}", &format!(",\n{command}\n]}}"));
    }
    for (from, to) in [
        (
            r#""right":"@shop/links"}},{"accept":null}"#,
            r#""right":"@shop/nat"}},{"accept":null}"#,
        ),
        (
            r#""elem":["br-shop","br-shop-1"]"#,
            r#""elem":["br-shop","br-shop-1","eth0"]"#,
        ),
        (r#""elem":["br-shop","br-shop-1"]"#, r#""elem":["br-shop"]"#),
        (
            r#"["v1-web-1",{"goto":{"target":"shop/antispoof"}}]"#,
            r#"["v2-web-1",{"goto":{"target":"shop/antispoof"}}]"#,
        ),
        (
            r#"["br-shop",{"goto":{"target":"shop/from"}}]"#,
            r#"["br-blog",{"goto":{"target":"shop/from"}}]"#,
        ),
        (
            r#""name":"from","elem":["br-shop","br-shop-1"]"#,
            r#""name":"from","elem":["br-shop","br-blog"]"#,
        ),
        (
            r#""v1-db-0","02:bb:00:01:00:02""#,
            r#""v1-db-0","02:bb:00:01:00:99""#,
        ),
        (r#""v1-db-0","172.20.17.2""#, r#""v1-db-0","172.20.17.3""#),
        (
            r#""right":48059}},{"counter":null},{"drop":null}"#,
            r#""right":48058}},{"counter":null},{"drop":null}"#,
        ),
        (
            r#""dir":"original"}},"value":1}"#,
            r#""dir":"original"}},"value":2}"#,
        ),
        (r#""right":8080}"#, r#""right":22}"#),
        (r#"["tcp",8080,"#, r#"["tcp",22,"#),
        (r#""target":"shop/closed""#, r#""target":"shop/rules""#),
        (
            r#""name":"shop/peers","type":"#,
            r#""name":"shop/peers","elem":[{"concat":["br-shop","br-blog"]}],"type":"#,
        ),
        (
            r#""addr":"172.20.16.3","port":80"#,
            r#""addr":"10.0.0.1","port":80"#,
        ),
        (
            r#"{"addr":"172.20.16.0","len":24}"#,
            r#"{"addr":"0.0.0.0","len":0}"#,
        ),
        (
            r#"{"flush":{"chain":{"family":"inet","table":"bitbuilder","name":"shop/input"}}},"#,
            "",
        ),
    ] {
        edited("packet-rule", RULES, from, to);
    }
    edited("packet-rule", RULES, "]}", "");
    refused("missing-file", |case| {
        drop(case.artefacts.files.remove(RULES))
    });
    refused("packet-rule", |case| case.allocation.ports.clear());
    refused("packet-rule", |case| {
        case.registration.allow.publish.clear()
    });
}

#[test]
fn ceilings_of_packets_hold() {
    let mut shop = shop();
    shop.ceilings.connections = Some(50);
    shop.ceilings.bandwidth = Some(100);
    let limited = || {
        let mut case = Case::of(&shop);
        case.registration.limits.connections = shop.ceilings.connections;
        case.registration.limits.bandwidth = shop.ceilings.bandwidth;
        case
    };
    assert_eq!(limited().findings(), []);
    // Rendered under other limits, or without them.
    type Change = fn(&mut Limits);
    let changes: [Change; 4] = [
        |limits| limits.connections = Some(51),
        |limits| limits.connections = None,
        |limits| limits.bandwidth = Some(99),
        |limits| limits.bandwidth = None,
    ];
    for change in changes {
        let mut case = limited();
        change(&mut case.registration.limits);
        let rules: Vec<String> = case
            .findings()
            .into_iter()
            .map(|one| one.rule.to_string())
            .collect();
        assert!(rules.contains(&"packet-rule".to_owned()), "{rules:?}");
    }
    let mut case = Case::of(&crate::fixtures::shop());
    case.registration.limits.connections = Some(50);
    assert_ne!(case.findings(), []);
}

#[test]
fn what_links_carry_is_about_own_links() {
    for mode in [NetworkMode::IsolatedBridge, NetworkMode::Private] {
        let (mut tenant, allocation) = match mode {
            NetworkMode::Private => private(),
            _ => (shop(), allocation(&shop(), 1)),
        };
        let workload = &mut tenant.workloads[0];
        workload.attachments[0].bandwidth = Some(100);
        let network = &workload.attachments[0].network;
        let link = allocation.machines[&workload.name].interfaces[network]
            .link
            .clone();
        let limited = || Case::with(&tenant, allocation.clone());
        assert_eq!(limited().findings(), []);
        let by = |key: &str, link: &str| {
            format!(r#"{{"meta":{{"key":"{key}"}}}},"right":"{link}"}}}},{{"limit":"#)
        };
        let entry = |link: &str| format!(r#""name":"bandwidth","elem":[["{link}","#);
        let other = "v1-other-0";
        for (from, to) in [
            (by("iifname", &link), by("iifname", other)),
            (by("oifname", &link), by("oifname", other)),
            (by("oifname", &link), by("iifname", &link)),
            (entry(&link), entry(other)),
            (r#""inv":true}"#.to_owned(), r#""inv":false}"#.to_owned()),
        ] {
            let mut case = limited();
            case.edit(RULES, &from, &to);
            assert_ne!(case.findings(), [], "{mode} {from}");
        }
    }
}

#[test]
fn checks_are_of_own_workloads() {
    for (from, to) in [
        ("\"tenant\": \"shop\"", "\"tenant\": \"other\""),
        ("\"machine\": \"shop-db\"", "\"machine\": \"other-db\""),
        ("health/db.sh", "scripts/pre-provision.sh"),
        ("health/db.sh", "../../../../../etc/x"),
        ("172.20.17.2", "10.0.0.1"),
        ("\"capabilities\": \"0000000", "\"capabilities\": \"fffffff"),
        ("{", "["),
    ] {
        edited("health", "health/db.json", from, to);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever the bytes are, there is an answer.
    #[test]
    fn damaged_files_are_checked_without_a_panic(
        file in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(),
        bytes in prop::collection::vec(any::<u8>(), 0..8),
    ) {
        let mut case = Case::of(&shop());
        let path = file.get(&case.artefacts.files.keys().cloned().collect::<Vec<_>>()).clone();
        let content = &mut case.artefacts.files.get_mut(&path).unwrap().content;
        let at = at.index(content.len() + 1);
        content.splice(at..(at + bytes.len()).min(content.len()), bytes);
        let _ = case.findings();
    }
}
