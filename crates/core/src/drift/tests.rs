use super::*;
use crate::artefact::{Manifest, OwnedUnit, UnitKind, UpdateClass};
use crate::plan::{Action, LinkFix, Phase, Plan};
use crate::sample::name;
use std::collections::{BTreeMap, BTreeSet};

const TENANT: &str = "tenant@shop.service";
const NETWORK: &str = "tenant-network@shop.service";
const WEB: &str = "systemd-nspawn@shop-web.service";
const TIMER: &str = "tenant-health@shop-web.timer";
const ROOT: &str = "var-lib-tenants-shop-containers-web-rootfs.mount";

fn manifest(enabled: bool) -> Manifest {
    let unit = |name: &str, kind, autostart, requires: &[&str]| OwnedUnit {
        name: name.to_owned(),
        kind,
        workload: matches!(kind, UnitKind::Workload | UnitKind::Health).then(|| self::name("web")),
        autostart: enabled && autostart,
        requires: requires.iter().map(|unit| (*unit).to_owned()).collect(),
        needs: Vec::new(),
        leases: BTreeMap::new(),
    };
    Manifest {
        format: 1,
        tenant: name("shop"),
        number: 3,
        parent: None,
        commit: "c".repeat(40),
        reference: "main".into(),
        repository: "file:///shop.git".into(),
        system: "5".repeat(40),
        signer: None,
        inputs: String::new(),
        hash: String::new(),
        files: BTreeMap::new(),
        units: vec![
            unit("tenant-shop.slice", UnitKind::Slice, false, &[]),
            unit(ROOT, UnitKind::Mount, false, &[]),
            unit(NETWORK, UnitKind::Network, false, &[]),
            unit(WEB, UnitKind::Workload, true, &[ROOT]),
            unit(TIMER, UnitKind::Health, true, &[]),
            unit(TENANT, UnitKind::Tenant, true, &[]),
        ],
        layers: Vec::new(),
        disks: Vec::new(),
        directories: Vec::new(),
        created: 1,
    }
}

/// Items of a tenant in which everything runs but what `others` says.
fn found(enabled: bool, others: &[(&str, Activity)]) -> Vec<(String, How)> {
    let manifest = manifest(enabled);
    let others: BTreeMap<&str, Activity> = others.iter().copied().collect();
    let activity = |unit: &str| others.get(unit).copied().unwrap_or(Activity::Up);
    let items = units(&Units {
        manifest: &manifest,
        activity: &activity,
        finished: &BTreeSet::new(),
    });
    items
        .into_iter()
        .map(|item| (item.subject, item.how))
        .collect()
}

fn expect(items: &[(&str, How)]) -> Vec<(String, How)> {
    items
        .iter()
        .map(|(unit, how)| ((*unit).to_owned(), *how))
        .collect()
}

/// States of units, and what is said of them.
type Case = (
    &'static [(&'static str, Activity)],
    &'static [(&'static str, How)],
);

#[test]
fn what_does_not_run_and_shall() {
    use Activity::{Down, Failed, Moving};
    assert_eq!(found(true, &[]), []);
    assert_eq!(found(true, &[(WEB, Moving)]), []);
    let cases: [Case; 5] = [
        // The timer goes with the workload, and is not named beside it.
        (
            &[(WEB, Down), (TIMER, Down), (ROOT, Down)],
            &[(WEB, How::Stopped)],
        ),
        (&[(WEB, Failed), (TIMER, Down)], &[(WEB, How::Failed)]),
        (&[(TIMER, Down)], &[(TIMER, How::Stopped)]),
        (&[(ROOT, Down)], &[(ROOT, How::Stopped)]),
        (
            &[
                (TENANT, Down),
                (NETWORK, Down),
                (WEB, Down),
                (TIMER, Down),
                (ROOT, Down),
            ],
            &[(TENANT, How::Stopped)],
        ),
    ];
    for (states, expected) in cases {
        assert_eq!(found(true, states), expect(expected), "{states:?}");
    }
}

#[test]
fn what_runs_and_shall_not() {
    let down: Vec<(&str, Activity)> = [TENANT, NETWORK, TIMER, ROOT]
        .map(|unit| (unit, Activity::Down))
        .to_vec();
    assert_eq!(found(false, &down), expect(&[(WEB, How::Running)]));
}

