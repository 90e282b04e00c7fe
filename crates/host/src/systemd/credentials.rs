//! Ciphertexts of systemd-creds(1), opened by the manager's own service over Varlink: it has the keys of the host and of
//! its TPM, which this program neither needs nor sees. Plain text is never in a file or on a command line.

use crate::host::HostError;
use base64ct::{Base64, Encoding};
use serde::Deserialize;
use serde_json::json;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// systemd-creds@.service listens there, systemd 256 and later.
const SOCKET: &str = "/run/systemd/io.systemd.Credentials";
/// A TPM takes its time.
const LIMIT: Duration = Duration::from_secs(60);
/// Longest answer: credentials have at most one MiB.
const ANSWER: u64 = 4 << 20;

#[derive(Deserialize)]
struct Answer {
    error: Option<String>,
    parameters: Option<Parameters>,
}

#[derive(Deserialize)]
struct Parameters {
    data: Option<String>,
}

/// The plain text of `ciphertext`, which was made under `name`.
pub(super) fn decrypt(name: &str, ciphertext: &[u8]) -> Result<Vec<u8>, HostError> {
    let fail = |message: String| HostError::Tool {
        command: format!("systemd-creds decrypt --name={name}"),
        message,
    };
    let blob: String = ciphertext
        .iter()
        .filter(|byte| !byte.is_ascii_whitespace())
        .map(|byte| char::from(*byte))
        .collect();
    let call = json!({
        "method": "io.systemd.Credentials.Decrypt",
        "parameters": { "name": name, "blob": blob },
    });
    let answer = ask(&call.to_string()).map_err(|error| fail(format!("{SOCKET}: {error}")))?;
    let answer: Answer =
        serde_json::from_slice(&answer).map_err(|error| fail(format!("{SOCKET}: {error}")))?;
    if let Some(error) = answer.error {
        return Err(fail(words(&error)));
    }
    let data = answer.parameters.and_then(|parameters| parameters.data);
    let data = data.ok_or_else(|| fail("it has no answer".to_owned()))?;
    Base64::decode_vec(&data).map_err(|error| fail(format!("its answer is no base64: {error}")))
}

/// One call; a message ends with a zero byte.
fn ask(call: &str) -> io::Result<Vec<u8>> {
    let mut stream = UnixStream::connect(Path::new(SOCKET))?;
    stream.set_read_timeout(Some(LIMIT))?;
    stream.set_write_timeout(Some(LIMIT))?;
    stream.write_all(call.as_bytes())?;
    stream.write_all(&[0])?;
    let mut answer = Vec::new();
    BufReader::new(stream.take(ANSWER)).read_until(0, &mut answer)?;
    match answer.pop() {
        Some(0) => Ok(answer),
        _ => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

/// What the service's errors mean.
fn words(error: &str) -> String {
    match error.strip_prefix("io.systemd.Credentials.") {
        Some("BadFormat") => "it is damaged, or was not made for this host".to_owned(),
        Some("NameMismatch") => {
            "it was made under another name: its file must be called as it was then".to_owned()
        }
        Some("TimeMismatch") => "its time is over".to_owned(),
        Some("UnlockFailed" | "CantUnseal") => "the key of this host does not open it".to_owned(),
        _ => error.to_owned(),
    }
}
