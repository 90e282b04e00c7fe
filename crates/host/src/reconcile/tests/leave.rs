//! Tenants that leave: nothing is left but their data, and not even that after the purge. And tenants that come back.

use super::{WEB, World, container, find, name, silent};
use crate::disk::crash;
use crate::disk::fault::{self, Fault};
use crate::events;
use crate::host::Host;
use crate::reconcile::{HistoryEvent, Options, PassError, TenantState, Verdict, left, pass, purge};
use bitbuilder_core::allocate::{Allocations, TenantAllocation};
use bitbuilder_core::plan::Action;
use serde_json::json;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A day, in seconds.
const DAY: u64 = 86_400;

/// A host with `one`, which has written something, and `two`.
fn deployed() -> World {
    let world = World::new(&["one", "two"]);
    hold_clock(&world, 1_000_000_000);
    let web = format!(
        "{}volumes: [ {{ name: data, mount: /data }} ]\n",
        container("red")
    );
    world.commit("one", &[(WEB, &web)]);
    world.sync("one");
    let home = world.host.root().tenant(&name("one"));
    fs::write(home.join("volumes/data/orders"), "1\n").unwrap();
    fs::write(home.join("containers/web/upper/motd"), "hello\n").unwrap();
    world
}

fn hold_clock(world: &World, time: u64) {
    fs::write(world.host.root().join("/clock"), time.to_string()).unwrap();
}

/// Files and links below `directory` with their content, and directories.
fn tree(directory: &Path) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    let mut next = vec![directory.to_owned()];
    while let Some(path) = next.pop() {
        for entry in fs::read_dir(&path).into_iter().flatten().flatten() {
            let path = entry.path();
            let kind = entry.file_type().unwrap();
            let content = match (kind.is_dir(), kind.is_symlink()) {
                (true, _) => "directory".to_owned(),
                (_, true) => format!("-> {}", fs::read_link(&path).unwrap().display()),
                _ => String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned(),
            };
            if kind.is_dir() {
                next.push(path.clone());
            }
            found.insert(path.strip_prefix(directory).unwrap().to_owned(), content);
        }
    }
    found
}

/// What of `id` is on the host, but for what the host remembers of its past.
fn traces(world: &World, id: &str) -> Vec<String> {
    let root = world.host.root();
    let units = world.host.units(&["*"]).unwrap();
    let own = |text: &str| {
        text.split(|c: char| !c.is_ascii_alphanumeric())
            .any(|word| word == id)
    };
    let units = units.into_keys().filter(|unit| own(unit));
    let links = world
        .host
        .links()
        .unwrap()
        .into_iter()
        .filter(|link| own(link));
    let rules = world
        .host
        .rules()
        .unwrap()
        .into_keys()
        .filter(|part| own(part));
    let paths = ["/run", "/etc", "/nft", "/sys", "/var/lib/bitbuilder/git"].map(|top| {
        let top = root.join(top);
        let paths = tree(&top)
            .into_keys()
            .map(|path| path.display().to_string());
        paths.filter(|path| own(path)).collect::<Vec<_>>()
    });
    units
        .chain(links)
        .chain(rules)
        .chain(paths.into_iter().flatten())
        .collect()
}

fn allocation(world: &World, id: &str) -> Option<TenantAllocation> {
    let text = fs::read(world.host.root().allocations()).unwrap();
    let allocations: Allocations = serde_json::from_slice(&text).unwrap();
    allocations.tenants.get(&name(id)).cloned()
}

fn home(world: &World, id: &str) -> Vec<String> {
    let home = world.host.root().tenant(&name(id));
    let files = tree(&home).into_iter();
    files
        .filter(|(_, content)| content != "directory")
        .map(|(path, _)| path.display().to_string())
        .collect()
}

