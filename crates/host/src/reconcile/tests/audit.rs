//! What passes and operators leave in the audit trail.

use super::{WEB, World, container, name, silent};
use crate::audit::{Event, Sealed, public_keys, verify};
use crate::disk::crash;
use crate::host::Host;
use crate::reconcile::{Options, Trigger, pass, resume, rollback, suspend};
use crate::sim::SimHost;
use std::path::Path;
use std::process::Command;

impl World {
    /// The records, which must verify.
    fn trail(&self) -> Vec<Sealed> {
        let root = self.host.root();
        let keys = public_keys(root).unwrap();
        verify(&root.audit_trail(), &keys, None).unwrap().records
    }

    /// `trigger` makes a pass with what was fetched before.
    fn pass_by(&self, trigger: Trigger) {
        let options = Options {
            trigger,
            fetch: false,
            ..Options::default()
        };
        self.pass(&options);
    }

    /// Fetches and changes nothing.
    fn fetch(&self) {
        self.pass(&Options {
            plan_only: true,
            ..Options::default()
        });
    }
}

fn words(records: &[Sealed]) -> Vec<String> {
    let drafts = records.iter().map(|sealed| &sealed.entry.draft);
    drafts
        .map(|draft| {
            let command = draft.command.iter().map(|command| {
                let error = if command.error.is_some() { "!" } else { "" };
                format!("{}{error}", command.name)
            });
            let events = draft.events.iter().map(|event| event.event.clone());
            command.chain(events).collect::<Vec<_>>().join(" ")
        })
        .collect()
}

fn events<'a>(records: &'a [Sealed], kind: &'a str) -> impl Iterator<Item = &'a Event> {
    let events = records.iter().flat_map(|sealed| &sealed.entry.draft.events);
    events.filter(move |event| event.event == kind)
}

#[test]
fn who_did_what_is_recorded() {
    let world = World::new(&["one"]);
    let id = name("one");
    world.fetch();
    world.pass_by(Trigger::Boot);
    let green = world.commit("one", &[(WEB, &container("green"))]);
    world.fetch();
    world.pass_by(Trigger::Push { uid: Some(1000) });
    world.pass_by(Trigger::Timer);
    world.commit("one", &[(WEB, "image: 7\n")]);
    world.fetch();
    world.pass_by(Trigger::Timer);
    world.pass_by(Trigger::Timer);
    rollback(&world.host, &id, None, &mut silent).unwrap();
    rollback(&world.host, &id, Some(9), &mut silent).unwrap_err();
    suspend(&world.host, &id, "why not").unwrap();
    resume(&world.host, &id).unwrap();
    world.pass_by(Trigger::Operator { uid: 7 });
    world.register(&[]);
    world.sync_all();

    let records = world.trail();
    assert_eq!(
        words(&records),
        [
            "audit-begun system-accepted deployed",
            "deployed",
            "refused",
            "rollback rolled-back",
            "rollback!",
            "suspend suspended",
            "resume resumed",
            "sync",
            "sync system-accepted removed",
        ],
        "{records:#?}"
    );
    assert_eq!(
        records[1].entry.draft.who.trigger,
        Some(Trigger::Push { uid: Some(1000) })
    );
    let deployed: Vec<&Event> = events(&records, "deployed").collect();
    let second = &deployed[1].details;
    assert_eq!(second["commit"], green);
    assert_eq!(second["before"]["generation"], 1);
    assert_eq!(
        second["before"]["tree"],
        deployed[0].details["target"]["tree"]
    );
    assert_eq!(second["plan"].as_str().unwrap().len(), 64);
    assert_eq!(second["system"], deployed[0].details["system"]);
    // The way back leads to what was there: the hashes say so.
    let back = events(&records, "rolled-back").next().unwrap();
    assert_eq!(back.details["target"], second["before"]);
}

impl World {
    fn sync_all(&self) {
        self.pass(&Options::default());
    }
}

/// A pass that is killed between any two of its effects, whatever they are.
#[test]
fn no_kill_loses_the_record_of_a_change() {
    // Nothing is slow to sync in memory.
    let mut world = World::within(tempfile::tempdir_in("/dev/shm").unwrap(), &["one"]);
    world.sync_all();
    world.commit("one", &[(WEB, &container("green"))]);
    world.fetch();
    let (host, pristine) = (world.repository("host"), world.repository("pristine"));
    let copy = |from: &Path, to: &Path| {
        let _ = std::fs::remove_dir_all(to);
        let copied = Command::new("cp").arg("-a").args([from, to]).status();
        assert!(copied.unwrap().success());
    };
    copy(&host, &pristine);
    let options = Options {
        trigger: Trigger::Timer,
        fetch: false,
        ..Options::default()
    };
    let (report, effects) = crash::count(|| pass(&world.host, &options, &mut silent));
    assert!(report.unwrap().succeeded());
    assert!(effects > 50, "{effects}");
    for kill in 0..effects {
        copy(&pristine, &host);
        world.host = SimHost::open(&host).unwrap();
        let ended = crash::at(kill, || pass(&world.host, &options, &mut silent));
        assert!(ended.is_none(), "{kill}");
        let switched = world.generation("one") == Some(2);
        world.pass_by(Trigger::Boot);
        assert_eq!(world.generation("one"), Some(2), "{kill}");
        let records = world.trail();
        let told = events(&records, "deployed").filter(to_two).count();
        assert!((1..=2).contains(&told), "{kill}: {:?}", words(&records));
        if switched {
            // Who was killed is in the trail, not only who came afterwards.
            let by_timer = records.iter().any(|sealed| {
                let draft = &sealed.entry.draft;
                draft.who.trigger == Some(Trigger::Timer)
                    && draft.events.iter().any(|event| to_two(&event))
            });
            assert!(by_timer, "{kill}: {:?}", words(&records));
        }
        let waiting = crate::audit::waiting(world.host.root()).unwrap();
        assert_eq!(waiting, 0, "{kill}");
    }
}

/// Whether it is about the second generation.
fn to_two(event: &&Event) -> bool {
    let details = &event.details;
    let target = details.get("target").map(|target| &target["generation"]);
    details
        .get("generation")
        .or(target)
        .is_some_and(|number| *number == 2)
}
