//! What we ship as a start is valid: examples, scaffolds, and the scripts that the seeds name.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn bbctl(arguments: &[&str], directory: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bbctl"));
    let command = command.args(arguments).current_dir(directory);
    command
        .env_remove("BBCTL_SIM")
        .output()
        .expect("bbctl starts")
}

fn valid_without_findings(arguments: &[&str], directory: &Path) {
    let output = bbctl(arguments, directory);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{arguments:?}: {text}");
    assert!(text.starts_with("valid: "), "{arguments:?}: {text}");
}

#[test]
fn examples_are_valid() {
    let examples = root().join("examples");
    for (directory, id) in [
        ("quick-start", "tenant-001"),
        ("quick-start-container", "tenant-002"),
        ("shop", "shop"),
    ] {
        valid_without_findings(&["validate", directory, "--id", id], &examples);
    }
    valid_without_findings(&["validate", "system", "--kind", "system"], &examples);
}

#[test]
fn scaffolds_are_valid() {
    let dir = tempfile::tempdir().unwrap();
    for arguments in [
        ["new", "system", "acme"].as_slice(),
        &["new", "tenant", "shop"],
        &[
            "new",
            "tenant",
            "farm",
            "--template",
            "vm",
            "--id",
            "build-farm",
        ],
    ] {
        let output = bbctl(arguments, dir.path());
        assert!(output.status.success(), "{output:?}");
        valid_without_findings(&["validate", arguments[2]], dir.path());
        assert!(dir.path().join(arguments[2]).join("README.md").is_file());
    }
    let again = bbctl(&["new", "tenant", "shop"], dir.path());
    assert_eq!(again.status.code(), Some(1), "it is not empty");
    let unnamed = bbctl(&["new", "tenant", "Shop_1"], dir.path());
    assert_eq!(unnamed.status.code(), Some(2), "that is no id");
}

#[test]
fn findings_have_their_formats_and_exit_code() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(
        dir.path().join("metadata.json"),
        r#"{"tenant":{"id":"x","nmae":1}}"#,
    )
    .unwrap();
    for (format, expected) in [
        ("text", "metadata.json:1:21"),
        ("json", "\"rule\": \"unknown-key\""),
        ("github", "::error file=metadata.json,line=1,col=21"),
        ("sarif", "\"version\": \"2.1.0\""),
    ] {
        let output = bbctl(&["validate", "--format", format], dir.path());
        assert_eq!(output.status.code(), Some(3), "{format}");
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(text.contains(expected), "{format}: {text}");
    }
}

#[test]
fn the_scripts_of_the_seeds_work() {
    let script = |name: &str, argument: &Path| {
        let output = Command::new(root().join("scripts").join(name))
            .arg(argument)
            .env("BBCTL", env!("CARGO_BIN_EXE_bbctl"))
            .output();
        output.unwrap().status.code()
    };
    let metadata = root().join("examples/quick-start/metadata.json");
    assert_eq!(script("validate-metadata.sh", &metadata), Some(0));
    let template = tempfile::tempdir().unwrap();
    assert_eq!(script("validate-template.sh", template.path()), Some(3));
    let metadata = root().join("templates/tenant-container/metadata.json");
    std::fs::copy(metadata, template.path().join("metadata.json")).unwrap();
    for directory in ["etc", "usr/lib", "var", "proc", "sys", "dev", "run", "tmp"] {
        std::fs::create_dir_all(template.path().join("rootfs").join(directory)).unwrap();
    }
    let rootfs = template.path().join("rootfs");
    std::fs::write(rootfs.join("etc/os-release"), "ID=x\n").unwrap();
    std::os::unix::fs::symlink("../../etc/os-release", rootfs.join("usr/lib/os-release")).unwrap();
    assert_eq!(
        script("validate-template.sh", template.path()),
        Some(3),
        "/tmp"
    );
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o1777);
    std::fs::set_permissions(rootfs.join("tmp"), mode).unwrap();
    assert_eq!(script("validate-template.sh", template.path()), Some(0));
}
