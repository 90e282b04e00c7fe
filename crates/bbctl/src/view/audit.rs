//! Records of the audit trail as rows.

use super::history::words;
use super::short;
use super::table::{Cell, Table};
use super::time::utc;
use crate::ui::Style;
use bitbuilder_core::model::Name;
use bitbuilder_host::audit::{Command, Event, Sealed, Who};
use bitbuilder_host::reconcile::{HistoryEvent, Trigger};
use serde_json::{Map, Value};

/// What was done, one row each; of `tenant` alone, if there is one.
pub(crate) fn table(records: &[Sealed], tenant: Option<&Name>) -> Table {
    let mut table = Table::new(&["NO", "TIME (UTC)", "WHO", "WHAT", "TENANT", "DETAIL"]);
    for record in records {
        let draft = &record.entry.draft;
        let mut first = true;
        let mut row = |what: Cell, of: Option<&Name>, detail: &str| {
            if tenant.is_some() && of != tenant {
                return;
            }
            let lead =
                |text: String| Cell::new(if first { text } else { String::new() }, Style::Dim);
            table.row(vec![
                lead(record.entry.number.to_string()),
                lead(utc(draft.time)),
                lead(who(&draft.who)),
                what,
                Cell::plain(of.map_or("", Name::as_str)),
                Cell::plain(detail),
            ]);
            first = false;
        };
        if let Some(command) = &draft.command {
            let style = if command.error.is_some() {
                Style::Bad
            } else {
                Style::Bold
            };
            let detail = command_detail(command);
            row(
                Cell::new(&command.name, style),
                command.tenant.as_ref(),
                &detail,
            );
        }
        for event in &draft.events {
            let (word, style, mut detail) = event_words(event);
            if draft.interrupted {
                detail.push_str("; interrupted: this is what was about to be done");
            }
            row(Cell::new(word, style), event.tenant.as_ref(), &detail);
        }
    }
    table
}

/// `operator 0, login 1000`.
fn who(who: &Who) -> String {
    let cause = match &who.trigger {
        Some(Trigger::Operator { uid }) => format!("operator {uid}"),
        Some(Trigger::Push { uid: Some(uid) }) => format!("push of {uid}"),
        Some(Trigger::Webhook {
            delivery: Some(delivery),
        }) => format!("webhook {}", short(delivery)),
        Some(other) => other.to_string(),
        None => format!("process of {}", who.process.uid),
    };
    match who.process.login {
        Some(login) if login != who.process.uid => format!("{cause}, login {login}"),
        _ => cause,
    }
}

fn command_detail(command: &Command) -> String {
    let mut words = options(&command.options);
    if let Some(error) = &command.error {
        words.push(format!("not done: {error}"));
    }
    words.join(" ")
}

fn event_words(event: &Event) -> (String, Style, String) {
    let mut details = event.details.clone();
    details.insert("event".to_owned(), event.event.clone().into());
    // The same words as in `bbctl history`, for what it knows too.
    let known = serde_json::from_value::<HistoryEvent>(Value::Object(details));
    let (word, style, mut detail) = match known {
        Ok(known) => {
            let (word, style, detail) = words(&known);
            (word.to_owned(), style, detail)
        }
        Err(_) => (
            event.event.clone(),
            Style::Plain,
            options(&event.details).join(" "),
        ),
    };
    if let Some(signer) = event.details.get("signer").and_then(Value::as_str) {
        detail.push_str(&format!("; signed by {signer}"));
    }
    (word, style, detail)
}

/// `to=3 retry`.
fn options(options: &Map<String, Value>) -> Vec<String> {
    let word = |(name, value): (&String, &Value)| match value {
        Value::Bool(true) => name.clone(),
        Value::String(text) if is_commit(text) => format!("{name}={}", short(text)),
        Value::String(text) => format!("{name}={text}"),
        other => format!("{name}={other}"),
    };
    options.iter().map(word).collect()
}

fn is_commit(text: &str) -> bool {
    text.len() == 40 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}
