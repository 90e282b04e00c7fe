//! Rendered sets pass; every kind of hostile set is refused.
#![allow(clippy::unwrap_used, reason = "a test that panics fails")]

#[path = "../render/fixtures.rs"]
#[allow(dead_code, reason = "shared with the tests of render")]
mod fixtures;
mod hostile;
mod hosts;
mod machine;
mod modes;

use bitbuilder_core::allocate::{Allocations, Partner, TenantAllocation, Uplink, allocate};
use bitbuilder_core::artefact::Artefacts;
use bitbuilder_core::desired::{DesiredTenant, ResolvedImage, Template, Templates};
use bitbuilder_core::finding::Finding;
use bitbuilder_core::lint::{Bounds, check, host};
use bitbuilder_core::model::*;
use bitbuilder_core::render::render;
use fixtures::*;

/// A tenant's artefacts and what they are checked against.
struct Case {
    artefacts: Artefacts,
    registration: Registration,
    allocation: TenantAllocation,
    templates: Templates,
    partners: Vec<Partner>,
}

impl Case {
    fn of(tenant: &DesiredTenant) -> Self {
        Self::with(tenant, allocation(tenant, 1))
    }

    fn with(tenant: &DesiredTenant, mut allocation: TenantAllocation) -> Self {
        allocation.ports = tenant
            .publish
            .iter()
            .map(|one| (one.protocol, one.port))
            .collect();
        let image = ResolvedImage {
            name: "tenant-container".into(),
            digest: "0123456789abcdef".repeat(4),
            root: "/usr/lib/bitbuilder/templates/tenant-container/rootfs".into(),
        };
        let template = Template {
            image,
            defaults: Resources::default(),
            boot: None,
        };
        let (image, boot) = machine_image();
        let machine = Template {
            image,
            boot: Some(boot),
            ..template.clone()
        };
        Self {
            artefacts: render(tenant, &allocation).unwrap(),
            partners: tenant.partners.clone(),
            registration: registration(tenant),
            allocation,
            templates: [
                (name("tenant-container"), template),
                (name("tenant-machine"), machine),
            ]
            .into(),
        }
    }

    fn findings(&self) -> Vec<Finding> {
        check(
            &self.artefacts,
            &Bounds {
                registration: &self.registration,
                allocation: &self.allocation,
                templates: &self.templates,
                partners: &self.partners,
            },
        )
    }

    /// Replaces `from` by `to` in the file `path`, which holds it.
    fn edit(&mut self, path: &str, from: &str, to: &str) {
        let file = self
            .artefacts
            .files
            .get_mut(path)
            .unwrap_or_else(|| panic!("no {path}"));
        let text = String::from_utf8(file.content.clone()).unwrap();
        assert!(text.contains(from), "{path} does not hold {from:?}");
        file.content = text.replacen(from, to, 1).into_bytes();
    }

    /// Adds a file like `like`.
    fn add(&mut self, path: &str, like: &str) {
        let file = self.artefacts.files[like].clone();
        self.artefacts.files.insert(path.into(), file);
    }
}

fn registration(tenant: &DesiredTenant) -> Registration {
    Registration {
        origin: at("tenants/registry.json", 3),
        id: tenant.id.clone(),
        name: tenant.name.clone(),
        repository: "https://git.example/shop.git".into(),
        reference: "main".into(),
        enabled: true,
        limits: Limits {
            cpu: tenant.limits.cpu,
            memory: tenant.limits.memory,
            tasks: tenant.limits.tasks,
            ..Limits::default()
        },
        allow: Allow {
            machines: false,
            containers: true,
            portable: false,
            users: false,
            hooks: true,
            publish: vec![PortRange {
                protocol: Protocol::Tcp,
                first: 8000,
                last: 8099,
            }],
            networks: vec![NetworkMode::IsolatedBridge],
        },
        verify: None,
        placement: Vec::new(),
        access: Access::default(),
        webhook: None,
    }
}

#[test]
fn what_is_rendered_passes() {
    let mut single = shop();
    single.workloads[1].depends_on.clear();
    single.firewall[0].from = Endpoint::Outside;
    single.firewall[1].to = Endpoint::Host;
    single.firewall[1].from = Endpoint::Workload(name("web"));
    let mut from_host = shop();
    from_host.firewall[1].from = Endpoint::Host;
    let mut apart = shop();
    apart.networks[1].ipv6 = None;
    apart.networks[0].dhcp = false;
    let mut later = quick();
    later.networks[0].mode = NetworkMode::Netns;
    let all = [
        shop(),
        quick(),
        quiet(),
        single,
        from_host,
        apart,
        later,
        tunnels(),
        vm(),
    ];
    for tenant in all {
        assert_eq!(Case::of(&tenant).findings(), [], "{}", tenant.id);
    }
}

#[test]
fn what_the_allocator_gives_passes() {
    let pools = Pools {
        ipv4: ("10.64.0.0".parse().unwrap(), 12),
        ipv6: ("fd00:bb::".parse().unwrap(), 48),
        vni: (1, 100),
        vlan: (1, 100),
        wireguard: (51820, 51920),
        trunks: Vec::new(),
    };
    let mut all = Allocations::default();
    let mut long = shop();
    long.id = name("a-tenant-with-a-long-name-000001");
    long.publish[0].port = 8081;
    let mut other = tunnels();
    other.id = name("other");
    for tenant in [shop(), quick(), quiet(), long, other] {
        all = allocate(&all, &tenant, &pools).unwrap();
        let case = Case::with(&tenant, all.tenants[&tenant.id].clone());
        assert_eq!(case.findings(), [], "{}", tenant.id);
    }
    assert_eq!(host(&all), []);
    let other = &all.tenants[&name("other")];
    let numbers = other
        .networks
        .values()
        .map(|network| network.uplink.clone().unwrap());
    let mut numbers: Vec<String> = numbers
        .map(|uplink| match uplink {
            Uplink::Wireguard { link, port } => format!("{link} {port}"),
            Uplink::Vxlan { link, vni } => format!("{link} {vni}"),
            Uplink::Vlan { .. } => unreachable!("there is none"),
        })
        .collect();
    numbers.sort();
    assert_eq!(
        numbers,
        [
            "vx-other-cast 3",
            "vx-other-over 1",
            "vx-other-wide 2",
            "wg-other-office 51820"
        ]
    );
}