#[test]
fn files_of_others_change_units() {
    let one = |path: &str, kind, text: &str, in_effect| Override {
        unit: WEB.to_owned(),
        path: path.to_owned(),
        kind,
        text: text.to_owned(),
        since: 7,
        owner: 1000,
        in_effect,
    };
    let limits = "# by hand\n[Service]\nMemoryMax=1G\nCPUQuota=10%\n";
    let environment = "[Service]\nMemoryMax=1G\nEnvironment=A=1\n";
    let remedy = |found: &[Override]| {
        overrides(found)
            .into_iter()
            .map(|item| item.remedy)
            .collect::<Vec<_>>()
    };
    let revert = |restart| Remedy::Revert {
        unit: WEB.to_owned(),
        restart,
    };
    let drop_in = |text: &str, in_effect| one("/etc/x.conf", OverrideKind::DropIn, text, in_effect);
    assert_eq!(remedy(&[drop_in(limits, true)]), [revert(false)]);
    assert_eq!(remedy(&[drop_in(environment, true)]), [revert(true)]);
    assert_eq!(remedy(&[drop_in(environment, false)]), [revert(false)]);
    assert_eq!(
        remedy(&[drop_in(limits, true), drop_in(environment, true)]),
        [revert(true)],
        "one item for all drop-ins of a unit"
    );
    let file = overrides(&[one("/etc/x.service", OverrideKind::File, "", true)]).remove(0);
    assert!(!file.is_repairable());
    assert_eq!(
        file.command(&name("shop")),
        "rm /etc/x.service && systemctl daemon-reload"
    );
    let mask = overrides(&[one("/etc/x", OverrideKind::Mask, "", true)]).remove(0);
    assert_eq!(mask.sentence(), format!("{WEB} is masked"));
    assert_eq!(mask.by.as_deref(), Some("uid 1000, which owns the file"));
}

#[test]
fn links_that_are_gone_down_renamed_or_nobodys() {
    let addresses = |list: &[&str]| list.iter().map(|one| (*one).to_owned()).collect();
    let expected = ExpectedLinks {
        bridges: vec![Bridge {
            link: "br-shop".into(),
            addresses: addresses(&["10.64.0.1/24"]),
            master: None,
        }],
        ports: vec![Port {
            link: "v1-web-0".into(),
            bridge: Some("br-shop".into()),
            unit: WEB.into(),
        }],
        known: ["v1-web-0", "v1-db-0"].map(str::to_owned).into(),
    };
    let link = |up, master: Option<&str>, list: &[&str]| Link {
        up,
        master: master.map(str::to_owned),
        addresses: addresses(list),
    };
    let good = || {
        BTreeMap::from([
            ("br-shop".to_owned(), link(true, None, &["10.64.0.1/24"])),
            ("v1-web-0".to_owned(), link(true, Some("br-shop"), &[])),
            ("v1-db-0".to_owned(), link(true, Some("br-shop"), &[])),
            ("eth0".to_owned(), link(true, Some("br-other"), &[])),
        ])
    };
    assert_eq!(links(&expected, &Interfaces::new(good())), []);
    let attach = || Remedy::Attach {
        bridge: "br-shop".into(),
    };
    let restart = Remedy::Restart { unit: WEB.into() };
    let cases: [(&str, Option<Link>, How, Remedy); 7] = [
        ("br-shop", None, How::Missing, Remedy::Network),
        (
            "br-shop",
            Some(link(false, None, &[])),
            How::Down,
            Remedy::Reconfigure,
        ),
        (
            "br-shop",
            Some(link(true, None, &["10.9.9.9/24"])),
            How::Changed,
            Remedy::Reconfigure,
        ),
        ("v1-web-0", None, How::Missing, restart),
        (
            "v1-web-0",
            Some(link(true, None, &[])),
            How::Changed,
            attach(),
        ),
        (
            "v1-web-0",
            Some(link(false, Some("br-shop"), &[])),
            How::Down,
            attach(),
        ),
        (
            "eth9",
            Some(link(true, Some("br-shop"), &[])),
            How::Foreign,
            Remedy::Detach,
        ),
    ];
    for (name, found, how, remedy) in cases {
        let mut all = good();
        match found {
            Some(found) => drop(all.insert(name.to_owned(), found)),
            None => drop(all.remove(name)),
        }
        let items = links(&expected, &Interfaces::new(all));
        let [item] = items.as_slice() else {
            panic!("{name} {how:?}: {items:?}");
        };
        assert_eq!((item.subject.as_str(), item.how), (name, how));
        assert_eq!(item.remedy, remedy, "{name} {how:?}");
    }
}

