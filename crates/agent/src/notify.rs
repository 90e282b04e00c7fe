//! Notifications: sorted into queues, delivered one after the other, and sent to a webhook.

use crate::console::Console;
use crate::failure::{Failure, Result};
use anyhow::{Context, anyhow};
use bitbuilder_core::digest::hmac_sha256;
use bitbuilder_core::notify::Target;
use bitbuilder_host::host::Host;
use bitbuilder_host::notify::{self, Delivery};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// What happens within this time is sorted together.
const TOGETHER: Duration = Duration::from_secs(1);
/// Bytes of a delivery.
const LARGEST: u64 = 1 << 20;

/// `notify`: sorts what happened into queues, and starts the units that empty them.
///
/// # Errors
/// When a file cannot be read or written.
pub fn sort(host: &dyn Host) -> Result {
    // A pass tells of one tenant after the other: one run is enough for them.
    std::thread::sleep(TOGETHER);
    Ok(notify::sort(host)?)
}

/// `notify RECEIVER`: empties a queue.
///
/// # Errors
/// When a delivery fails: systemd tries again, later each time.
pub fn deliver(host: &dyn Host, receiver: &str) -> Result {
    notify::deliver(host, receiver).map_err(|error| {
        Failure::new(anyhow!(error).context("it is tried again"))
            .next(format!("systemctl status bitbuilder-notify@{receiver}"))
    })
}

/// `notify-send`: the delivery on standard input goes to its webhook. It has neither rights nor files: the secret is a
/// credential, and curl gets everything on its standard input.
///
/// # Errors
/// When the receiver does not answer, or not with a success.
pub fn send(host: &dyn Host, console: &Console) -> Result {
    let mut text = Vec::new();
    std::io::stdin().take(LARGEST).read_to_end(&mut text)?;
    let mut delivery: Delivery = serde_json::from_slice(&text).context("standard input")?;
    let Some(Target::Webhook { url, secret }) = delivery.target.take() else {
        return Err(Failure::text("the delivery is not for a webhook"));
    };
    let key = key(std::env::var_os("CREDENTIALS_DIRECTORY"), secret.as_str())?;
    let body = body(&delivery, host.now())?;
    let config = config(&url, &delivery, &body, &key);
    let answer = curl(&config)?;
    let kind = delivery.notice.kind.word();
    let site = site(&url);
    if answer.starts_with('2') {
        console.say(&format!("{kind}: {site} has it"));
        return Ok(());
    }
    Err(Failure::text(format!("{kind}: {site} answers {answer}")))
}

/// The key of the signature.
fn key(directory: Option<std::ffi::OsString>, secret: &str) -> Result<Vec<u8>> {
    let name = format!("bitbuilder.notify.{secret}");
    let path = Path::new(&directory.unwrap_or_default()).join(&name);
    let key = std::fs::read(&path).map_err(|error| {
        let error = anyhow!(error).context(format!("the credential {name} is not there"));
        Failure::new(error).next(format!(
            "systemd-creds encrypt --name={name} - /etc/credstore.encrypted/{name}"
        ))
    })?;
    let key = key.trim_ascii();
    if key.is_empty() {
        return Err(Failure::text(format!("the credential {name} is empty")));
    }
    Ok(key.to_vec())
}

/// The notice in one line, with what tells a replay: the id of the delivery, and when it was sent.
fn body(delivery: &Delivery, now: u64) -> Result<String> {
    let mut body = json!(delivery.notice);
    body["id"] = Value::from(delivery.id.as_str());
    body["sent"] = Value::from(now);
    Ok(serde_json::to_string(&body)?)
}

