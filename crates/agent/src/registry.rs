//! Who is in the registry that is in force.

use bitbuilder_core::model::{Name, Registration};
use bitbuilder_host::host::Host;
use bitbuilder_host::reconcile::{PassError, accepted_system, effective_registry};

/// The registry's entry of `id`: of the effective registry, before the first pass of the accepted system repository.
///
/// # Errors
/// [`PassError::UnknownTenant`]; when the registry is unreadable or none is in force.
pub fn registration(host: &dyn Host, id: &Name) -> Result<Registration, PassError> {
    let all: Vec<Registration> = match effective_registry(host.root())? {
        Some(registry) => {
            let tenants = registry.tenants.into_iter();
            tenants.map(|tenant| tenant.registration).collect()
        }
        None => accepted_system(host)?.system.tenants,
    };
    find(all, id)
}

fn find(all: Vec<Registration>, id: &Name) -> Result<Registration, PassError> {
    let known: Vec<String> = all.iter().map(|entry| entry.id.to_string()).collect();
    all.into_iter()
        .find(|entry| entry.id == *id)
        .ok_or_else(|| PassError::UnknownTenant {
            id: id.clone(),
            known: if known.is_empty() {
                "it has no tenants".to_owned()
            } else {
                format!("it has {}", known.join(", "))
            },
        })
}
