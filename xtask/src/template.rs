//! `cargo xtask template`.

use crate::repository;
use anyhow::Result;
use bitbuilder_itest::{cache, setup, template};

/// Builds a template, or takes it from the cache.
pub(crate) fn build(name: &str, twice: bool) -> Result<()> {
    setup::ensure(setup::BEDS)?;
    setup::require_root()?;
    let (repository, cache) = (repository::root(), cache::directory()?);
    let built = if twice {
        template::check_reproducible(&repository, &cache, name)?
    } else {
        template::build(&repository, &cache, name)?
    };
    println!("{}\n{}", built.directory.display(), built.digest);
    Ok(())
}
