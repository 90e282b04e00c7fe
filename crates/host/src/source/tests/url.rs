use crate::source::RemoteUrl;
use proptest::prelude::*;

#[test]
fn what_is_fetched_from() {
    for url in [
        "https://git.example/shop.git",
        "https://git.example:8443/a/b",
        "https://user@git.example/x",
        "ssh://git@git.example:2222/srv/x.git",
        "git@git.example:shop.git",
        "git.example:shop.git",
        "file:///srv/x.git",
        "/srv/x.git",
        "ssh://git@[2001:db8::1]/x",
    ] {
        assert!(RemoteUrl::parse(url).is_ok(), "{url}");
    }
}

#[test]
fn what_is_refused() {
    for url in [
        "",
        "ext::sh -c touch% /tmp/x",
        "ext::sh",
        "fd::7",
        "transport::address",
        "http://git.example/x",
        "git://git.example/x",
        "ftp://git.example/x",
        "rsync://git.example/x",
        "HTTP://git.example/x",
        "file://relative/x",
        "file:///srv/../etc",
        "/srv/../etc",
        "../x",
        "x",
        "--upload-pack=touch /tmp/x",
        "-oProxyCommand=x",
        "ssh://-oProxyCommand=x/y",
        "ssh://-oProxyCommand=x@host/y",
        "ssh://git@-host/y",
        "-oProxyCommand=x:y",
        "git@host:-x",
        "git@-host:x",
        "ssh://host;touch x/y",
        "ssh://$(touch x)/y",
        "https:///x",
        "https://host/x y",
        "https://host/x\ny",
        "https://host/\u{7}",
    ] {
        assert!(RemoteUrl::parse(url).is_err(), "{url}");
    }
    let long = format!("https://host/{}", "x".repeat(2048));
    assert!(RemoteUrl::parse(&long).is_err());
}

#[test]
fn a_password_is_never_shown() {
    let url = RemoteUrl::parse("https://user:secret@git.example/x").unwrap();
    assert_eq!(url.to_string(), "https://user@git.example/x");
    assert!(url.as_str().contains("secret"));
    let refused = RemoteUrl::parse("http://user:secret@git.example/x").unwrap_err();
    assert!(!refused.to_string().contains("secret"), "{refused}");
}

proptest! {
    #[test]
    fn nothing_that_is_accepted_is_an_option_or_a_helper(url in "[-a-z:/@.%$ ]{0,24}|(ext|ssh|https|file)(::|://)[-a-z@:/.]{0,16}") {
        if let Ok(parsed) = RemoteUrl::parse(&url) {
            prop_assert!(!url.starts_with('-') && !url.contains(' '));
            let scheme = url.split_once("://").map(|(scheme, _)| scheme);
            prop_assert!(scheme.is_none_or(|scheme| ["https", "ssh", "file"].contains(&scheme)) || url.starts_with('/') || parsed.local().is_some() || !url.contains("::"));
            // Git takes `word::rest` for a remote helper.
            let helper = url.split_once("::").is_some_and(|(word, _)| word.bytes().all(|b| b.is_ascii_alphanumeric()));
            prop_assert!(!helper, "{url}");
        }
    }
}

#[test]
fn host_names() {
    let host = |text: &str| RemoteUrl::parse(text).unwrap().host().map(str::to_owned);
    for (url, expected) in [
        ("https://git.example/shop.git", "git.example"),
        ("https://git.example:8443/shop.git", "git.example"),
        ("ssh://git@git.example:2222/shop.git", "git.example"),
        ("ssh://git@[fd00::1]:22/shop.git", "[fd00::1]"),
        ("ssh://git@[fd00::1]/shop.git", "[fd00::1]"),
        ("git@git.example:shop.git", "git.example"),
    ] {
        assert_eq!(host(url).as_deref(), Some(expected), "{url}");
    }
    assert_eq!(host("file:///srv/git/shop.git"), None);
    assert_eq!(host("/srv/git/shop.git"), None);
}
