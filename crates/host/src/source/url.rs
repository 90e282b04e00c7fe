//! URLs of repositories: which transports exist, and nothing that could be an option or a command.

use super::error::SourceError;
use std::path::{Path, PathBuf};

/// A URL that we fetch from: `https://`, `ssh://`, `user@host:path`, `file://` or an absolute path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteUrl {
    text: String,
    local: Option<PathBuf>,
}

impl RemoteUrl {
    /// Checks `text`.
    ///
    /// # Errors
    /// When it names another transport, could be taken for an option, or is relative.
    pub fn parse(text: &str) -> Result<Self, SourceError> {
        match check(text) {
            Ok(local) => Ok(Self {
                text: text.to_owned(),
                local,
            }),
            Err(reason) => Err(SourceError::Url {
                url: without_password(text),
                reason,
            }),
        }
    }

    /// As git takes it.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Host name of a remote that is not local.
    pub fn host(&self) -> Option<&str> {
        if self.local.is_some() {
            return None;
        }
        let authority = match self.text.split_once("://") {
            Some((_, rest)) => rest.split('/').next()?,
            None => self.text.split_once(':')?.0,
        };
        let host = authority.rsplit('@').next()?;
        // An IPv6 address is in brackets, its colons with it.
        let port = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        let split = host.rsplit_once(':').filter(|(_, rest)| port(rest));
        Some(split.map_or(host, |(host, _)| host))
    }

    /// Directory of a local remote.
    pub fn local(&self) -> Option<&Path> {
        self.local.as_deref()
    }
}

impl std::fmt::Display for RemoteUrl {
    /// Without a password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&without_password(&self.text))
    }
}

fn check(text: &str) -> Result<Option<PathBuf>, &'static str> {
    if text.is_empty() || text.starts_with('-') {
        return Err("expected a URL");
    }
    if text.len() > 2048 || text.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err("expected at most 2048 characters, without spaces and control characters");
    }
    if let Some(rest) = text.strip_prefix("file://") {
        return local(rest).map(Some);
    }
    if text.starts_with('/') {
        return local(text).map(Some);
    }
    let authority = match text.split_once("://") {
        Some(("https" | "ssh", rest)) => rest.split('/').next().unwrap_or_default(),
        Some(_) => return Err("expected https, ssh or file"),
        None => short_ssh_authority(text)?,
    };
    host(authority)?;
    Ok(None)
}

fn local(path: &str) -> Result<PathBuf, &'static str> {
    if !path.starts_with('/') {
        return Err("expected an absolute path behind file://");
    }
    if path.split('/').any(|part| part == "..") {
        return Err("expected a path without ..");
    }
    Ok(PathBuf::from(path))
}

/// The part before the colon of `user@host:path`.
fn short_ssh_authority(text: &str) -> Result<&str, &'static str> {
    let expected = "expected https://, ssh://, user@host:path, file:// or an absolute path";
    let (authority, path) = text.split_once(':').ok_or(expected)?;
    // `ext::command` and other remote helpers.
    if path.starts_with(':') || path.is_empty() || authority.contains('/') {
        return Err(expected);
    }
    if path.starts_with('-') {
        return Err("expected a path that does not start with a dash");
    }
    Ok(authority)
}

/// ssh would take a host or user that starts with a dash for an option.
fn host(authority: &str) -> Result<(), &'static str> {
    let (user, host) = authority.rsplit_once('@').unwrap_or(("", authority));
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-._[]:".contains(c);
    if host.is_empty() || host.starts_with('-') || !host.chars().all(allowed) {
        return Err("expected a host name");
    }
    if user.starts_with('-') {
        return Err("expected a user that does not start with a dash");
    }
    Ok(())
}

/// `https://user:secret@host/` without the secret, for messages.
pub(super) fn without_password(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else {
        return text.to_owned();
    };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    match authority.rsplit_once('@') {
        Some((user, host)) => {
            let name = user.split(':').next().unwrap_or_default();
            format!("{scheme}://{name}@{host}{path}")
        }
        None => text.to_owned(),
    }
}