fn events(world: &World, id: &str) -> Vec<&'static str> {
    let records = events::read(world.host.root()).unwrap().into_iter();
    let own = records.filter(|record| record.tenant == Some(name(id)));
    own.map(|record| match record.event {
        HistoryEvent::Deployed { .. } => "deployed",
        HistoryEvent::Removed => "removed",
        HistoryEvent::Restored => "restored",
        HistoryEvent::Purged => "purged",
        HistoryEvent::Healthy { .. } => "healthy",
        _ => "other",
    })
    .filter(|word| *word != "healthy")
    .collect()
}

#[test]
fn after_a_removal_there_is_nothing_but_the_data_and_the_reservation() {
    let world = deployed();
    let before = allocation(&world, "one").unwrap();
    world.register(&["two"]);
    let report = world.sync("one");
    assert_eq!(report.verdict, Verdict::Removed, "{report:?}");
    let steps = report.plan.unwrap().steps;
    assert!(matches!(steps.last().unwrap().action, Action::Erase { .. }));

    assert_eq!(traces(&world, "one"), [] as [&str; 0]);
    let kept = [
        "containers/web/upper/motd",
        "state.json",
        "volumes/data/orders",
    ];
    assert_eq!(home(&world, "one"), kept);
    let now = allocation(&world, "one").unwrap();
    assert_eq!(now.released, Some(1_000_000_000));
    assert_eq!(
        TenantAllocation {
            peerings: Default::default(),
            released: None,
            ..now
        },
        before
    );
    let kept = left(&world.host).unwrap().remove(0);
    assert_eq!(kept.until, 1_000_000_000 + 30 * DAY);
    assert!(!world.invocation("two-web").is_empty());

    // It is said once.
    assert_eq!(world.pass(&Options::default()).tenants.len(), 1);
    assert_eq!(events(&world, "one"), ["deployed", "removed"]);
}

#[test]
fn a_tenant_that_comes_back_has_what_it_had() {
    let world = deployed();
    let before = allocation(&world, "one").unwrap();
    world.register(&["two"]);
    world.sync("one");
    world.register(&["one", "two"]);
    let report = world.sync("one");
    assert_eq!(report.verdict, Verdict::Applied, "{report:?}");
    assert_eq!(allocation(&world, "one").unwrap(), before);
    assert_eq!(
        world.generation("one"),
        Some(2),
        "numbers are not used again"
    );
    assert!(home(&world, "one").contains(&"volumes/data/orders".to_owned()));
    assert!(!world.invocation("one-web").is_empty());
    assert_eq!(
        events(&world, "one"),
        ["deployed", "removed", "restored", "deployed"]
    );
}

#[test]
fn what_is_registered_is_never_purged() {
    let world = deployed();
    world.register(&["two"]);
    world.sync("one");
    // It comes back with a commit that is refused: nothing is deployed, and nothing is lost.
    world.commit("one", &[(WEB, "boto: true\n")]);
    world.register(&["one", "two"]);
    assert_eq!(world.sync("one").verdict, Verdict::Refused);
    hold_clock(&world, 1_000_000_000 + 400 * DAY);
    assert_eq!(world.sync("one").verdict, Verdict::Refused);
    assert!(home(&world, "one").contains(&"volumes/data/orders".to_owned()));
    let error = purge(&world.host, &name("one"), &mut silent).unwrap_err();
    assert!(error.to_string().contains("it is registered"), "{error}");
    assert_eq!(allocation(&world, "one").unwrap().released, None);
}

#[test]
fn data_goes_when_its_time_is_over() {
    let world = deployed();
    world.register(&["two"]);
    world.sync("one");
    hold_clock(&world, 1_000_000_000 + 30 * DAY - 1);
    world.pass(&Options::default());
    assert!(!home(&world, "one").is_empty());
    hold_clock(&world, 1_000_000_000 + 30 * DAY);
    world.pass(&Options::default());
    assert!(!world.host.root().tenant(&name("one")).exists());
    assert_eq!(allocation(&world, "one"), None);
    assert_eq!(left(&world.host).unwrap(), []);
    assert_eq!(events(&world, "one"), ["deployed", "removed", "purged"]);
}