/// What is about a tenant's own part of a table.
fn own(mut items: Vec<Item>) -> Vec<Item> {
    items.retain(|item| item.subject.ends_with("/*"));
    items
}

/// nft lists the keys of an object in another order each time.
#[test]
fn keys_have_no_order() {
    let rendered = rendered(
        br#"{"nftables":[
            {"add":{"chain":{"family":"inet","table":"bitbuilder","name":"a/c","type":"filter","hook":"input","prio":0}}},
            {"add":{"set":{"family":"inet","table":"bitbuilder","name":"a/s","type":"x","elem":[{"concat":[1,2]},{"prefix":{"addr":"::","len":8}}]}}},
            {"add":{"rule":{"family":"inet","table":"bitbuilder","chain":"a/c","expr":[{"limit":{"rate":1,"burst":5,"per":"day"}},{"drop":null}]}}}]}"#,
    );
    let listed = tables(
        br#"{"nftables":[
            {"chain":{"handle":1,"prio":0,"hook":"input","name":"a/c","type":"filter","table":"bitbuilder","family":"inet"}},
            {"set":{"elem":[{"prefix":{"len":8,"addr":"::"}},{"concat":[1,2]}],"handle":2,"type":"x","name":"a/s","table":"bitbuilder","family":"inet"}},
            {"rule":{"expr":[{"limit":{"per":"day","burst":5,"rate":1}},{"drop":null}],"handle":3,"chain":"a/c","table":"bitbuilder","family":"inet"}}]}"#,
    );
    assert_eq!(own(rules(&rendered, &listed.unwrap())), []);
}

