//! From an event to a delivery, on a simulated host.

use super::*;
use crate::events::{self, HistoryEvent, Record};
use crate::sim::{Call, Faults, SimHost};
use bitbuilder_core::notify::Target;
use std::fs;
use std::os::unix::net::UnixDatagram;

struct Scene {
    host: SimHost,
    _directory: tempfile::TempDir,
}

impl Scene {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        Self {
            host: SimHost::open(directory.path()).unwrap(),
            _directory: directory,
        }
    }

    fn with(receivers: &[Receiver]) -> Self {
        let scene = Self::new();
        configure(scene.root(), receivers).unwrap();
        scene
    }

    fn root(&self) -> &HostRoot {
        self.host.root()
    }

    /// `event`, so many seconds after the clock of the simulated host began.
    fn happens(&self, seconds: u64, event: HistoryEvent) {
        let time = 1_000_000_000 + seconds;
        let tenant = Name::new("shop").ok();
        let record = Record {
            time,
            tenant,
            event,
        };
        events::append(self.root(), &record).unwrap();
    }

    /// What waits, by receiver.
    fn waiting(&self) -> Vec<(String, usize)> {
        waiting(self.root()).unwrap().into_iter().collect()
    }
}

fn pager(events: &[Kind]) -> Receiver {
    Receiver {
        target: Target::Command {
            name: Name::new("pager").unwrap(),
        },
        events: events.to_vec(),
    }
}

fn hook() -> Receiver {
    Receiver {
        target: Target::Webhook {
            url: "https://hooks.example/x".into(),
            secret: Name::new("hooks").unwrap(),
        },
        events: Vec::new(),
    }
}

fn refused(commit: &str) -> HistoryEvent {
    HistoryEvent::Refused {
        commit: commit.into(),
        reason: "its documents have an error".into(),
    }
}

#[test]
fn each_receiver_gets_what_it_wants_once() {
    let scene = Scene::with(&[pager(&[Kind::Refused]), hook()]);
    scene.happens(100, refused("abc"));
    scene.happens(101, refused("abc"));
    scene.happens(102, HistoryEvent::Resumed);
    let reason = "why".to_owned();
    scene.happens(103, HistoryEvent::Suspended { reason });
    sort(&scene.host).unwrap();
    let hook_id = hook().id();
    let expected = [("command-pager".to_owned(), 1), (hook_id.clone(), 2)];
    assert_eq!(
        scene.waiting(),
        expected,
        "the same again and an end without a beginning are not told"
    );
    let started = scene.host.calls();
    let started = started
        .iter()
        .find(|(call, _)| *call == Call::Start)
        .unwrap();
    assert!(
        started
            .1
            .contains("bitbuilder-notify@command-pager.service"),
        "{started:?}"
    );

    deliver(&scene.host, "command-pager").unwrap();
    deliver(&scene.host, &hook_id).unwrap();
    assert_eq!(scene.waiting(), []);
    let calls = scene.host.calls();
    let by = |unit: &str| calls.iter().filter(|(_, about)| about == unit).count();
    assert_eq!(by("bitbuilder-notify-command@pager.service"), 1);
    let webhook = hook_id.replacen("webhook-", "bitbuilder-notify-webhook@", 1) + ".service";
    assert_eq!(by(&webhook), 2);
}

#[test]
fn a_delivery_that_fails_waits_and_is_the_same_when_it_is_tried_again() {
    let scene = Scene::with(&[pager(&[])]);
    scene.happens(100, refused("abc"));
    sort(&scene.host).unwrap();
    let queue = directory(scene.root()).join("queue/command-pager");
    let content = || {
        let entries = fs::read_dir(&queue).unwrap();
        let files = entries.map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap());
        files.collect::<Vec<_>>()
    };
    let before = content();
    let faults = Faults::none().start("bitbuilder-notify-command@pager.service");
    let host = SimHost::open(scene.root().path())
        .unwrap()
        .with_faults(faults);
    deliver(&host, "command-pager").unwrap_err();
    assert_eq!(content(), before);
    // The same is sorted twice after a crash: it is one delivery.
    scene.happens(100, refused("abc"));
    fs::remove_file(directory(scene.root()).join("memory.json")).unwrap();
    sort(&scene.host).unwrap();
    assert_eq!(content(), before);
    deliver(&scene.host, "command-pager").unwrap();
    assert_eq!(content(), [""; 0]);
}

