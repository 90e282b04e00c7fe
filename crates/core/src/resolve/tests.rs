mod build;
mod tunnels;

use super::*;
use crate::desired::WorkloadClass;
use crate::finding::Severity;
use crate::model::*;
use crate::sample::{at, attachment, name, network};
use crate::tree::{Blob, Entry};
use build::{Case, container, file, machine};

fn lines(findings: &[Finding]) -> Vec<String> {
    findings
        .iter()
        .map(|finding| {
            let severity = match finding.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
                Severity::Note => "note",
            };
            format!("{severity} {} {}", finding.rule, finding.origin)
        })
        .collect()
}

#[test]
fn a_plain_tenant_has_no_findings() {
    let checked = Case::with(&["db", "web"]).resolve();
    assert_eq!(lines(&checked.findings), [""; 0]);
    let desired = checked.value.unwrap();
    assert!(desired.enabled);
    let names: Vec<_> = desired.workloads.iter().map(|w| w.name.as_str()).collect();
    assert_eq!(names, ["db", "web"]);
    assert_eq!(desired.workloads[0].attachments[0].network, name("default"));
    assert_eq!(desired.workloads[0].image.digest, "d1");
}

#[test]
fn no_workload_means_main() {
    let mut case = Case::with(&[]);
    case.tenant.metadata.resources.memory = Some(Bytes(4 << 30));
    case.tenant.metadata.interfaces = vec![
        Interface {
            name: "eth0".into(),
            kind: "bridge".into(),
            bridge: Some("br-shop".into()),
        },
        Interface {
            name: "back".into(),
            kind: "bridge".into(),
            bridge: None,
        },
    ];
    let desired = case.resolve().value.unwrap();
    let networks: Vec<_> = desired
        .networks
        .iter()
        .map(|network| (network.name.as_str(), network.bridge.as_deref()))
        .collect();
    assert_eq!(networks, [("default", Some("br-shop")), ("back", None)]);
    let [main] = desired.workloads.as_slice() else {
        panic!("{:?}", desired.workloads);
    };
    assert_eq!(main.name, name("main"));
    assert_eq!(main.resources.memory, Some(Bytes(4 << 30)));
    assert_eq!(main.attachments.len(), 2);
    assert_eq!(main.image.name, "tenant-container");
    assert_eq!(main.health, None);
}

#[test]
fn the_health_script_of_the_repository_is_that_of_main() {
    let mut case = Case::with(&[]);
    case.tenant.scripts = vec!["scripts/health-check.sh".into()];
    case.tree
        .entries
        .insert("scripts/health-check.sh".into(), file("exit 0"));
    let checked = case.resolve();
    assert_eq!(lines(&checked.findings), [""; 0]);
    let desired = checked.value.unwrap();
    assert_eq!(
        desired.workloads[0].health_script.as_deref(),
        Some(b"exit 0".as_slice())
    );
}

#[test]
fn a_vm_is_left_out_with_a_warning() {
    let mut case = Case::with(&[]);
    case.tenant.metadata.kind = TenantKind::Vm;
    let checked = case.resolve();
    assert_eq!(
        lines(&checked.findings),
        ["warning vm-not-available metadata.json:5:1"]
    );
    let message = &checked.findings[0].message;
    assert!(
        message.starts_with("vm not available on this host: workload `main` "),
        "{message}"
    );
    assert!(checked.value.unwrap().workloads.is_empty());
}

