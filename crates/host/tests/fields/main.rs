//! Plan and effect agree, for every field of every document that a tenant or an operator can write.
//!
//! Each row of [`rows`] changes one field on a simulated host: the change is planned from a directory and by a dry run,
//! applied, and looked at from outside. What stopped, started, moved and was asked of the host is what the plan announced,
//! with its class; a field that changes nothing shows a finding. The fields are those of the schemas, so that none can be
//! forgotten, and `docs/changes.md` holds what was measured (`BLESS=1` writes it).

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod docs;
mod effect;
mod look;
mod rows;
mod schema;
mod world;

use rows::Row;
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use world::World;

/// Runs the rows of some documents on a host of their own; what was measured, by document and field.
fn measure(documents: &[&str]) -> BTreeMap<(String, String), String> {
    let mut world = World::new();
    let mut measured = BTreeMap::new();
    let mut wrong = Vec::new();
    let rows = rows::all().into_iter();
    for row in rows.filter(|row| documents.contains(&row.document)) {
        match catch_unwind(AssertUnwindSafe(|| effect::of(&mut world, &row))) {
            Ok(text) => {
                let field = match row.case {
                    "" => format!("`{}`", row.field),
                    case => format!("`{}` {case}", row.field),
                };
                let known = measured.insert((row.document.to_owned(), field), text);
                assert!(
                    known.is_none(),
                    "{} {} is there twice",
                    row.document,
                    row.field
                );
            }
            Err(_) => {
                wrong.push(format!("{} {}", row.document, row.field));
                world = World::new();
            }
        }
    }
    assert!(wrong.is_empty(), "see above: {wrong:#?}");
    measured
}

/// One test per group, so that they run side by side.
macro_rules! groups {
    ($($name:ident: $documents:expr,)*) => {
        $(#[test]
        fn $name() {
            docs::compare(&$documents, &measure(&$documents));
        })*

        const DOCUMENTS: &[&[&str]] = &[$(&$documents),*];
    };
}

groups! {
    containers: ["container"],
    tenants: ["metadata", "infrastructure", "resource-limits", "files"],
    networks: ["topology", "firewall", "wireguard"],
    machines: ["machine"],
    users: ["user"],
    hosts: ["registry", "policy", "template"],
}

#[test]
fn every_field_has_a_row_and_every_row_a_field() {
    let mut fields = schema::fields();
    fields.retain(|(document, _)| document != "files");
    let rows = rows::all();
    let named: BTreeSet<(String, String)> = rows
        .iter()
        .filter(|row| row.document != "files")
        .map(|row: &Row| (row.document.to_owned(), row.field.to_owned()))
        .collect();
    let missing: Vec<_> = fields.difference(&named).collect();
    let unknown: Vec<_> = named.difference(&fields).collect();
    assert!(
        missing.is_empty() && unknown.is_empty(),
        "crates/host/tests/fields/rows/ says how each field of a document is changed and tried.\n\
         fields without a row: {missing:#?}\nrows without a field: {unknown:#?}"
    );
    let grouped: BTreeSet<&str> = DOCUMENTS.iter().copied().flatten().copied().collect();
    assert!(rows.iter().all(|row| grouped.contains(row.document)));
}
