//! What happened, in a few words.

use super::short;
use super::time::utc;
use crate::ui::Style;
use bitbuilder_host::reconcile::HistoryEvent;

/// An event: a word, its style, and the rest.
pub(crate) fn words(event: &HistoryEvent) -> (&'static str, Style, String) {
    match event {
        HistoryEvent::Deployed {
            generation,
            commit,
            subject,
            signer,
        } => (
            "deployed",
            Style::Good,
            format!(
                "generation {generation}, commit {}: {subject}{}",
                short(commit),
                signed(signer.as_deref())
            ),
        ),
        HistoryEvent::Repaired { generation } => {
            ("repaired", Style::Warn, format!("generation {generation}"))
        }
        HistoryEvent::Refused { commit, reason } => (
            "refused",
            Style::Bad,
            format!("commit {}: {reason}", short(commit)),
        ),
        HistoryEvent::Failed { commit, error } => (
            "failed",
            Style::Bad,
            format!("commit {}: {error}", short(commit)),
        ),
        HistoryEvent::RolledBack { from, to, reason } => (
            "rolled back",
            Style::Warn,
            match reason {
                Some(reason) => format!("generation {from} -> {to}: {reason}"),
                None => format!("generation {from} -> {to}"),
            },
        ),
        HistoryEvent::Trial { generation, until } => (
            "trial",
            Style::Warn,
            format!("generation {generation} until {}", utc(*until)),
        ),
        HistoryEvent::Confirmed { generation } => {
            ("confirmed", Style::Good, format!("generation {generation}"))
        }
        HistoryEvent::Reverted { generation, reason } => (
            "reverted",
            Style::Warn,
            match reason {
                Some(reason) => format!("generation {generation}: {reason}"),
                None => format!("generation {generation}"),
            },
        ),
        HistoryEvent::Healthy { generation } => {
            ("healthy", Style::Good, format!("generation {generation}"))
        }
        HistoryEvent::Degraded { generation, reason } => (
            "degraded",
            Style::Bad,
            format!("generation {generation}: {reason}"),
        ),
        HistoryEvent::Suspended { reason } => ("suspended", Style::Warn, reason.clone()),
        HistoryEvent::Resumed => ("resumed", Style::Good, String::new()),
        HistoryEvent::Removed => ("removed", Style::Warn, String::new()),
        HistoryEvent::Drifted { items } => ("drifted", Style::Warn, items.join("; ")),
        HistoryEvent::Settled => ("settled", Style::Good, String::new()),
        HistoryEvent::Restored => ("restored", Style::Good, String::new()),
        HistoryEvent::Purged => ("purged", Style::Warn, String::new()),
    }
}

/// By whom; nothing when nobody asked.
fn signed(signer: Option<&str>) -> String {
    signer.map_or_else(String::new, |signer| format!(", signed by {signer}"))
}