/// A host that is up since `uptime` seconds by its own count, whatever the time of day is.
fn hold_uptime(world: &World, uptime: u64) {
    let text = (1000 * uptime).to_string();
    fs::write(world.host.root().join("/uptime"), text).unwrap();
}

#[test]
fn no_setting_of_the_clock_ends_the_time_of_data() {
    const NOW: u64 = 1_000_000_000;
    // The time of day at the removal, and later: a battery that was empty, and one that is.
    for (at, later) in [
        (NOW, NOW + 400 * DAY),
        (3, NOW),
        (NOW, 3),
        (NOW + 400 * DAY, NOW),
    ] {
        let world = deployed();
        hold_uptime(&world, 100);
        hold_clock(&world, at);
        world.register(&["two"]);
        world.sync("one");
        hold_clock(&world, later);
        let due = 100 + 30 * DAY;
        for up in [100, 200, due - 1] {
            hold_uptime(&world, up);
            world.pass(&Options::default());
            assert!(home(&world, "one").contains(&"volumes/data/orders".to_owned()));
            assert_eq!(left(&world.host).unwrap()[0].until, later + due - up);
        }
        hold_uptime(&world, due);
        world.pass(&Options::default());
        assert!(!world.host.root().tenant(&name("one")).exists(), "{later}");
        assert_eq!(traces(&world, "one"), [] as [&str; 0]);
        assert!(!world.host.root().counted().exists());
    }
}

#[test]
fn the_time_of_data_goes_on_after_a_restart_and_begins_anew_after_a_return() {
    let world = deployed();
    hold_uptime(&world, 100);
    world.register(&["two"]);
    world.sync("one");
    let kept = || allocation(&world, "one").unwrap().kept;
    // A pass that has nothing else to do counts, too, but not each.
    hold_uptime(&world, 100 + 3_599);
    world.pass(&Options::default());
    assert_eq!(kept(), 0);
    hold_uptime(&world, 100 + 3_600);
    world.pass(&Options::default());
    assert_eq!(kept(), 3_600);
    // Its clock begins anew, and how long the host was off nobody knows.
    for up in [5, 1_000_000] {
        hold_uptime(&world, up);
        world.host.reboot().unwrap();
        world.pass(&Options::default());
        assert_eq!(kept(), 3_600);
        assert_eq!(
            left(&world.host).unwrap()[0].until,
            1_000_000_000 + 30 * DAY - 3_600
        );
    }
    hold_uptime(&world, 1_000_000 + 30 * DAY - 3_601);
    world.pass(&Options::default());
    assert_eq!(kept(), 30 * DAY - 1);
    world.register(&["one", "two"]);
    assert_eq!(world.sync("one").verdict, Verdict::Applied);
    assert_eq!(kept(), 0);
    world.register(&["two"]);
    world.sync("one");
    hold_uptime(&world, 1_000_000 + 30 * DAY);
    world.pass(&Options::default());
    assert_eq!(kept(), 3_601);
    assert!(home(&world, "one").contains(&"volumes/data/orders".to_owned()));
}

#[test]
fn a_purge_by_hand_needs_a_tenant_that_left() {
    let world = deployed();
    let refused = |id: &str, why: &str| {
        let error = purge(&world.host, &name(id), &mut silent).unwrap_err();
        assert!(matches!(error, PassError::Generation { .. }), "{error}");
        assert!(error.to_string().contains(why), "{error}");
    };
    refused("one", "it is registered");
    refused("nobody", "nothing is kept");
    world.register(&["two"]);
    refused("one", "it is registered");
    world.sync("one");
    purge(&world.host, &name("one"), &mut silent).unwrap();
    assert!(!world.host.root().tenant(&name("one")).exists());
    assert_eq!(allocation(&world, "one"), None);
    refused("one", "nothing is kept");
    // Its number is free.
    world.register(&["two", "three"]);
    world.commit(
        "three",
        &[
            ("metadata.json", &super::metadata("three")),
            (WEB, &container("red")),
        ],
    );
    assert_eq!(
        find(world.pass(&Options::default()), "three").verdict,
        Verdict::Applied
    );
    assert_eq!(allocation(&world, "three").unwrap().number, 1);
}

