//! Which units a tenant may own. A damaged or hostile generation must not shadow a unit of the host or of another tenant.

/// Where the templates are shipped.
pub(crate) const SHIPPED: &str = "/usr/lib/systemd/system/";

/// Longest name of a unit, systemd.unit(5).
const UNIT_NAME_MAX: usize = 255;
/// Longest id of a tenant.
const ID_MAX: usize = 32;

/// Names of one tenant.
pub(crate) struct Names<'a> {
    id: &'a str,
    /// The id as part of a unit name: a plain `-` would be a `/`, systemd-escape(1).
    escaped: String,
}

impl<'a> Names<'a> {
    /// The names of tenant `id`; `None` when it is not the id of a tenant.
    pub(crate) fn new(id: &'a str) -> Option<Self> {
        let edge = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let bytes = id.as_bytes();
        let valid = bytes.len() <= ID_MAX
            && bytes.first().is_some_and(edge)
            && bytes.last().is_some_and(edge)
            && bytes.iter().all(|byte| edge(byte) || *byte == b'-');
        valid.then(|| Self {
            id,
            escaped: id.replace('-', "\\x2d"),
        })
    }

    /// Whether `unit`, a full name with its type, belongs to the tenant.
    pub(crate) fn owns(&self, unit: &str) -> bool {
        if !is_unit_name(unit) {
            return false;
        }
        let Some((stem, suffix)) = unit.rsplit_once('.') else {
            return false;
        };
        match (stem.split_once('@'), suffix) {
            (Some((template, instance)), _) => match (template, suffix) {
                ("tenant" | "tenant-network" | "netns-tenant" | "setup-tenant", "service") => {
                    instance == self.id
                }
                ("systemd-nspawn" | "systemd-vmspawn", "service")
                | ("tenant-health", "service" | "timer") => self.is_machine(instance),
                _ => false,
            },
            (None, "slice") => stem.strip_prefix("tenant-") == Some(&self.escaped),
            (None, "mount") => stem
                .strip_prefix("var-lib-tenants-")
                .and_then(|rest| rest.strip_prefix(self.escaped.as_str()))
                .is_some_and(|rest| rest.len() > 1 && rest.starts_with('-')),
            _ => false,
        }
    }

    /// Whether `unit` is the one that starts the tenant.
    pub(crate) fn is_tenant(&self, unit: &str) -> bool {
        unit.strip_prefix("tenant@")
            .and_then(|rest| rest.strip_suffix(".service"))
            == Some(self.id)
    }

    /// Machines are named `<tenant>-<workload>`, cut and hashed behind the tenant when that is too long.
    fn is_machine(&self, instance: &str) -> bool {
        instance
            .strip_prefix(self.id)
            .is_some_and(|rest| rest.len() > 1 && rest.starts_with('-'))
    }
}

/// `name@instance.type` gives `name@.type`; `None` for units that are not instances.
pub(crate) fn template(unit: &str) -> Option<(&str, &str)> {
    let (name, rest) = unit.split_once('@')?;
    let (_, suffix) = rest.rsplit_once('.')?;
    Some((name, suffix))
}

/// Whether systemd takes `name` as the name of a unit or of a drop-in directory; it is one component of a path.
fn is_unit_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b":-_.\\@".contains(&byte);
    name.len() <= UNIT_NAME_MAX && !name.starts_with('.') && name.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids() {
        let longest = "a".repeat(ID_MAX);
        for id in ["a", "shop", "tenant-001", "0", &longest] {
            assert!(Names::new(id).is_some(), "{id}");
        }
        let long = "a".repeat(ID_MAX + 1);
        for id in [
            "", "-a", "a-", "A", "a.b", "a/b", "..", "\u{e4}", "a\n", "a b", &long,
        ] {
            assert!(Names::new(id).is_none(), "{id:?}");
        }
    }

    #[test]
    fn own_units() {
        let names = Names::new("my-shop").unwrap();
        for unit in [
            "tenant@my-shop.service",
            "tenant-network@my-shop.service",
            "netns-tenant@my-shop.service",
            "setup-tenant@my-shop.service",
            "systemd-nspawn@my-shop-web.service",
            "systemd-vmspawn@my-shop-vm.service",
            "tenant-health@my-shop-web.timer",
            "tenant-my\\x2dshop.slice",
            "var-lib-tenants-my\\x2dshop-containers-web-rootfs.mount",
        ] {
            assert!(names.owns(unit), "{unit}");
        }
    }

    #[test]
    fn units_of_others() {
        let names = Names::new("shop").unwrap();
        for unit in [
            "sshd.service",
            "tenant@other.service",
            "tenant@.service",
            "tenant@shop.socket",
            "systemd-nspawn@shop.service",
            "systemd-nspawn@shop-.service",
            "systemd-nspawn@shopper-web.service",
            "systemd-vmspawn@shopper-web.service",
            "systemd-vmspawn@shop.service",
            "systemd-nspawn@web.service",
            "tenant-shop-x.slice",
            "tenant-shopper.slice",
            "tenant.slice",
            "system.slice",
            "var-lib-tenants-shop.mount",
            "var-lib-tenants-shop-.mount",
            "var-lib-tenants-shop\\x2db-rootfs.mount",
            "var-lib.mount",
            "../tenant@shop.service",
            "tenant@shop.service/x",
            "tenant@shop.service\n",
            "tenant@shop",
            "",
            ".",
            "..",
        ] {
            assert!(!names.owns(unit), "{unit}");
        }
        let long = format!("systemd-nspawn@shop-{}.service", "w".repeat(240));
        assert!(!names.owns(&long));
    }
}