#[test]
fn the_registry_wins() {
    let mut case = Case::with(&["web"]);
    case.tenant.metadata.resources = Resources {
        cpu: Some(MilliCores(2500)),
        memory: Some(Bytes(16 << 30)),
        storage: None,
        tasks: None,
    };
    case.registration.limits.memory = Some(Bytes(8 << 30));
    case.registration.limits.tasks = Some(4096);
    case.tenant.containers[0].workload.resources.memory = Some(Bytes(12 << 30));
    case.tenant.containers[0].workload.resources.tasks = Some(100);
    let checked = case.resolve();
    let messages: Vec<_> = checked
        .findings
        .iter()
        .map(|f| f.message.as_str())
        .collect();
    assert_eq!(
        messages,
        [
            "workload `web` asks for memory 12G and gets 8G, the limit of the whole tenant",
            "tenant `shop` asks for memory 16G and gets 8G, the limit of tenants/registry.json:4:1",
        ]
    );
    let desired = checked.value.unwrap();
    assert_eq!(desired.limits.cpu, Some(MilliCores(2500)));
    assert_eq!(desired.limits.memory, Some(Bytes(8 << 30)));
    assert_eq!(desired.limits.tasks, Some(4096));
    let web = &desired.workloads[0].resources;
    assert_eq!(
        (web.memory, web.tasks, web.cpu),
        (Some(Bytes(8 << 30)), Some(100), None)
    );
}

#[test]
fn ceilings_hold_for_those_who_ask_for_nothing() {
    let mut case = Case::with(&["db", "web"]);
    let ceiling = |memory| Resources {
        memory: Some(Bytes(memory)),
        ..Resources::default()
    };
    case.tenant.ceilings = vec![
        (name("db"), ceiling(1 << 30)),
        (name("web"), ceiling(1 << 30)),
    ];
    case.tenant.containers[1].workload.resources = ceiling(2 << 30);
    case.templates
        .get_mut(&name("tenant-container"))
        .unwrap()
        .defaults = ceiling(512 << 20);
    let checked = case.resolve();
    assert_eq!(
        lines(&checked.findings),
        ["note limited containers/web/config.yaml:1:1"]
    );
    let desired = checked.value.unwrap();
    assert_eq!(
        desired.workloads[0].resources.memory,
        Some(Bytes(512 << 20))
    );
    assert_eq!(desired.workloads[1].resources.memory, Some(Bytes(1 << 30)));
}