#[test]
fn nothing_mounted_is_deleted() {
    let world = deployed();
    let home = world.host.root().tenant(&name("one"));
    world.register(&["two"]);
    let mountinfo = world.host.root().join("/proc/self/mountinfo");
    fs::create_dir_all(mountinfo.parent().unwrap()).unwrap();
    let line = "36 35 0:5 / /var/lib/tenants/one/containers/web/rootfs rw - overlay overlay rw\n";
    fs::write(&mountinfo, line).unwrap();
    let report = world.sync("one");
    assert_eq!(report.verdict, Verdict::Failed, "{report:?}");
    assert!(report.error.unwrap().contains("still mounted"));
    assert!(home.join("containers/web/rootfs").exists());
    // A pass has not forgotten it, however little moved.
    assert_eq!(world.sync("one").verdict, Verdict::Failed);
    fs::remove_file(&mountinfo).unwrap();
    assert_eq!(world.sync("one").verdict, Verdict::Removed);
    assert_eq!(traces(&world, "one"), [] as [&str; 0]);
}

#[test]
fn another_id_is_another_tenant_and_the_plan_says_so() {
    let world = deployed();
    let url = format!("file://{}", world.repository("one").display());
    world.commit("one", &[("metadata.json", &super::metadata("uno"))]);
    let registry = json!({ "tenants": [{ "id": "uno", "repository": url }] }).to_string();
    world.commit("system", &[("tenants/registry.json", &registry)]);
    let options = Options {
        plan_only: true,
        ..Options::default()
    };
    let planned = find(world.pass(&options), "one");
    let said = &planned.plan.unwrap().findings[0];
    assert_eq!(said.rule, "tenant-renamed");
    assert!(said.message.contains("`uno`"), "{}", said.message);
    let report = world.pass(&Options::default());
    assert_eq!(find(report.clone(), "one").verdict, Verdict::Removed);
    assert_eq!(find(report, "uno").verdict, Verdict::Applied);
    assert!(home(&world, "one").contains(&"volumes/data/orders".to_owned()));
    let (old, new) = (allocation(&world, "one"), allocation(&world, "uno"));
    assert_ne!(old.unwrap().number, new.unwrap().number);
}

#[test]
fn a_repository_that_is_gone_is_no_removal() {
    let world = deployed();
    let before = world.invocation("one-web");
    fs::rename(world.repository("one"), world.repository("elsewhere")).unwrap();
    for _ in 0..3 {
        let report = world.sync("one");
        assert_eq!(report.verdict, Verdict::Unchanged, "{report:?}");
    }
    assert_eq!(world.invocation("one-web"), before);
    let state = TenantState::read(world.host.root(), &name("one")).unwrap();
    assert_eq!(state.fetch_failure.unwrap().since, 1_000_000_000);
    assert_eq!(allocation(&world, "one").unwrap().released, None);
}

#[test]
fn a_pass_for_another_tenant_leaves_the_removal_to_the_next_for_all() {
    let world = deployed();
    world.register(&["two"]);
    world.pass(&super::only("two"));
    assert!(!world.invocation("one-web").is_empty());
    assert_eq!(world.sync("one").verdict, Verdict::Removed);
}

#[test]
fn directories_of_others_are_left_alone() {
    let world = deployed();
    let backup = world.host.root().tenants().join("backup");
    fs::create_dir_all(backup.join("volumes")).unwrap();
    fs::write(backup.join("list"), "mine\n").unwrap();
    // Nobody has numbers for it, and all in it is data.
    let lost = world.host.root().tenants().join("lost");
    fs::create_dir_all(lost.join("volumes/data")).unwrap();
    fs::create_dir(lost.join("generations")).unwrap();
    for _ in 0..2 {
        world.register(&["one", "two"]);
        world.pass(&Options::default());
    }
    assert!(backup.join("list").exists());
    assert!(lost.join("volumes/data").exists());
    assert!(!lost.join("generations").exists());
    assert_eq!(events(&world, "lost"), ["removed"]);
    assert_eq!(events(&world, "backup"), [] as [&str; 0]);
}