#[test]
fn a_queue_is_bounded_in_length_and_in_time() {
    let scene = Scene::with(&[pager(&[])]);
    let notice = |time: u64| Notice {
        format: 1,
        host: "h".into(),
        time,
        kind: Kind::Failed,
        priority: Kind::Failed.priority(),
        tenant: None,
        message: String::new(),
        more: 0,
        details: Map::new(),
    };
    for time in 0..1005 {
        queue::add(scene.root(), &pager(&[]), &notice(time)).unwrap();
    }
    assert_eq!(scene.waiting(), [("command-pager".to_owned(), 1000)]);
    // The clock of the simulated host is decades later.
    deliver(&scene.host, "command-pager").unwrap();
    assert_eq!(scene.waiting(), []);
    assert!(
        scene.host.calls().is_empty(),
        "nobody wants to know that any more"
    );
}

#[test]
fn a_receiver_that_the_policy_does_not_name_any_more_gets_nothing() {
    let scene = Scene::with(&[pager(&[])]);
    scene.happens(100, refused("abc"));
    sort(&scene.host).unwrap();
    configure(scene.root(), &[]).unwrap();
    deliver(&scene.host, "command-pager").unwrap();
    assert_eq!(scene.waiting(), []);
    // And where nobody is named, nothing is even kept.
    scene.happens(101, refused("def"));
    assert!(!directory(scene.root()).join("new/notices.jsonl").exists());
}

#[test]
fn the_journal_has_fields() {
    let scene = Scene::new();
    let socket = scene.root().join("/run/systemd/journal/socket");
    fs::create_dir_all(socket.parent().unwrap()).unwrap();
    let journal = UnixDatagram::bind(&socket).unwrap();
    scene.happens(100, refused(&"ab".repeat(20)));
    let mut buffer = vec![0; 10_000];
    let length = journal.recv(&mut buffer).unwrap();
    let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
    for field in [
        "MESSAGE=shop: refused, commit abababababab: its documents have an error\n",
        &format!("MESSAGE_ID={}\n", Kind::Refused.message_id()),
        "PRIORITY=4\n",
        "BITBUILDER_EVENT=refused\n",
        "BITBUILDER_TENANT=shop\n",
        &format!("BITBUILDER_COMMIT={}\n", "ab".repeat(20)),
        "BITBUILDER_REASON=its documents have an error\n",
    ] {
        assert!(text.contains(field), "{field} in {text}");
    }
}

#[test]
fn a_repository_that_cannot_be_fetched_is_told_once_it_lasts() {
    let scene = Scene::with(&[hook()]);
    let told = |before: Option<u64>, now: Option<u64>| {
        let failure = |count| {
            let text = format!(r#"{{"since":1,"count":{count},"error":"no route"}}"#);
            serde_json::from_str::<FetchFailure>(&text).unwrap()
        };
        fetched(
            &scene.host,
            None,
            before.map(failure).as_ref(),
            now.map(failure).as_ref(),
        );
        let told = spool::take(scene.root()).unwrap();
        spool::done(scene.root()).unwrap();
        told.into_iter()
            .map(|notice| notice.message)
            .collect::<Vec<_>>()
    };
    assert_eq!(told(None, Some(1)), [""; 0]);
    assert_eq!(
        told(Some(2), Some(3)),
        ["the system repository: sync failing: no route"]
    );
    assert_eq!(told(Some(3), Some(4)), [""; 0]);
    assert_eq!(
        told(Some(4), None),
        ["the system repository: sync restored"]
    );
    assert_eq!(told(Some(2), None), [""; 0]);
}
