//! The kinds of events that somebody can be told of: one table, of which everything else is made.

use serde::{Deserialize, Serialize};

macro_rules! kinds {
    ($($(#[doc = $doc:literal])+ $kind:ident $word:literal $priority:ident $id:literal,)*) => {
        /// What happened, in one word.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum Kind {
            $($(#[doc = $doc])+ $kind,)*
        }

        impl Kind {
            /// All, in the order of the documentation.
            pub const ALL: &[Self] = &[$(Self::$kind),*];
            /// Their words.
            pub const WORDS: &[&str] = &[$($word),*];

            /// The word that documents and events use.
            pub fn word(self) -> &'static str {
                match self { $(Self::$kind => $word,)* }
            }

            /// The kind of a word.
            pub fn of(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$kind),)* _ => None }
            }

            /// What it means, a sentence.
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$kind => concat!($($doc),+).trim_ascii(),)* }
            }

            /// How urgent it is.
            pub fn priority(self) -> Priority {
                match self { $(Self::$kind => Priority::$priority,)* }
            }

            /// `MESSAGE_ID=` of its entries in the journal: the same for ever.
            pub fn message_id(self) -> &'static str {
                match self { $(Self::$kind => $id,)* }
            }
        }
    };
}

kinds! {
    /// A generation became current.
    Deployed "deployed" Notice "e5ed8caa39a04ad2a8137be1f7517e0d",
    /// What differed from the current generation was put right.
    Repaired "repaired" Notice "ef4c377e2c874662a262d792955a321a",
    /// A generation has shown that it works, or works again.
    Healthy "healthy" Notice "bf9eb506283340a8ac709193cd0066c7",
    /// What was tried stays.
    Confirmed "confirmed" Notice "3f01bbd6147f4607a51588676233ffd0",
    /// A generation is tried, and goes unless it is confirmed.
    Trial "trial" Notice "72d6936618604780aeb0f38f2139e36b",
    /// A commit was not accepted.
    Refused "refused" Warning "caa0b5b20f69461dae0c61f77ea89e3a",
    /// A change failed.
    Failed "failed" Error "3d5ecdb16b8246f1a5bd4067679965e5",
    /// An older generation became current.
    RolledBack "rolled-back" Warning "ce85ec86d9514d85a0b83e9482413b4a",
    /// What was tried was not confirmed, and is gone.
    Reverted "reverted" Warning "11a2bac9638c4fc8ae6b313675f8e399",
    /// The current generation does not work.
    Degraded "degraded" Error "d52bf30b6d764f4ea5ff0387bf9bed50",
    /// Something differs from the generation without a new commit.
    Drifted "drifted" Warning "8f71a4c17f264c59a3e2261ec2d65a29",
    /// It does not differ any more.
    Settled "settled" Notice "fd4da8147b454292a3b160a13a7d4aec",
    /// Passes leave a tenant alone.
    Suspended "suspended" Notice "868216555a3943e9a9bcdc561aea52e3",
    /// Passes care for it again.
    Resumed "resumed" Notice "c00a7ecb805240f9aa2e7acd5e4399a0",
    /// A tenant was taken down.
    Removed "removed" Notice "cc576e1dd5df461ba0590bec80fd4cbb",
    /// A tenant came back and has what it had.
    Restored "restored" Notice "8fdc200404244f49af6483c61c7e805d",
    /// The data of a tenant was deleted.
    Purged "purged" Notice "46e46defde8c4064a6d3f8a89909bd0d",
    /// A repository cannot be fetched, three times in a row.
    SyncFailing "sync-failing" Warning "2d9ee24df0a6447fa2dc9d467f894796",
    /// It can be fetched again.
    SyncRestored "sync-restored" Notice "d5d341a872924b18a572b1f5abd2a931",
    /// A tenant uses more than nine tenths of a limit.
    Limit "limit" Warning "d98ed894b5484fa8ab9b6e0410b63ea8",
    /// It uses less than eight tenths again.
    LimitOver "limit-over" Notice "e59580de8ecc4d83afb6155f7415d6a2",
}

/// Priorities of syslog(3) that we use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Priority {
    /// Something does not work.
    Error,
    /// Somebody should look.
    Warning,
    /// Worth knowing.
    Notice,
}

impl Priority {
    /// `PRIORITY=` of the journal.
    pub fn number(self) -> &'static str {
        match self {
            Self::Error => "3",
            Self::Warning => "4",
            Self::Notice => "5",
        }
    }
}

impl Kind {
    /// The states that it ends. An end is told once, and only to whom the beginning was told.
    pub fn ends(self) -> &'static [Self] {
        match self {
            Self::Healthy => &[
                Self::Deployed,
                Self::Repaired,
                Self::RolledBack,
                Self::Reverted,
                Self::Failed,
                Self::Degraded,
            ],
            Self::Settled => &[Self::Drifted],
            Self::Resumed => &[Self::Suspended],
            Self::SyncRestored => &[Self::SyncFailing],
            Self::LimitOver => &[Self::Limit],
            _ => &[],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn words_and_ids_are_for_one_kind_each() {
        let ids: BTreeSet<&str> = Kind::ALL.iter().map(|kind| kind.message_id()).collect();
        assert_eq!(ids.len(), Kind::ALL.len());
        for kind in Kind::ALL {
            assert_eq!(Kind::of(kind.word()), Some(*kind));
            assert_eq!(serde_json::json!(kind), kind.word());
            let id = kind.message_id();
            assert!(
                id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit()),
                "{id}"
            );
            assert!(kind.meaning().ends_with('.'), "{}", kind.meaning());
        }
    }
}
