use super::*;
use crate::observe::scene::{COMMIT, LAYER, Scene, name};
use std::fs;

/// Asks, and writes the answer as one line.
fn ask(scene: &Scene, what: &str) -> String {
    let found = match explain(&scene.host, what) {
        Ok(found) => found,
        Err(error) => return format!("{error}\n"),
    };
    assert_eq!(found.what, what);
    assert_eq!(found.commit.as_deref(), Some(COMMIT));
    assert_eq!(found.generation, Some(1));
    let origin = found
        .origin
        .map_or_else(String::new, |origin| origin.to_string());
    let word = |name: Option<Name>| name.map_or_else(|| "-".to_owned(), |name| name.to_string());
    let mut line = format!(
        "{:?} {}/{} {} {origin}",
        found.kind,
        found.tenant,
        word(found.workload),
        found.unit.as_deref().unwrap_or("-"),
    );
    if let Some(network) = found.network {
        line += &format!(" on {network}");
    }
    if let Some(note) = found.note {
        line += &format!(" ({note})");
    }
    format!("{what}\n    {line}\n")
}

fn ask_all(scene: &Scene, questions: &[&str]) -> String {
    questions.iter().map(|what| ask(scene, what)).collect()
}

#[test]
fn names() {
    let scene = Scene::running();
    let mut answers = ask_all(
        &scene,
        &[
            "shop",
            "shop/web",
            "shop-web",
            "br-shop",
            "v-shop-web",
            "shop/webb",
            "nobody/web",
            "my-blog/x",
            "eth0",
            "",
        ],
    );
    let found = explain(&scene.host, "shop/web").unwrap();
    answers += &serde_json::to_string_pretty(&found).unwrap();
    insta::assert_snapshot!(answers, @r#"
    shop
        Tenant shop/- - metadata.json:1:1
    shop/web
        Workload shop/web systemd-nspawn@shop-web.service containers/web/config.yaml:1:1
    shop-web
        Workload shop/web systemd-nspawn@shop-web.service containers/web/config.yaml:1:1
    br-shop
        Bridge shop/- tenant-network@shop.service network/topology.yaml:2:3 on default
    v-shop-web
        Interface shop/web systemd-nspawn@shop-web.service containers/web/config.yaml:1:1 on default
    shop/webb: tenant shop has no workload webb, it has db, spare, web
    nobody/web: there is no tenant nobody on this host
    my-blog/x: tenant my-blog has no workload x, it has main
    eth0: is no unit, path, link, machine, tenant, tenant/workload or process of this host's tenants
    : is no unit, path, link, machine, tenant, tenant/workload or process of this host's tenants
    {
      "what": "shop/web",
      "kind": "workload",
      "tenant": "shop",
      "workload": "web",
      "machine": "shop-web",
      "unit": "systemd-nspawn@shop-web.service",
      "repository": "https://git.example/shop.git",
      "ref": "main",
      "commit": "c0ffee0123456789c0ffee0123456789c0ffee01",
      "system": "5555555555555555555555555555555555555555",
      "generation": 1,
      "origin": {
        "file": "containers/web/config.yaml",
        "line": 1,
        "column": 1
      }
    }
    "#);
}

#[test]
fn units() {
    let scene = Scene::running();
    let answers = ask_all(
        &scene,
        &[
            "tenant@shop.service",
            "setup-tenant@shop.service",
            "tenant-network@shop.service",
            "tenant-shop.slice",
            r"tenant-my\x2dblog.slice",
            "systemd-nspawn@shop-web.service",
            "tenant-health@shop-web.timer",
            "tenant-health@shop-web.service",
            "var-lib-tenants-shop-containers-db-rootfs.mount",
            r"var-lib-tenants-my\x2dblog-containers-main-rootfs.mount",
            "systemd-nspawn@other.service",
            "tenant@nobody.service",
            "ssh.service",
            "tmp.mount",
        ],
    );
    insta::assert_snapshot!(answers, @r#"
    tenant@shop.service
        Unit shop/- tenant@shop.service metadata.json:1:1
    setup-tenant@shop.service
        Unit shop/- setup-tenant@shop.service metadata.json:1:1
    tenant-network@shop.service
        Unit shop/- tenant-network@shop.service metadata.json:1:1
    tenant-shop.slice
        Unit shop/- tenant-shop.slice metadata.json:1:1
    tenant-my\x2dblog.slice
        Unit my-blog/- tenant-my\x2dblog.slice metadata.json:1:1
    systemd-nspawn@shop-web.service
        Unit shop/web systemd-nspawn@shop-web.service containers/web/config.yaml:1:1
    tenant-health@shop-web.timer
        Unit shop/web tenant-health@shop-web.timer containers/web/config.yaml:1:1
    tenant-health@shop-web.service
        Unit shop/web tenant-health@shop-web.service containers/web/config.yaml:1:1
    var-lib-tenants-shop-containers-db-rootfs.mount
        Unit shop/db var-lib-tenants-shop-containers-db-rootfs.mount containers/db/config.yaml:1:1
    var-lib-tenants-my\x2dblog-containers-main-rootfs.mount
        Unit my-blog/main var-lib-tenants-my\x2dblog-containers-main-rootfs.mount metadata.json:1:34
    systemd-nspawn@other.service: is no unit of a tenant of this host
    tenant@nobody.service: is no unit of a tenant of this host
    ssh.service: is no unit of a tenant of this host
    tmp.mount: is no unit of a tenant of this host
    "#);
}

#[test]
fn paths() {
    let scene = Scene::running();
    let digest = "ab".repeat(32);
    let home = "/var/lib/tenants/shop";
    let answers = ask_all(
        &scene,
        &[
            home,
            &format!("{home}/state.json"),
            &format!("{home}/current"),
            &format!("{home}/current/boot"),
            &format!("{home}/generations/1/hosts/db"),
            &format!("{home}/generations/1/system/systemd-nspawn@shop-web.service.d"),
            &format!("{home}/current/nothing"),
            &format!("{home}/layers/{LAYER}/etc/motd"),
            &format!("{home}/layers/{digest}"),
            &format!("{home}/layers/x"),
            &format!("{home}/volumes/data/file"),
            &format!("{home}/volumes/old"),
            &format!("{home}/containers/web"),
            "/run/systemd/network/10-bitbuilder-br-shop.network",
            "/run/systemd/network/10-bitbuilder-ports-shop.network",
            "/run/systemd/network/50-other.network",
            "/run/systemd/generator/systemd-nspawn@shop-web.service.d/60-limits.conf",
            "/run/systemd/generator/multi-user.target.wants/tenant@shop.service",
            "/run/systemd/generator/tenant-shop.slice",
            "/run/bitbuilder/health/shop/web.json",
            "/run/netns/machine-shop-db",
            "/var/lib/bitbuilder/git/shop.git/HEAD",
            "/var/lib/bitbuilder/git/system.git",
            "/sys/fs/cgroup/tenant.slice/tenant-shop.slice/systemd-nspawn@shop-db.service/payload",
            "/var/lib/tenants/nobody",
            "/var/lib/tenants/shop/../my-blog",
            "/etc/passwd",
        ],
    );
    insta::assert_snapshot!(answers, @r#"
    /var/lib/tenants/shop
        Tenant shop/- - metadata.json:1:1
    /var/lib/tenants/shop/state.json
        File shop/- - metadata.json:1:1
    /var/lib/tenants/shop/current
        File shop/- - metadata.json:1:1
    /var/lib/tenants/shop/current/boot
        File shop/- - metadata.json:1:1
    /var/lib/tenants/shop/generations/1/hosts/db
        File shop/db systemd-nspawn@shop-db.service containers/db/config.yaml:1:1
    /var/lib/tenants/shop/generations/1/system/systemd-nspawn@shop-web.service.d
        File shop/web systemd-nspawn@shop-web.service containers/web/config.yaml:1:1
    /var/lib/tenants/shop/current/nothing: generation 1 of tenant shop has no such file
    /var/lib/tenants/shop/layers/fedcfedcfedcfedcfedcfedcfedcfedcfedcfedc/etc/motd
        Layer shop/web systemd-nspawn@shop-web.service containers/web/rootfs-overlay/etc/motd
    /var/lib/tenants/shop/layers/abababababababababababababababababababababababababababababababab
        Layer shop/- var-lib-tenants-shop-layers-abababababababababababababababababababababababababababababababab.mount containers/web/config.yaml:1:1 (comes from the image /usr/lib/bitbuilder/templates/tenant-container/rootfs)
    /var/lib/tenants/shop/layers/x: the current generation of tenant shop has no such layer
    /var/lib/tenants/shop/volumes/data/file
        Volume shop/db systemd-nspawn@shop-db.service containers/db/config.yaml:1:1
    /var/lib/tenants/shop/volumes/old
        Volume shop/- - metadata.json:1:1 (no workload of the current generation mounts it)
    /var/lib/tenants/shop/containers/web
        Workload shop/web systemd-nspawn@shop-web.service containers/web/config.yaml:1:1
    /run/systemd/network/10-bitbuilder-br-shop.network
        File shop/- tenant-network@shop.service network/topology.yaml:2:3 on default
    /run/systemd/network/10-bitbuilder-ports-shop.network
        File shop/- tenant-network@shop.service metadata.json:1:1
    /run/systemd/network/50-other.network: belongs to no tenant of this host
    /run/systemd/generator/systemd-nspawn@shop-web.service.d/60-limits.conf
        File shop/web systemd-nspawn@shop-web.service containers/web/config.yaml:1:1
    /run/systemd/generator/multi-user.target.wants/tenant@shop.service
        Unit shop/- tenant@shop.service metadata.json:1:1
    /run/systemd/generator/tenant-shop.slice
        Unit shop/- tenant-shop.slice metadata.json:1:1
    /run/bitbuilder/health/shop/web.json
        File shop/web systemd-nspawn@shop-web.service containers/web/config.yaml:1:1
    /run/netns/machine-shop-db
        Workload shop/db systemd-nspawn@shop-db.service containers/db/config.yaml:1:1
    /var/lib/bitbuilder/git/shop.git/HEAD
        File shop/- - metadata.json:1:1
    /var/lib/bitbuilder/git/system.git: belongs to no tenant of this host
    /sys/fs/cgroup/tenant.slice/tenant-shop.slice/systemd-nspawn@shop-db.service/payload
        Unit shop/db systemd-nspawn@shop-db.service containers/db/config.yaml:1:1
    /var/lib/tenants/nobody: belongs to no tenant of this host
    /var/lib/tenants/shop/../my-blog: write it without `..`
    /etc/passwd: belongs to no tenant of this host
    "#);
    let below = scene.root().join("/var/lib/tenants/shop/current/boot");
    let found = explain(&scene.host, below.to_str().unwrap()).unwrap();
    assert_eq!(found.kind, Kind::File);
}

#[test]
fn files_of_containers() {
    let scene = Scene::running();
    let home = scene.root().tenant(&name("shop"));
    for (path, text) in [
        (format!("layers/{LAYER}/etc/motd"), "hello"),
        (format!("layers/{}/etc/motd", "ab".repeat(32)), "image"),
        (format!("layers/{}/usr/bin/sh", "ab".repeat(32)), "sh"),
        ("containers/web/upper/etc/hostname".to_owned(), "web"),
    ] {
        let path = home.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    // What a tenant makes leads nowhere else.
    std::os::unix::fs::symlink("/etc", home.join("containers/web/upper/out")).unwrap();
    let rootfs = "/var/lib/tenants/shop/containers/web/rootfs";
    let answers = ask_all(
        &scene,
        &[
            rootfs,
            &format!("{rootfs}/etc/motd"),
            &format!("{rootfs}/usr/bin/sh"),
            &format!("{rootfs}/etc/hostname"),
            &format!("{rootfs}/etc/nothing"),
            &format!("{rootfs}/out/passwd"),
            "/var/lib/tenants/shop/containers/gone/rootfs/etc",
        ],
    );
    insta::assert_snapshot!(answers, @r#"
    /var/lib/tenants/shop/containers/web/rootfs
        Root shop/web var-lib-tenants-shop-containers-web-rootfs.mount containers/web/config.yaml:1:1
    /var/lib/tenants/shop/containers/web/rootfs/etc/motd
        Root shop/web var-lib-tenants-shop-containers-web-rootfs.mount containers/web/rootfs-overlay/etc/motd
    /var/lib/tenants/shop/containers/web/rootfs/usr/bin/sh
        Root shop/web var-lib-tenants-shop-containers-web-rootfs.mount containers/web/config.yaml:1:1 (comes from the image /usr/lib/bitbuilder/templates/tenant-container/rootfs)
    /var/lib/tenants/shop/containers/web/rootfs/etc/hostname
        Root shop/web var-lib-tenants-shop-containers-web-rootfs.mount containers/web/config.yaml:1:1 (made or changed inside the container since it was first started)
    /var/lib/tenants/shop/containers/web/rootfs/etc/nothing: container web of tenant shop has no such file
    /var/lib/tenants/shop/containers/web/rootfs/out/passwd: container web of tenant shop has no such file
    /var/lib/tenants/shop/containers/gone/rootfs/etc: the current generation of tenant shop has no container gone
    "#);
}

#[test]
fn processes() {
    let scene = Scene::running();
    let process = |pid: &str, group: &str| {
        let directory = scene.root().join(format!("/proc/{pid}"));
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join("cgroup"), format!("1:cpu:/\n0::{group}\n")).unwrap();
    };
    let web = "/tenant.slice/tenant-shop.slice/systemd-nspawn@shop-web.service";
    process(
        "10",
        &format!("{web}/payload/system.slice/systemd-nspawn@my-blog-main.service"),
    );
    process("11", "/tenant.slice/tenant-shop.slice/run-u1.service");
    process(
        "12",
        "/system.slice/ssh.service/systemd-nspawn@shop-web.service",
    );
    process("13", "/");
    let answers = ask_all(&scene, &["10", "11", "12", "13", "99"]);
    insta::assert_snapshot!(answers, @r#"
    10
        Process shop/web systemd-nspawn@shop-web.service containers/web/config.yaml:1:1
    11
        Process shop/- tenant-shop.slice metadata.json:1:1
    12: runs for no tenant: it is in /system.slice/ssh.service/systemd-nspawn@shop-web.service
    13: runs for no tenant: it is in /
    99: there is no such process
    "#);
}

#[test]
fn before_anything_is_deployed() {
    let scene = Scene::empty();
    let found = explain(&scene.host, "tenant@shop.service").unwrap();
    assert_eq!(found.generation, None);
    assert_eq!(
        found.repository.as_deref(),
        Some("https://git.example/shop.git")
    );
    assert_eq!(
        found.note.as_deref(),
        Some("nothing of this tenant is deployed")
    );
}