/// Changes one thing of a plain tenant with a container `web` and expects these findings.
#[test]
fn findings() {
    type Change = fn(&mut Case);
    let cases: &[(&str, Change, &[&str])] = &[
        (
            "old systemd",
            |c| c.host.systemd = 252,
            &["error systemd-version metadata.json"],
        ),
        (
            "a machine beside a container",
            |c| c.tenant.machines.push(machine("old")),
            &["warning vm-not-available machines/old/config.yaml:1:1"],
        ),
        (
            "isolation vm",
            |c| c.tenant.metadata.security.isolation = Isolation::Vm,
            &["error not-available metadata.json:9:1"],
        ),
        (
            "encrypted storage",
            |c| c.tenant.metadata.security.encrypt_storage = true,
            &["error not-available metadata.json:9:1"],
        ),
        (
            "encrypted storage by policy",
            |c| c.policy.storage.encrypt = true,
            &["error not-available .gitops/config.yaml"],
        ),
        (
            "an extension of a workload",
            |c| {
                let list = &mut c.tenant.containers[0].workload.extensions;
                list.push((name("php"), at("containers/web/config.yaml", 8)));
            },
            &["error not-available containers/web/config.yaml:8:1"],
        ),
        (
            "an extension of the tenant",
            |c| {
                c.tenant
                    .metadata
                    .extensions
                    .push((name("php"), at("metadata.json", 8)))
            },
            &["warning not-available metadata.json:8:1"],
        ),
        (
            "a portable service",
            |c| {
                c.registration.allow.portable = true;
                c.tenant
                    .metadata
                    .services
                    .push((name("dns"), at("metadata.json", 8)));
            },
            &["warning not-available metadata.json:8:1"],
        ),
        (
            "a portable service that is not allowed",
            |c| {
                c.tenant
                    .portable_images
                    .push("services/dns.portable.raw".into())
            },
            &[
                "error not-allowed services/dns.portable.raw",
                "warning not-available services/dns.portable.raw",
            ],
        ),
        (
            "a lifecycle script that is not allowed",
            |c| c.tenant.scripts.push("scripts/pre-provision.sh".into()),
            &[
                "error not-allowed scripts/pre-provision.sh",
                "warning not-available scripts/pre-provision.sh",
            ],
        ),
        (
            "a health script that nobody uses",
            |c| c.tenant.scripts.push("scripts/health-check.sh".into()),
            &["note unused scripts/health-check.sh"],
        ),
        (
            "an infrastructure manager",
            |c| {
                c.tenant.infrastructure = Some(Infrastructure {
                    origin: at("infrastructure/config.yaml", 1),
                    manager: InfrastructureManager::Container,
                    resources: Resources::default(),
                    sync: None,
                });
            },
            &["warning not-available infrastructure/config.yaml:1:1"],
        ),
        (
            "storage limits",
            |c| c.registration.limits.storage = Some(Bytes(1)),
            &["warning limit-not-enforced metadata.json"],
        ),
        (
            "no controllers",
            |c| {
                c.host.features.clear();
                c.registration.limits.memory = Some(Bytes(1));
            },
            &["warning limit-not-enforced metadata.json"],
        ),
        (
            "no containers",
            |c| c.registration.allow.containers = false,
            &["error not-allowed containers/web/config.yaml:1:1"],
        ),
        (
            "too many containers",
            |c| {
                c.registration.limits.containers = Some(1);
                c.tenant.containers.push(container("zoo"));
            },
            &["error too-many-workloads containers/zoo/config.yaml:1:1"],
        ),
        (
            "a network mode that is not allowed",
            |c| c.registration.allow.networks.clear(),
            &["error not-allowed metadata.json:7:1"],
        ),
        (
            "a network mode that a workload needs",
            |c| c.tenant.metadata.network_mode = NetworkMode::Netns,
            &["error not-available metadata.json:7:1"],
        ),
        (
            "a network mode that nobody needs",
            |c| {
                let mut office = network("office");
                office.mode = NetworkMode::Netns;
                c.tenant.topology.networks = vec![office, network("default")];
            },
            &["warning not-available network/topology.yaml:2:1"],
        ),
        (
            "a VLAN that the operator did not set aside",
            |c| {
                c.registration.allow.networks.push(NetworkMode::Vlan);
                c.policy.pools.trunks = vec!["eno2".into()];
                c.policy.pools.vlan = (1000, 1999);
                let vlan = |text, id, parent: &str| Network {
                    mode: NetworkMode::Vlan,
                    details: NetworkDetails::Vlan {
                        id,
                        parent: parent.into(),
                        router: None,
                    },
                    ..network(text)
                };
                c.tenant.topology.networks = vec![
                    network("default"),
                    vlan("one", 1999, "eno2"),
                    Network {
                        origin: at("network/topology.yaml", 3),
                        ..vlan("two", 2000, "eno2")
                    },
                    Network {
                        origin: at("network/topology.yaml", 4),
                        ..vlan("three", 1000, "eno1")
                    },
                ];
            },
            &[
                "error vlan-outside-pool network/topology.yaml:3:1",
                "error not-a-trunk network/topology.yaml:4:1",
            ],
        ),
        (
            "a VLAN of the metadata",
            |c| {
                c.registration.allow.networks.push(NetworkMode::Vlan);
                c.tenant.metadata.network_mode = NetworkMode::Vlan;
            },
            &["error missing-key metadata.json:7:1"],
        ),
        (
            "a network that is not there",
            |c| {
                c.tenant.topology.networks = vec![network("default")];
                c.tenant.containers[0].workload.networks = Some(vec![attachment("defualt")]);
            },
            &["error unknown-network containers/web/config.yaml:5:1"],
        ),
        (
            "a mode that the topology overrides",
            |c| {
                c.tenant.topology.networks = vec![network("default")];
                c.tenant.metadata.network_mode = NetworkMode::Netns;
            },
            &["warning unused metadata.json:7:1"],
        ),
        (
            "a bridge of another name",
            |c| {
                let mut default = network("default");
                default.bridge = Some("br-lan".into());
                c.tenant.topology.networks = vec![default];
            },
            &["note bridge-name network/topology.yaml:2:1"],
        ),
        (
            "an unknown template",
            |c| {
                let image = &mut c.tenant.containers[0].workload.image;
                image.source = ImageSource::Template(name("tenant-contaner"));
            },
            &["error unknown-template containers/web/config.yaml:2:1"],
        ),
        (
            "an image by URL",
            |c| {
                let image = &mut c.tenant.containers[0].workload.image;
                image.source = ImageSource::Oci("docker.io/library/nginx".into());
            },
            &["error not-available containers/web/config.yaml:2:1"],
        ),
        (
            "an image signature",
            |c| {
                let image = &mut c.tenant.containers[0].workload.image;
                image.verify = Some(ImageVerify::Signature);
            },
            &["error not-available containers/web/config.yaml:2:1"],
        ),
        (
            "a dangerous capability",
            |c| {
                c.tenant.containers[0]
                    .capabilities
                    .push("CAP_SYS_MODULE".into())
            },
            &["error capability-not-allowed containers/web/config.yaml:1:1"],
        ),
        (
            "a dangerous system call",
            |c| {
                c.tenant
                    .metadata
                    .security
                    .system_calls
                    .push("@module".into())
            },
            &["error system-call-not-allowed metadata.json:9:1"],
        ),
        (
            "a dependency on a machine",
            |c| {
                c.tenant.machines.push(machine("old"));
                let list = &mut c.tenant.containers[0].workload.depends_on;
                list.push((name("old"), at("containers/web/config.yaml", 6)));
            },
            &[
                "error depends-on-left-out containers/web/config.yaml:6:1",
                "warning vm-not-available machines/old/config.yaml:1:1",
            ],
        ),
        (
            "a port that is not allowed",
            |c| c.publish(9090, "web"),
            &["error not-allowed network/topology.yaml:7:1"],
        ),
        ("a port that is allowed", |c| c.publish(8080, "web"), &[]),
        (
            "a port of nobody",
            |c| c.publish(8080, "wbe"),
            &["error unknown-workload network/topology.yaml:7:1"],
        ),
        (
            "a port of a machine",
            |c| {
                c.tenant.machines.push(machine("old"));
                c.publish(8080, "old");
            },
            &[
                "warning vm-not-available machines/old/config.yaml:1:1",
                "warning left-out network/topology.yaml:7:1",
            ],
        ),
        (
            "a port of a workload without a network",
            |c| {
                c.tenant.metadata.network_mode = NetworkMode::None;
                c.publish(8080, "web");
            },
            &["error no-network network/topology.yaml:7:1"],
        ),
        (
            "a firewall rule about a machine",
            |c| {
                c.tenant.machines.push(machine("old"));
                c.tenant.firewall.push(FirewallRule {
                    origin: at("network/firewall/a.yaml", 3),
                    from: Endpoint::Workload(name("old")),
                    to: Endpoint::Any,
                    protocol: None,
                    ports: Vec::new(),
                    action: FirewallAction::Accept,
                    log: false,
                });
            },
            &[
                "warning vm-not-available machines/old/config.yaml:1:1",
                "warning left-out network/firewall/a.yaml:3:1",
            ],
        ),
        (
            "a credential that is not there",
            |c| {
                c.tenant.containers[0]
                    .workload
                    .credentials
                    .push(Credential {
                        origin: at("containers/web/config.yaml", 8),
                        name: "token".into(),
                        encrypted: "secrets/token".into(),
                    });
            },
            &["error missing-file containers/web/config.yaml:8:1"],
        ),
        (
            "another zone",
            |c| c.registration.placement.push("zone=us*".into()),
            &["note placed-elsewhere tenants/registry.json:4:1"],
        ),
    ];
    for (what, change, expected) in cases {
        let mut case = Case::with(&["web"]);
        change(&mut case);
        let checked = case.resolve();
        let mut found = lines(&checked.findings);
        let mut expected: Vec<_> = expected.iter().map(|line| (*line).to_owned()).collect();
        found.sort();
        expected.sort();
        assert_eq!(found, expected, "{what}");
        let fails = found.iter().any(|line| line.starts_with("error"));
        assert_eq!(checked.value.is_none(), fails, "{what}");
    }
}