/// What the renderer writes, and how nft 1.1.7 lists it.
#[test]
fn nft_says_the_same_in_other_words() {
    let wrap = |rule: &str| {
        format!(
            r#"{{"nftables":[{{"add":{{"table":{{"family":"inet","name":"bitbuilder"}}}}}},{{"add":{{"rule":{{"family":"inet","table":"bitbuilder","chain":"shop/c","expr":[{rule}]}}}}}}]}}"#
        )
    };
    let listed = |rule: &str| {
        format!(
            r#"{{"nftables":[{{"metainfo":{{"version":"1.1.7"}}}},{{"table":{{"family":"inet","name":"bitbuilder","handle":1}}}},{{"table":{{"family":"ip","name":"other","handle":2}}}},{{"rule":{{"family":"inet","table":"bitbuilder","chain":"shop/c","handle":4,"expr":[{rule}]}}}}]}}"#
        )
    };
    let field = |protocol: &str, field: &str| {
        format!(r#"{{"payload":{{"protocol":"{protocol}","field":"{field}"}}}}"#)
    };
    let is = |left: &str, right: &str| {
        format!(r#"{{"match":{{"op":"==","left":{left},"right":{right}}}}}"#)
    };
    let (saddr, daddr, dport) = (
        field("ip", "saddr"),
        field("ip6", "daddr"),
        field("tcp", "dport"),
    );
    let nfproto = r#"{"meta":{"key":"nfproto"}}"#;
    let same = [
        (
            is(&saddr, r#"{"prefix":{"addr":"10.0.0.1","len":32}}"#),
            is(&saddr, r#""10.0.0.1""#),
        ),
        (
            is(&saddr, r#"{"prefix":{"addr":"10.0.0.77","len":24}}"#),
            is(&saddr, r#"{"prefix":{"addr":"10.0.0.0","len":24}}"#),
        ),
        (
            is(&daddr, r#"{"prefix":{"addr":"fd00::1","len":128}}"#),
            is(&daddr, r#""fd00::1""#),
        ),
        (
            is(&dport, r#"{"set":[443,80,443]}"#),
            is(&dport, r#"{"set":[80,443]}"#),
        ),
        (
            is(
                &dport,
                r#"{"set":[{"range":[80,90]},{"range":[85,100]},22]}"#,
            ),
            is(&dport, r#"{"set":[22,{"range":[80,100]}]}"#),
        ),
        (
            format!("{},{}", is(nfproto, r#""ipv6""#), is(&daddr, r#""::1""#)),
            is(&daddr, r#""::1""#),
        ),
        (
            r#"{"limit":{"rate":10,"per":"second"}},{"log":{"prefix":"bb: "}}"#.to_owned(),
            r#"{"limit":{"rate":10,"burst":5,"per":"second"}},{"log":{"prefix":"bb: "}}"#
                .to_owned(),
        ),
        (
            is(r#"{"meta":{"key":"l4proto"}}"#, r#""icmpv6""#),
            is(r#"{"meta":{"key":"l4proto"}}"#, r#""ipv6-icmp""#),
        ),
    ];
    for (rule, said) in same {
        let found = tables(listed(&said).as_bytes()).unwrap();
        assert_eq!(
            own(rules(&rendered(wrap(&rule).as_bytes()), &found)),
            [],
            "{rule}"
        );
    }
    let other = [
        (is(&saddr, r#""10.0.0.1""#), is(&saddr, r#""10.0.0.2""#)),
        (
            is(&dport, r#"{"set":[80,443]}"#),
            is(&dport, r#"{"set":[80]}"#),
        ),
        (is(nfproto, r#""ipv6""#), is(nfproto, r#""ipv4""#)),
        (
            r#"{"drop":null}"#.to_owned(),
            r#"{"accept":null}"#.to_owned(),
        ),
    ];
    for (rule, said) in other {
        let found = tables(listed(&said).as_bytes()).unwrap();
        let items = own(rules(&rendered(wrap(&rule).as_bytes()), &found));
        assert_eq!(items.len(), 1, "{rule} {said}");
        assert_eq!(items[0].subject, "inet bitbuilder shop/*");
    }
    let gone = rules(
        &rendered(wrap(r#"{"drop":null}"#).as_bytes()),
        &Tables::new(),
    );
    assert_eq!(gone[0].how, How::Missing);
}

#[test]
fn repairs_are_steps_in_the_order_of_their_phases() {
    let item = |what, how, subject: &str, remedy| Item {
        what,
        how,
        subject: subject.to_owned(),
        expected: String::new(),
        seen: String::new(),
        since: None,
        by: None,
        remedy,
    };
    let restore = Remedy::Restore {
        restart: Some(WEB.to_owned()),
    };
    let revert = Remedy::Revert {
        unit: TENANT.to_owned(),
        restart: false,
    };
    let hand = Remedy::Hand {
        command: "kill 1".to_owned(),
    };
    let items = [
        item(What::Unit, How::Foreign, "run-1.service", Remedy::Stop),
        item(What::Unit, How::Masked, TENANT, revert),
        item(What::Process, How::Foreign, "7 (sh)", hand),
        item(What::File, How::Changed, "/x", restore),
        item(
            What::Rules,
            How::Changed,
            "inet bitbuilder shop/*",
            Remedy::Network,
        ),
        item(What::Link, How::Foreign, "eth9", Remedy::Detach),
        item(What::Unit, How::Stopped, "y.service", Remedy::Converge),
    ];
    let mut plan = Plan {
        tenant: name("shop"),
        from: Some(3),
        to: Some(3),
        commit: None,
        steps: Vec::new(),
        changes: Vec::new(),
        findings: Vec::new(),
        waiting: Vec::new(),
    };
    // What stands on it starts again with it.
    let above = |unit: &str| vec![format!("above-{unit}")];
    repair(&mut plan, &items, &above);
    let strings = |units: &[&str]| {
        units
            .iter()
            .map(|unit| (*unit).to_owned())
            .collect::<Vec<_>>()
    };
    let steps: Vec<(Phase, Action)> = plan
        .steps
        .iter()
        .map(|step| (step.phase, step.action.clone()))
        .collect();
    let links = Action::FixLinks {
        fixes: vec![LinkFix::Detach {
            link: "eth9".to_owned(),
        }],
    };
    let expected = [
        (Phase::Prepare, Action::RestoreFiles { number: 3 }),
        (
            Phase::Stop,
            Action::Stop {
                units: strings(&["run-1.service"]),
            },
        ),
        (
            Phase::Stop,
            Action::Stop {
                units: strings(&[&format!("above-{WEB}"), WEB]),
            },
        ),
        (
            Phase::Switch,
            Action::Revert {
                units: strings(&[TENANT]),
            },
        ),
        (Phase::Switch, Action::Reload),
        (Phase::Start, Action::ReloadNetwork),
        (Phase::Start, links),
        (
            Phase::Start,
            Action::Start {
                units: strings(&[&format!("above-{WEB}"), WEB]),
            },
        ),
    ];
    assert_eq!(steps, expected);
    let restarts = plan
        .steps
        .iter()
        .filter(|step| step.class == UpdateClass::Restart);
    assert_eq!(restarts.count(), 2);
    assert!(plan.steps.iter().all(|step| !step.reason.is_empty()));
}
