//! What `cargo xtask up` deploys, and `cargo xtask push`.

use crate::repository;
use anyhow::{Context, Result, bail};
use bitbuilder_itest::bed::Bed;
use bitbuilder_itest::publish;
use std::fs;
use std::path::{Path, PathBuf};

/// Pushes the system repository of `examples/`, then every tenant's.
pub(crate) fn deploy(bed: &Bed) -> Result<()> {
    let examples = repository::root().join("examples");
    publish::init(bed)?;
    visibly(bed, "system", &examples.join("system"))?;
    for directory in tenants(&examples)? {
        let id = id(&directory)?;
        publish::register(bed, &id)?;
        visibly(bed, &id, &directory)?;
    }
    Ok(())
}

/// Registers the directory as a tenant and pushes it. `id` defaults to the one in its `metadata.json`.
pub(crate) fn push(bed: &Bed, directory: &Path, given: Option<&str>) -> Result<()> {
    let id = match given {
        Some(id) => id.to_owned(),
        None => id(directory)?,
    };
    publish::register(bed, &id)?;
    visibly(bed, &id, directory)
}

fn visibly(bed: &Bed, id: &str, directory: &Path) -> Result<()> {
    eprintln!("push {id}");
    if !publish::push_visibly(bed, id, directory)? {
        bail!("the push to {id} was refused");
    }
    Ok(())
}

fn tenants(examples: &Path) -> Result<Vec<PathBuf>> {
    let mut tenants = Vec::new();
    for entry in
        fs::read_dir(examples).with_context(|| format!("cannot read {}", examples.display()))?
    {
        let path = entry?.path();
        if path.join("metadata.json").is_file() {
            tenants.push(path);
        }
    }
    tenants.sort();
    Ok(tenants)
}

/// `.tenant.id` of `metadata.json`.
fn id(directory: &Path) -> Result<String> {
    let file = directory.join("metadata.json");
    let text =
        fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let value: serde_json::Value = serde_json::from_str(&text)
        .with_context(|| format!("{}: name the tenant: `push DIR ID`", file.display()))?;
    let id = value.pointer("/tenant/id").and_then(|id| id.as_str());
    Ok(id
        .with_context(|| format!("{} has no tenant.id", file.display()))?
        .to_owned())
}