#[test]
fn an_unknown_template_has_a_suggestion() {
    let mut case = Case::with(&["web"]);
    case.tenant.containers[0].workload.image.source =
        ImageSource::Template(name("tenant-contaner"));
    let checked = case.resolve();
    assert_eq!(
        checked.findings[0].help.as_deref(),
        Some("did you mean `tenant-container`?")
    );
}

#[test]
fn who_says_no_does_not_run() {
    let off: [fn(&mut Case); 3] = [
        |case| case.registration.enabled = false,
        |case| case.tenant.metadata.enabled = false,
        |case| case.registration.placement.push("zone=us*".into()),
    ];
    for change in off {
        let mut case = Case::with(&["web"]);
        change(&mut case);
        assert!(!case.resolve().value.unwrap().enabled);
    }
    let mut case = Case::with(&["web"]);
    case.registration.placement.push("zone=eu*".into());
    assert!(case.resolve().value.unwrap().enabled);
}

#[test]
fn a_command_gets_fewer_capabilities_than_a_boot() {
    let capabilities = |init: Init| {
        let mut case = Case::with(&["web"]);
        case.tenant.containers[0].workload.init = init;
        let desired = case.resolve().value.unwrap();
        let WorkloadClass::Container { capabilities, .. } = desired.workloads[0].class.clone();
        capabilities
    };
    let boot = capabilities(Init::Boot);
    let command = capabilities(Init::Command(vec!["/bin/true".into()]));
    assert!(boot.contains(&"CAP_SYS_ADMIN".into()));
    assert!(!command.contains(&"CAP_SYS_ADMIN".into()));
    assert!(boot.is_sorted());
    for never in [
        "CAP_SYS_MODULE",
        "CAP_SYS_RAWIO",
        "CAP_SYS_TIME",
        "CAP_MKNOD",
        "CAP_BPF",
    ] {
        assert!(!capabilities::may_hold(never), "{never}");
    }
}

