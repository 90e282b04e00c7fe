//! Who or what caused a pass.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// What caused a pass; audit and notifications record it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "by")]
pub enum Trigger {
    /// The host came up.
    Boot,
    /// The regular timer.
    Timer,
    /// A repository on this host changed.
    Path,
    /// A push to an embedded repository.
    Push {
        /// User of this host that pushed, where it is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        uid: Option<u32>,
    },
    /// A delivery of a forge.
    Webhook {
        /// What the forge calls the delivery; letters that [`Trigger::from_str`] accepts.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        delivery: Option<String>,
    },
    /// A person at the command line.
    Operator {
        /// Real user id.
        uid: u32,
    },
    /// A reload of `tenant@`.
    Reload,
    /// A health window.
    Health,
}

impl Trigger {
    /// Whether it asks also remotes that failed and are left alone for a while: a person wants to know now, and after a
    /// boot the network is another one.
    pub(super) fn insists(&self) -> bool {
        matches!(self, Self::Operator { .. } | Self::Boot)
    }

    /// Whether it says that the repository that it is about has moved.
    pub(super) fn announces(&self) -> bool {
        matches!(self, Self::Path | Self::Push { .. } | Self::Webhook { .. })
    }
}

impl Default for Trigger {
    /// The user who runs this program.
    fn default() -> Self {
        Self::Operator {
            uid: rustix::process::getuid().as_raw(),
        }
    }
}

/// `boot`, `timer`, `path`, `push[:UID]`, `webhook[:DELIVERY]`, `operator:UID`, `reload`, `health`: a word for command lines.
impl fmt::Display for Trigger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Boot => f.write_str("boot"),
            Self::Timer => f.write_str("timer"),
            Self::Path => f.write_str("path"),
            Self::Push { uid: None } => f.write_str("push"),
            Self::Push { uid: Some(uid) } => write!(f, "push:{uid}"),
            Self::Webhook { delivery: None } => f.write_str("webhook"),
            Self::Webhook {
                delivery: Some(delivery),
            } => write!(f, "webhook:{delivery}"),
            Self::Operator { uid } => write!(f, "operator:{uid}"),
            Self::Reload => f.write_str("reload"),
            Self::Health => f.write_str("health"),
        }
    }
}

/// A word that is no [`Trigger`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{}` is none of boot, timer, path, push[:UID], webhook[:DELIVERY], operator:UID, reload, health",
    .0.escape_default()
)]
pub struct UnknownTrigger(String);

impl FromStr for Trigger {
    type Err = UnknownTrigger;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        let unknown = || UnknownTrigger(word.to_owned());
        let uid = |text: &str| text.parse().map_err(|_| unknown());
        Ok(match word.split_once(':') {
            None => match word {
                "boot" => Self::Boot,
                "timer" => Self::Timer,
                "path" => Self::Path,
                "push" => Self::Push { uid: None },
                "webhook" => Self::Webhook { delivery: None },
                "reload" => Self::Reload,
                "health" => Self::Health,
                _ => return Err(unknown()),
            },
            Some(("push", text)) => Self::Push {
                uid: Some(uid(text)?),
            },
            Some(("operator", text)) => Self::Operator { uid: uid(text)? },
            Some(("webhook", delivery)) if is_delivery(delivery) => Self::Webhook {
                delivery: Some(delivery.to_owned()),
            },
            Some(_) => return Err(unknown()),
        })
    }
}

/// What a forge may call a delivery: UUIDs and the like. It comes from the network and goes to records.
pub fn is_delivery(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.=+/".contains(&byte);
    (1..=128).contains(&text.len()) && text.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> Vec<Trigger> {
        vec![
            Trigger::Boot,
            Trigger::Timer,
            Trigger::Path,
            Trigger::Push { uid: None },
            Trigger::Push { uid: Some(1000) },
            Trigger::Webhook { delivery: None },
            Trigger::Webhook {
                delivery: Some("72d3162e-cc78-11e3-81ab-4c9367dc0958".into()),
            },
            Trigger::Operator { uid: 0 },
            Trigger::Reload,
            Trigger::Health,
        ]
    }

    #[test]
    fn words_go_round() {
        for trigger in all() {
            assert_eq!(trigger.to_string().parse(), Ok(trigger));
        }
    }

    #[test]
    fn json_goes_round_and_says_by() {
        for trigger in all() {
            let text = serde_json::to_string(&trigger).unwrap();
            assert!(text.starts_with("{\"by\":\""), "{text}");
            assert_eq!(serde_json::from_str::<Trigger>(&text).unwrap(), trigger);
        }
    }

    #[test]
    fn other_words_are_refused() {
        let long = format!("webhook:{}", "a".repeat(129));
        for word in [
            "",
            "Boot",
            "push:",
            "push:x",
            "push:-1",
            "operator",
            "webhook:",
            "webhook:a b",
            "webhook:a\n",
            "boot:1",
            &long,
        ] {
            assert!(word.parse::<Trigger>().is_err(), "{word:?}");
        }
    }

    #[test]
    fn by_default_it_is_who_runs_this() {
        let uid = rustix::process::getuid().as_raw();
        assert_eq!(Trigger::default(), Trigger::Operator { uid });
    }
}