/// What curl reads, curl(1) `--config`.
fn config(url: &str, delivery: &Delivery, body: &str, key: &[u8]) -> String {
    let signature = hmac_sha256(key, body.as_bytes());
    let header = |name: &str, value: &str| ("header", format!("{name}: {value}"));
    let lines = [
        ("url", url.to_owned()),
        ("proto", "=https".to_owned()),
        (
            "user-agent",
            concat!("bitbuilder/", env!("CARGO_PKG_VERSION")).to_owned(),
        ),
        header("Content-Type", "application/json"),
        header("X-BitBuilder-Event", delivery.notice.kind.word()),
        header("X-BitBuilder-Delivery", &delivery.id),
        header("X-BitBuilder-Signature-256", &format!("sha256={signature}")),
        ("connect-timeout", "10".to_owned()),
        ("max-time", "30".to_owned()),
        ("max-filesize", "1048576".to_owned()),
        ("output", "/dev/null".to_owned()),
        ("write-out", "%{http_code}".to_owned()),
        // Not `data`, which takes a file when it begins with an @.
        ("data-raw", body.to_owned()),
    ];
    let mut text = String::from("silent\nshow-error\n");
    for (option, value) in lines {
        text.push_str(&format!("{option} = \"{}\"\n", quoted(&value)));
    }
    text
}

/// Within the double quotes of a configuration file of curl.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            other => quoted.push(other),
        }
    }
    quoted
}

/// Runs curl; the status code of the answer.
fn curl(config: &str) -> Result<String> {
    let mut child = Command::new("/usr/bin/curl")
        // First of all: no file of a user counts.
        .args(["--disable", "--config", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| {
            let error = anyhow!(error).context("curl cannot be started");
            Failure::new(error).next("apt install curl")
        })?;
    if let Some(mut input) = child.stdin.take() {
        // A curl that does not read says why on its standard error.
        let _ = input.write_all(config.as_bytes());
    }
    let output = child.wait_with_output()?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(Failure::text(said.trim().to_owned()));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// The host of a URL: its path may be a secret.
fn site(url: &str) -> &str {
    let rest = url.strip_prefix("https://").unwrap_or(url);
    rest.split('/').next().unwrap_or(rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bitbuilder_core::notify::Kind;

    fn delivery() -> Delivery {
        let notice = json!({
            "format": 1, "host": "h", "time": 7, "kind": Kind::Refused, "priority": "warning", "tenant": "shop",
            "message": "shop: refused: \"a\\b\" @file\nurl = \"https://evil.example\"",
            "details": { "commit": "abc" }, "id": "d1",
        });
        serde_json::from_value(notice).unwrap()
    }

    #[test]
    fn nothing_that_a_tenant_wrote_is_an_option() {
        let body = body(&delivery(), 9).unwrap();
        assert_eq!(body.lines().count(), 1);
        let read: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(
            (&read["id"], &read["sent"], &read["kind"]),
            (&json!("d1"), &json!(9), &json!("refused"))
        );
        let config = config("https://hooks.example/x", &delivery(), &body, b"key");
        let urls = config.lines().filter(|line| line.starts_with("url"));
        assert_eq!(
            urls.collect::<Vec<_>>(),
            ["url = \"https://hooks.example/x\""]
        );
        let line = config
            .lines()
            .find_map(|line| line.strip_prefix("data-raw = "))
            .unwrap();
        // As curl unquotes it.
        let data: String = serde_json::from_str(line).unwrap();
        assert_eq!(data, body);
        let signature = format!("sha256={}", hmac_sha256(b"key", data.as_bytes()));
        assert!(config.contains(&signature), "{config}");
    }

    #[test]
    fn a_missing_secret_says_how_to_make_it() {
        let failure = key(None, "hooks").unwrap_err();
        let said = failure.describe().unwrap();
        assert!(
            said.contains("systemd-creds encrypt --name=bitbuilder.notify.hooks"),
            "{said}"
        );
    }

    #[test]
    fn a_url_is_told_without_its_path() {
        assert_eq!(
            site("https://hooks.example:8443/token/abc"),
            "hooks.example:8443"
        );
    }
}
