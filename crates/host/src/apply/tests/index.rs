//! What the generators make with the index is what they make without it.

use super::scene::World;
use crate::host::Host;
use bitbuilder_generators::{Generator, generate, index};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

const GENERATORS: [Generator; 2] = [Generator::Tenant, Generator::Mount];

/// Asserts it, and returns whether there is an index that counts.
pub(super) fn changes_nothing(world: &World) -> bool {
    let counts = counts(world);
    let with = generated(world.path());
    let at = |generator| world.path().join(index::path(generator));
    let aside = |generator| at(generator).with_extension("aside");
    for generator in GENERATORS {
        let _ = fs::rename(at(generator), aside(generator));
    }
    assert_eq!(with, generated(world.path()));
    for generator in GENERATORS {
        let _ = fs::rename(aside(generator), at(generator));
    }
    counts
}

/// Whether both have one.
pub(super) fn counts(world: &World) -> bool {
    let host = world.host();
    GENERATORS
        .iter()
        .all(|generator| index::counts(*generator, host.root().path()))
}

/// All links that both make.
fn generated(root: &Path) -> BTreeSet<(PathBuf, PathBuf)> {
    let normal = World::new();
    for generator in GENERATORS {
        generate(generator, root, normal.path(), &mut |trouble| {
            panic!("{trouble}")
        })
        .unwrap();
    }
    let mut links = BTreeSet::new();
    let mut open = vec![normal.path().to_owned()];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            match fs::read_link(&path) {
                Ok(target) => {
                    let link = path.strip_prefix(normal.path()).unwrap().to_owned();
                    links.insert((link, target));
                }
                Err(_) => open.push(path),
            }
        }
    }
    links
}