#[test]
fn none_is_a_network_without_links() {
    let mut case = Case::with(&["web"]);
    let mut nothing = network("default");
    nothing.mode = NetworkMode::None;
    case.tenant.topology.networks = vec![network("back"), nothing];
    let desired = case.resolve().value.unwrap();
    assert_eq!(desired.networks.len(), 1);
    assert!(desired.workloads[0].attachments.is_empty());
}

#[test]
fn overlays_are_keyed_by_git_or_by_their_listing() {
    let key = |oid: &str, content: &str| {
        let mut case = Case::with(&["web"]);
        case.tenant.containers[0].overlay = Some(oid.into());
        let path = "containers/web/rootfs-overlay/etc/motd".to_owned();
        case.tree.entries.insert(path, file(content));
        let desired = case.resolve().value.unwrap();
        let WorkloadClass::Container { overlay, .. } = desired.workloads[0].class.clone();
        overlay.unwrap().key
    };
    assert_eq!(key("abc", "x"), "abc");
    assert_ne!(key("", "x"), key("", "y"));
    assert_eq!(key("", "x").len(), 64);
}

#[test]
fn credentials_are_read_from_the_tree() {
    let mut case = Case::with(&["web"]);
    case.tenant.containers[0]
        .workload
        .credentials
        .push(Credential {
            origin: at("containers/web/config.yaml", 8),
            name: "token".into(),
            encrypted: "secrets/token".into(),
        });
    case.tree
        .entries
        .insert("secrets/token".into(), file("cipher"));
    let desired = case.resolve().value.unwrap();
    assert_eq!(
        desired.workloads[0].credentials["token"].as_ref(),
        b"cipher"
    );
    let large = Entry::File(Blob {
        size: 1 << 30,
        executable: false,
        oid: String::new(),
        content: None,
    });
    case.tree.entries.insert("secrets/token".into(), large);
    assert_eq!(
        lines(&case.resolve().findings),
        ["error missing-file containers/web/config.yaml:8:1"]
    );
}
