//! What is in the tenant's slice and not of the tenant.

use super::{How, Item, Remedy, What};

/// Something in the slice that no generation put there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stranger {
    /// A unit, or a control group that looks like one.
    Unit {
        /// Its name.
        name: String,
        /// Since when it is there.
        since: Option<u64>,
    },
    /// A process.
    Process {
        /// Its id.
        pid: u32,
        /// Its name, as the kernel says it.
        name: String,
        /// Whose it is.
        uid: u32,
        /// The control group below the slice that it is in; empty for the slice itself.
        group: String,
    },
}

/// The differences that strangers in `slice` are. A process is ended by nobody but a person.
pub fn slice(slice: &str, strangers: &[Stranger]) -> Vec<Item> {
    strangers.iter().map(|one| item(slice, one)).collect()
}

fn item(slice: &str, stranger: &Stranger) -> Item {
    let base = Item {
        what: What::Unit,
        how: How::Foreign,
        subject: String::new(),
        expected: "not of the generation, so not in the slice".to_owned(),
        seen: format!("in {slice}"),
        since: None,
        by: None,
        remedy: Remedy::Stop,
    };
    match stranger {
        Stranger::Unit { name, since } => Item {
            subject: name.clone(),
            since: *since,
            ..base
        },
        Stranger::Process {
            pid,
            name,
            uid,
            group,
        } => Item {
            what: What::Process,
            subject: format!("{pid} ({name})"),
            seen: format!("in {slice}/{group}")
                .trim_end_matches('/')
                .to_owned(),
            by: Some(format!("uid {uid}, which runs it")),
            remedy: Remedy::Hand {
                command: format!("kill {pid}"),
            },
            ..base
        },
    }
}
