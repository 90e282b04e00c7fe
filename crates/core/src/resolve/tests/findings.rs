//! What a tenant is refused or told, each with its rule and place.

use super::build::{Case, container, machine};
use super::*;

fn rule(from: Endpoint, to: Endpoint) -> FirewallRule {
    FirewallRule {
        origin: at("network/firewall/a.yaml", 3),
        from,
        to,
        protocol: None,
        ports: Vec::new(),
        action: FirewallAction::Accept,
        log: false,
    }
}

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
            "two namespaces",
            |c| {
                let mut one = network("one");
                one.mode = NetworkMode::Netns;
                let mut two = network("two");
                two.mode = NetworkMode::Netns;
                c.tenant.topology.networks = vec![one, two, network("default")];
            },
            &["error second-namespace network/topology.yaml:2:1"],
        ),
        (
            "another network beside a namespace",
            |c| {
                let mut pod = network("pod");
                pod.mode = NetworkMode::Netns;
                c.tenant.topology.networks = vec![pod, network("default")];
                c.tenant.containers[0].workload.networks =
                    Some(vec![attachment("default"), attachment("pod")]);
            },
            &["error namespace-alone containers/web/config.yaml:5:1"],
        ),
        (
            "an address of its own in a namespace",
            |c| {
                c.tenant.metadata.network_mode = NetworkMode::Netns;
                let mut own = attachment("default");
                own.address = Some("10.64.0.7".parse().unwrap());
                own.mac = Some("02:00:00:00:00:01".into());
                c.tenant.containers[0].workload.networks = Some(vec![own]);
            },
            &[
                "error namespace-shared containers/web/config.yaml:5:1",
                "error namespace-shared containers/web/config.yaml:5:1",
            ],
        ),
        (
            "a firewall rule of one of two in a namespace",
            |c| {
                c.tenant.metadata.network_mode = NetworkMode::Netns;
                c.tenant.containers.push(container("db"));
                let web = Endpoint::Workload(name("web"));
                c.tenant.firewall.push(rule(Endpoint::Outside, web));
            },
            &["warning namespace-shared network/firewall/a.yaml:3:1"],
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
                let old = Endpoint::Workload(name("old"));
                c.tenant.firewall.push(rule(old, Endpoint::Any));
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
