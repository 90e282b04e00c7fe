//! Disks that are full or read-only, managers that refuse, and several passes at once, on a real host. Whatever fails, what runs
//! goes on, nothing is left half done, no other tenant is touched, and the next pass on a sound host gets there.
//!
//! Where else: kills and crashes in `crash.rs`; every operation on the disk, every call of the manager, and kills between any two
//! effects on the simulated host (`reconcile/tests/fault.rs` of the host's crate). Jumps of the clock are shown on hosts whose
//! clock is a file or a value, too: windows (`tests/health/meanwhile.rs`), the time for which data is kept (`tests/leave.rs`),
//! the delays of remotes (`sync/backoff.rs` of the core) and marks of deliveries (`webhook/memory.rs` there). The hosts of
//! this bed have the clock of the machine that the tests run on: time namespaces move every clock but the time of day, and no
//! test may set that of somebody's machine.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod common;

use bitbuilder_itest::TestHost;
use common::{Repository, command, generation, invocation, status, upper, wait_healthy};
use serde_json::Value;
use std::process::Output;

const WEB: &str = "systemd-nspawn@shop-web.service";

fn web(colour: &str, more: &str) -> String {
    let script = format!("echo {colour} >/srv/color; exec busybox httpd -f -p 80 -h /srv");
    let check = "health: { tcp: 80, interval: 1s }\n";
    command(&script, &format!("{check}{more}"))
}

/// A host with the tenants `shop`, which things happen to, and `other`, which nothing may touch.
struct Scene {
    host: TestHost,
    shop: Repository,
    other: String,
}

/// Which run of the other tenant's container goes on: invocation and process.
fn run_of_other(host: &TestHost) -> String {
    let show = "systemctl show -p InvocationID,MainPID systemd-nspawn@other-web.service";
    let run = host.sh(show);
    assert!(!run.contains("MainPID=0"), "{run}");
    run
}

impl Scene {
    /// `disk`: a script that makes the directory of the tenants before anything is in it.
    fn new(name: &str, disk: &str) -> Self {
        let host = TestHost::new(name);
        host.sh(disk);
        host.init();
        let system = Repository::system(&["other", "shop"]);
        system.write(".gitops/config.yaml", "health: { window: 1s, tries: 2 }\n");
        host.push_ok("system", system.path());
        // Passes happen when the test asks for them.
        host.sh("systemctl stop bitbuilder-sync.timer");
        let shop = Repository::tenant("shop");
        for (id, tenant) in [("other", &Repository::tenant("other")), ("shop", &shop)] {
            tenant.write("containers/web/config.yaml", &web("red", ""));
            host.push_ok(id, tenant.path());
        }
        for id in ["other", "shop"] {
            wait_healthy(&host, id);
            host.wait_for("its window is over", || {
                status(&host, id)["window"].is_null()
            });
        }
        let other = run_of_other(&host);
        Self { host, shop, other }
    }

    fn paint(&self, colour: &str) {
        self.shop
            .write("containers/web/config.yaml", &web(colour, ""));
    }

    /// What `doctor` says of the tenants that is not good.
    fn complaints(&self) -> Vec<Value> {
        let output = self.host.exec(["bbctl", "doctor", "--json"]);
        let found: Value = serde_json::from_slice(&output.stdout).unwrap();
        let mut checks = found["checks"].as_array().unwrap().clone();
        checks.retain(|check| check["name"].as_str().unwrap().starts_with("tenant "));
        assert_eq!(checks.len(), 2, "{found}");
        checks.retain(|check| check["verdict"] != "ok");
        checks
    }

    /// The generation `number` runs whole, and the other tenant was not touched.
    #[track_caller]
    fn assert_runs(&self, number: u64, colour: &str) {
        let Self { host, .. } = self;
        assert_eq!(generation(host, "shop"), number);
        assert_eq!(
            host.read_file(&upper("shop", "web", "srv/color")),
            format!("{colour}\n")
        );
        host.wait_active(WEB);
        assert_eq!(self.complaints(), [] as [Value; 0]);
        assert_eq!(run_of_other(host), self.other, "the other tenant");
        assert_eq!(self.orphans(), "");
    }

