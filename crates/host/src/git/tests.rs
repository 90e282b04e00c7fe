use super::version::{self, Version};

#[test]
fn version_is_read_and_compared() {
    assert_eq!(version::parse("git version 2.47.3\n"), Some(Version(2, 47)));
    assert_eq!(
        version::parse("git version 2.30.2 (Apple)"),
        Some(Version(2, 30))
    );
    assert_eq!(version::parse("hg 6"), None);
    assert!(version::accept("git version 2.30.0").is_ok());
    let old = version::accept("git version 2.29.9").unwrap_err();
    assert_eq!(old.to_string(), "git 2.30 or later is needed; this is 2.29");
}