#[test]
fn a_tenant_that_never_had_a_generation_leaves_no_trace() {
    let world = deployed();
    world.commit("never", &[("metadata.json", "{")]);
    world.register(&["one", "two", "never"]);
    assert!(
        find(world.pass(&Options::default()), "never")
            .verdict
            .is_bad()
    );
    assert!(world.host.root().tenant(&name("never")).exists());
    world.register(&["one", "two"]);
    world.pass(&Options::default());
    assert!(!world.host.root().tenant(&name("never")).exists());
    assert_eq!(traces(&world, "never"), [] as [&str; 0]);
    let registry = fs::read_to_string(world.host.root().registry()).unwrap();
    assert!(!registry.contains("never"), "{registry}");
}

#[test]
fn an_embedded_repository_goes_with_the_last_who_uses_it() {
    for (used, kept) in [(false, false), (true, true)] {
        let world = World::new(&["two"]);
        let embedded = "file:///var/lib/bitbuilder/git/one.git";
        let other = if used { "uno" } else { "two" };
        let mut tenants = vec![json!({ "id": "one", "repository": embedded })];
        let register = |tenants: &[serde_json::Value]| {
            let registry = json!({ "tenants": tenants }).to_string();
            world.commit("system", &[("tenants/registry.json", &registry)]);
            world.pass(&Options::default());
        };
        register(&tenants);
        let repository = world.host.root().embedded("one");
        assert!(repository.exists());
        tenants.clear();
        if used {
            tenants.push(json!({ "id": other, "repository": embedded }));
        }
        register(&tenants);
        assert_eq!(repository.exists(), kept, "{other}");
    }
}

/// Everything on the disk of the host that a later pass goes on from.
struct Snapshot {
    directory: tempfile::TempDir,
}

impl Snapshot {
    fn of(world: &World) -> Self {
        let directory = tempfile::tempdir().unwrap();
        copy(world.host.root().path(), &directory.path().join("host"));
        Self { directory }
    }

    /// The host becomes what it was.
    fn restore(&self, world: &mut World) {
        let host = world.host.root().path().to_owned();
        fs::remove_dir_all(&host).unwrap();
        copy(&self.directory.path().join("host"), &host);
        world.host = crate::sim::SimHost::open(&host).unwrap();
    }
}

fn copy(from: &Path, to: &Path) {
    let status = Command::new("cp").arg("-a").args([from, to]).status();
    assert!(status.unwrap().success());
}

/// Kills `act` at every `step`th effect; after each, the next pass leads to `end`, and `two` was never touched.
fn kill_each(step: usize, world: &mut World, act: &dyn Fn(&World), end: &dyn Fn(&World)) {
    let snapshot = Snapshot::of(world);
    let two = world.invocation("two-web");
    let mut kills = 0;
    for effects in (0..).step_by(step) {
        snapshot.restore(world);
        let done = crash::at(effects, || act(world)).is_some();
        let killed = world.host.root().path().to_owned();
        world.host = crate::sim::SimHost::open(killed).unwrap();
        assert_eq!(world.invocation("two-web"), two, "after {effects}");
        for fetch in [true, false] {
            let options = Options {
                fetch,
                ..Options::default()
            };
            pass(&world.host, &options, &mut silent).unwrap();
        }
        end(world);
        assert_eq!(world.invocation("two-web"), two, "after {effects}");
        if done {
            break;
        }
        kills += 1;
    }
    assert!(kills > 5, "only {kills} kills: the effects are not counted");
}