    /// Temporary files, and generations, links and units that belong to nothing.
    fn orphans(&self) -> String {
        self.host.sh(
            "find /var/lib/tenants /var/lib/bitbuilder /run/bitbuilder /run/systemd/generator -xdev \\( -path '*/upper' -o -path '*/layers' \\) -prune -o \
               \\( -name '*.tmp' -o -name '.*.new' -o -name 'journal.json' -o -name 'tmp_*' -o -name '*.lock' ! -name rules.lock \\) -print
             find -L /run/systemd/generator /run/systemd/network /var/lib/tenants/*/current -maxdepth 3 -type l -print
             for id in other shop; do cd /var/lib/tenants/$id/generations
               known=$(bbctl history $id | wc -l); [ $(ls | wc -l) -le $((known + 1)) ] || ls -d $PWD/*; done
             systemctl list-units --all --plain --no-legend --state=not-found 'tenant*' 'systemd-nspawn@*' 'bitbuilder*'",
        )
    }

    /// It is deployed, and all is well.
    #[track_caller]
    fn assert_arrived(&self, number: u64, colour: &str) {
        let Self { host, .. } = self;
        wait_healthy(host, "shop");
        host.wait_for("its window is over", || {
            status(host, "shop")["window"].is_null()
        });
        assert_eq!(status(host, "shop")["sync"], "Synced");
        self.assert_runs(number, colour);
    }

    /// How often a commit was deployed.
    fn deployments(&self) -> usize {
        let events = self.host.exec_ok(["bbctl", "events", "shop"]);
        events
            .lines()
            .filter(|line| line.contains("deployed"))
            .count()
    }
}

/// Everything that was said.
fn said(output: &Output) -> String {
    let (out, err) = (&output.stdout, &output.stderr);
    format!(
        "{}{}",
        String::from_utf8_lossy(out),
        String::from_utf8_lossy(err)
    )
}

/// `directory` on a file system of its own, with few inodes.
fn disk(directory: &str) -> String {
    format!(
        "truncate -s 64M /root/disk; mkfs.ext4 -q -N 4096 -m 0 /root/disk; mkdir -p {directory} /root/mnt; \
         mount -o loop /root/disk /root/mnt; cp -a {directory}/. /root/mnt; mount --bind /root/mnt {directory}; \
         umount /root/mnt; rmdir {directory}/lost+found"
    )
}

/// What is said then. The last ones are Git's words where it cannot even begin to receive a push; it has no hook there.
const NO_SPACE: [&str; 2] = [
    "No space left on device",
    "unable to create temporary object directory",
];
const READ_ONLY: [&str; 2] = [
    "Read-only file system",
    "unable to create temporary object directory",
];

/// What is done to a disk, how it is mended, and what is then said of it.
fn harms(directory: &str) -> [(String, String, &'static [&'static str]); 3] {
    [
        (
            // Not a block is left, not even for a small file.
            format!(
                "mkdir {directory}/.fill; cd {directory}/.fill; cat /dev/zero >0 2>/dev/null || true; sync -f .; \
                 i=0; while (echo x >$((i += 1))) 2>/dev/null; do i=$((i + 1)); done"
            ),
            format!("rm -r {directory}/.fill"),
            &NO_SPACE,
        ),
        (
            format!(
                "mkdir {directory}/.many; cd {directory}/.many; seq 9999 | xargs touch 2>/dev/null || true"
            ),
            format!("rm -r {directory}/.many"),
            &NO_SPACE,
        ),
        // What runs keeps its own mount: a file system in use cannot be remounted.
        (
            format!("mount --bind {directory} {directory}; mount -o remount,bind,ro {directory}"),
            format!("umount {directory}"),
            &READ_ONLY,
        ),
    ]
}

/// Every harm: what is pushed meanwhile fails and says why, what runs goes on, and it is deployed when there is a disk again.
fn check_disk(scene: &Scene, directory: &str) {
    let Scene { host, shop, .. } = scene;
    for (index, (harm, mend, sentences)) in harms(directory).iter().enumerate() {
        let (before, after) = (format!("before{index}"), format!("after{index}"));
        scene.paint(&before);
        host.push_ok("shop", shop.path());
        scene.assert_arrived(generation(host, "shop"), &before);
        let number = generation(host, "shop");
        let run = invocation(host, "shop-web");

        host.sh(harm);
        scene.paint(&after);
        let pushed = host.push("shop", shop.path());
        let names_it = |text: &str| sentences.iter().any(|sentence| text.contains(sentence));
        assert!(names_it(&pushed.output), "{harm}: {}", pushed.output);
        let tried = host.exec(["bbctl", "sync", "shop"]);
        // Who could not take the push has nothing newer to deploy.
        if pushed.accepted {
            assert!(!tried.status.success(), "{harm}");
            assert!(names_it(&said(&tried)), "{harm}: {}", said(&tried));
        }
        assert_eq!(invocation(host, "shop-web"), run, "{harm}");
        scene.assert_runs(number, &before);

        host.sh(mend);
        if !pushed.accepted {
            host.push_ok("shop", shop.path());
        }
        host.exec_ok(["bbctl", "sync"]);
        let number = generation(host, "shop");
        scene.assert_arrived(number, &after);
    }
}

#[test]
fn tenants_on_a_disk_without_space_inodes_or_writes() {
    let directory = "/var/lib/tenants";
    let scene = Scene::new("disk", &disk(directory));
    check_disk(&scene, directory);
}

#[test]
fn a_host_whose_own_disk_has_no_space_inodes_or_writes() {
    let directory = "/var/lib/bitbuilder";
    let scene = Scene::new("own-disk", &disk(directory));
    check_disk(&scene, directory);
}

#[test]
fn a_unit_that_somebody_masked() {
    let scene = Scene::new("masked", "true");
    let Scene { host, shop, .. } = &scene;
    let (number, run) = (generation(host, "shop"), invocation(host, "shop-web"));
    host.exec_ok(["systemctl", "mask", "--runtime", WEB]);
    scene.paint("green");
    let pushed = host.push("shop", shop.path());
    for text in [pushed.output, said(&host.exec(["bbctl", "sync"]))] {
        let advice = format!("`systemctl unmask {WEB}`");
        assert!(text.contains(&advice), "{text}");
    }
    // What runs could not be started again.
    assert_eq!(invocation(host, "shop-web"), run);
    scene.assert_runs(number, "red");
    host.exec_ok(["systemctl", "unmask", "--runtime", WEB]);
    host.exec_ok(["bbctl", "sync"]);
    scene.assert_arrived(number + 1, "green");
}

#[test]
fn a_start_that_hangs() {
    let scene = Scene::new("hangs", "true");
    let Scene { host, shop, .. } = &scene;
    let number = generation(host, "shop");
    // Once: who waits gets there with the second try.
    let hang =
        "ExecStartPre=sh -c 'test -e /run/hung || { touch /run/hung; exec sleep infinity; }'";
    host.write_file(
        &format!("/run/systemd/system/{WEB}.d/99-hang.conf"),
        format!("[Service]\nTimeoutStartSec=1s\n{hang}\n"),
    );
    host.exec_ok(["systemctl", "daemon-reload"]);
    scene.paint("green");
    let pushed = host.push("shop", shop.path());
    assert!(pushed.output.contains("timeout"), "{}", pushed.output);
    assert!(host.exists("/run/hung"));
    scene.assert_arrived(number + 1, "green");
}

#[test]
fn a_manager_that_reloads_all_the_time() {
    let scene = Scene::new("reload", "true");
    let Scene { host, shop, .. } = &scene;
    host.sh("systemd-run --quiet --unit=reloads sh -c 'for i in $(seq 40); do systemctl daemon-reload; done'");
    let before = scene.deployments();
    for round in 1..=3 {
        let colour = format!("reload{round}");
        scene.paint(&colour);
        let output = host.push_ok("shop", shop.path());
        assert!(output.contains("shop: healthy"), "{output}");
        scene.assert_arrived(generation(host, "shop"), &colour);
        assert_eq!(scene.deployments(), before + round);
    }
    host.wait_sh("! systemctl is-active --quiet reloads.service; ! systemctl is-failed --quiet reloads.service");
}

#[test]
fn passes_at_the_same_time() {
    let scene = Scene::new("at-once", "true");
    let Scene { host, shop, .. } = &scene;
    for round in 1..=5 {
        let before = scene.deployments();
        let number = generation(host, "shop");
        let colour = format!("round{round}");
        scene.paint(&colour);
        let passes = std::thread::scope(|scope| {
            let sync = || host.exec(["bbctl", "sync"]);
            let one = || host.exec(["bbctl", "sync", "shop"]);
            let (a, b) = (scope.spawn(sync), scope.spawn(one));
            let pushed = host.push_ok("shop", shop.path());
            let (c, d) = (scope.spawn(sync), scope.spawn(one));
            assert!(pushed.contains("shop: healthy"), "{pushed}");
            [a, b, c, d].map(|pass| pass.join().unwrap())
        });
        for pass in passes {
            assert!(pass.status.success(), "{}", said(&pass));
        }
        scene.assert_arrived(number + 1, &colour);
        assert_eq!(scene.deployments(), before + 1, "each commit once");
    }
}
