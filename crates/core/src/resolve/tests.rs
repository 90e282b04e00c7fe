mod build;
mod findings;
mod machines;
mod mistakes;
mod tunnels;

use super::*;
use crate::desired::WorkloadClass;
use crate::finding::Severity;
use crate::model::*;
use crate::sample::{at, attachment, name, network};
use crate::tree::{Blob, Entry};
use build::{Case, file};

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
        let WorkloadClass::Container { capabilities, .. } = desired.workloads[0].class.clone()
        else {
            panic!("no container")
        };
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
        let WorkloadClass::Container { overlay, .. } = desired.workloads[0].class.clone() else {
            panic!("no container")
        };
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
