//! Ends the process between any two effects of an apply, and recovers: what is left is the old generation or the new
//! one, in files, units, links and rules; and the same plan, made anew, gets there.

use super::deploy::assert_succeeded;
use super::failure::deployed;
use super::index;
use super::scene::{Shop, Target, World, deploy, remove};
use super::view::View;
use crate::apply::{Recovery, recover_all};
use crate::disk::crash;
use crate::host::Host;
use crate::sim::SimHost;
use std::process::Command;

/// What is done to a world.
type Act<'a> = &'a dyn Fn(&SimHost);

/// A way from one state of `shop` to another, and which of its units must not notice.
struct Way<'a> {
    from: World,
    act: Act<'a>,
    untouched: &'a [&'a str],
}

impl Way<'_> {
    /// Kills after every number of effects, up to all of them.
    fn kill_everywhere(&self) {
        let old = View::of(&self.from.host(), "shop");
        let whole = self.from.copy();
        let host = whole.host();
        let ((), effects) = crash::count(|| (self.act)(&host));
        let new = View::of(&host, "shop");
        assert!(effects > 30, "only {effects} effects: they are not counted");
        let mut seen = [false, false];
        let mut indexed = [false, false];
        for at in 0..=effects {
            let world = self.from.copy();
            let host = world.host();
            let finished = crash::at(at, || (self.act)(&host)).is_some();
            assert_eq!(finished, at == effects, "after {at} of {effects} effects");
            indexed[usize::from(index::changes_nothing(&world))] = true;
            seen[usize::from(self.recover(&world, &old, &new, at))] = true;
        }
        assert_eq!(seen, [true, true], "both ends are reached");
        assert_eq!(indexed, [true, true], "with an index and without");
    }

    /// Recovers, also from kills of the recovery; whether the new generation is there.
    fn recover(&self, world: &World, old: &View, new: &View, at: u64) -> bool {
        // Not each with each: the ends of both, and some between.
        for again in (at % 13..).step_by(13) {
            let host = world.host();
            if crash::at(again, || recover_all(&host)).is_some() {
                break;
            }
        }
        let host = world.host();
        let recovered = recover_all(&host).unwrap();
        for recovery in recovered.values() {
            assert!(
                !matches!(recovery, Recovery::Failed { .. }),
                "after {at}: {recovery:?}"
            );
        }
        let now = View::of(&host, "shop");
        let is_new = now.current == new.current;
        let expected = if is_new { new } else { old };
        assert_eq!(
            now.without_invocations(),
            expected.without_invocations(),
            "after {at}"
        );
        for unit in self.untouched {
            assert_eq!(
                now.units[*unit], old.units[*unit],
                "after {at}: {unit} was restarted"
            );
        }
        if !is_new {
            (self.act)(&host);
            let now = View::of(&host, "shop").without_invocations();
            assert_eq!(now, new.without_invocations(), "after {at}, again");
        }
        is_new
    }
}

fn to(target: &Target) -> impl Fn(&SimHost) + '_ {
    move |host| {
        let id = target.manifest.tenant.as_str();
        assert_succeeded(&deploy(host, &["shop"], &[target])[id]);
    }
}

#[test]
fn a_first_deployment() {
    let target = Shop::new("shop", 1).compile(1);
    Way {
        from: World::new(),
        act: &to(&target),
        untouched: &[],
    }
    .kill_everywhere();
}

#[test]
fn a_changed_environment() {
    let target = Shop {
        env: "A=2",
        ..Shop::new("shop", 1)
    }
    .compile(2);
    Way {
        from: deployed(),
        act: &to(&target),
        untouched: &[
            "systemd-nspawn@shop-db.service",
            "tenant@shop.service",
            "tenant-network@shop.service",
        ],
    }
    .kill_everywhere();
}

#[test]
fn a_new_layer_a_new_network_and_new_limits() {
    let target = Shop {
        env: "A=2",
        layer: "bbbb",
        back: true,
        memory: 512,
        ..Shop::new("shop", 1)
    }
    .compile(2);
    Way {
        from: deployed(),
        act: &to(&target),
        untouched: &["systemd-nspawn@shop-db.service", "tenant@shop.service"],
    }
    .kill_everywhere();
}

#[test]
fn a_network_that_goes_away() {
    let from = World::new();
    let both = Shop {
        back: true,
        ..Shop::new("shop", 1)
    };
    assert_succeeded(&deploy(&from.host(), &["shop"], &[&both.compile(1)])["shop"]);
    let target = Shop::new("shop", 1).compile(2);
    Way {
        from,
        act: &to(&target),
        untouched: &["systemd-nspawn@shop-db.service", "tenant@shop.service"],
    }
    .kill_everywhere();
}

#[test]
fn a_removal() {
    Way {
        from: deployed(),
        act: &|host| {
            assert_succeeded(&remove(host, &[], "shop")["shop"]);
        },
        untouched: &[],
    }
    .kill_everywhere();
}

/// Where the process that is killed finds its host, and after how many effects it is killed.
const HOST: &str = "BITBUILDER_KILL_HOST";
const EFFECTS: &str = "BITBUILDER_KILL_EFFECTS";

fn both() -> [Target; 2] {
    let shop = Shop {
        env: "A=2",
        ..Shop::new("shop", 1)
    };
    [shop.compile(2), Shop::new("other", 2).compile(1)]
}

/// Two tenants are worked on by two threads: a process of its own, which is really killed.
#[test]
fn two_tenants_at_once() {
    if let Ok(directory) = std::env::var(HOST) {
        let effects = std::env::var(EFFECTS).unwrap();
        let host = SimHost::open(directory).unwrap();
        let [shop, other] = both();
        crash::kill_process_at(effects.parse().unwrap());
        deploy(&host, &["shop", "other"], &[&shop, &other]);
        return;
    }
    let from = deployed();
    let [shop, other] = both();
    let whole = from.copy();
    deploy(&whole.host(), &["shop", "other"], &[&shop, &other]);
    let ends = ["shop", "other"].map(|id| {
        let view = |world: &World| View::of(&world.host(), id).without_invocations();
        (id, view(&from), view(&whole))
    });
    let mut kills = 0;
    for effects in (0..).step_by(9) {
        let world = from.copy();
        let status = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "apply::tests::kill::two_tenants_at_once",
                "--quiet",
            ])
            .env(HOST, world.path())
            .env(EFFECTS, effects.to_string())
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .status()
            .unwrap();
        let host = world.host();
        let recovered = recover_all(&host).unwrap();
        assert!(
            !recovered
                .values()
                .any(|r| matches!(r, Recovery::Failed { .. })),
            "after {effects}: {recovered:?}"
        );
        for (id, old, new) in &ends {
            let now = View::of(&host, id).without_invocations();
            assert!(
                now == *old || now == *new,
                "after {effects}, {id}: {now:#?}"
            );
        }
        let behind: Vec<&Target> = [&shop, &other]
            .into_iter()
            .filter(|target| {
                let tenant = &target.manifest.tenant;
                crate::generations::current(host.root(), tenant).unwrap()
                    != Some(target.manifest.number)
            })
            .collect();
        for outcome in deploy(&host, &["shop", "other"], &behind).values() {
            assert_succeeded(outcome);
        }
        for (id, _, new) in &ends {
            assert_eq!(
                View::of(&host, id).without_invocations(),
                *new,
                "after {effects}"
            );
        }
        if status.success() {
            break;
        }
        kills += 1;
    }
    assert!(
        kills > 10,
        "only {kills} kills: the effects are not counted"
    );
}