/// Lets each operation of a pass on the disk fail once; after each, passes on a sound disk lead to `end`.
fn fail_each(world: &mut World, end: &dyn Fn(&World)) {
    let plan = Options {
        plan_only: true,
        ..Options::default()
    };
    world.pass(&plan);
    // No fetch: Git's own files are Git's to keep whole.
    let local = Options {
        fetch: false,
        ..Options::default()
    };
    let snapshot = Snapshot::of(world);
    let two = world.invocation("two-web");
    for at in 0.. {
        snapshot.restore(world);
        let act = || pass(&world.host, &local, &mut silent);
        let (_, operations) = fault::with(Fault::Broken, at..at + 1, act);
        for _ in 0..2 {
            pass(&world.host, &local, &mut silent).unwrap();
        }
        end(world);
        assert_eq!(world.invocation("two-web"), two, "operation {at}");
        if at > operations {
            break;
        }
    }
}

fn assert_removed(world: &World) {
    assert_eq!(traces(world, "one"), [] as [&str; 0]);
    let kept = [
        "containers/web/upper/motd",
        "state.json",
        "volumes/data/orders",
    ];
    assert_eq!(home(world, "one"), kept);
    assert!(allocation(world, "one").unwrap().released.is_some());
}

fn assert_purged(world: &World) {
    let tenants = tree(&world.host.root().tenants());
    let mut left = tenants.keys().filter(|path| !path.starts_with("two"));
    assert_eq!(left.next(), None);
    assert_eq!(allocation(world, "one"), None);
}

#[test]
fn a_removal_on_a_disk_that_fails_is_finished() {
    let mut world = deployed();
    world.register(&["two"]);
    fail_each(&mut world, &assert_removed);
}

#[test]
fn a_purge_on_a_disk_that_fails_is_finished() {
    let mut world = deployed();
    world.register(&["two"]);
    world.sync("one");
    hold_clock(&world, 1_000_000_000 + 31 * DAY);
    fail_each(&mut world, &assert_purged);
}

#[test]
fn a_removal_that_is_killed_anywhere_is_finished() {
    let mut world = deployed();
    world.register(&["two"]);
    kill_each(
        1,
        &mut world,
        &|world| drop(pass(&world.host, &Options::default(), &mut silent)),
        &assert_removed,
    );
}

#[test]
fn a_purge_that_is_killed_anywhere_is_finished() {
    let mut world = deployed();
    world.register(&["two"]);
    world.sync("one");
    hold_clock(&world, 1_000_000_000 + 31 * DAY);
    kill_each(
        1,
        &mut world,
        &|world| drop(pass(&world.host, &Options::default(), &mut silent)),
        &assert_purged,
    );
}

#[test]
fn a_purge_by_hand_that_is_killed_anywhere_is_finished() {
    let mut world = deployed();
    world.register(&["two"]);
    world.sync("one");
    kill_each(
        1,
        &mut world,
        &|world| purge(&world.host, &name("one"), &mut silent).unwrap(),
        &|world| {
            // Before its first effect nothing happened, and nothing is lost.
            if world.host.root().tenant(&name("one")).exists() {
                assert!(home(world, "one").contains(&"volumes/data/orders".to_owned()));
                purge(&world.host, &name("one"), &mut silent).unwrap();
            }
            let tenants = tree(&world.host.root().tenants());
            assert!(tenants.keys().all(|path| path.starts_with("two")));
            if allocation(world, "one").is_some() {
                purge(&world.host, &name("one"), &mut silent).unwrap();
            }
            assert_eq!(allocation(world, "one"), None);
        },
    );
}

#[test]
fn a_return_that_is_killed_anywhere_is_finished() {
    let mut world = deployed();
    let before = allocation(&world, "one");
    world.register(&["two"]);
    world.sync("one");
    world.register(&["one", "two"]);
    // Between any two effects of a first deployment others kill; this is about what was there before.
    kill_each(
        5,
        &mut world,
        &|world| drop(pass(&world.host, &Options::default(), &mut silent)),
        &|world| {
            assert_eq!(allocation(world, "one"), before);
            assert!(!world.invocation("one-web").is_empty());
            let kept = home(world, "one");
            for file in ["containers/web/upper/motd", "volumes/data/orders"] {
                assert!(kept.contains(&file.to_owned()), "{kept:?}");
            }
        },
    );
}
