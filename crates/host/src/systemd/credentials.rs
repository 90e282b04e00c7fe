//! The credential service, `io.systemd.Credentials` (Varlink, systemd 256): it has the host's key and its TPM, which our
//! sandboxed units cannot reach.

use crate::host::HostError;
use crate::paths::HostRoot;
use base64ct::{Base64, Encoding};
use serde_json::{Value, json};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

const SOCKET: &str = "/run/systemd/io.systemd.Credentials";
/// A TPM takes seconds.
const LIMIT: Duration = Duration::from_secs(60);
/// Bytes of an answer; a credential has at most 1 MiB.
const LARGEST: u64 = 4 << 20;

/// Encrypts, as systemd-creds(1) writes it; `None` when there is no such service.
pub(super) fn encrypt(
    root: &HostRoot,
    name: &str,
    secret: &[u8],
) -> Result<Option<Vec<u8>>, HostError> {
    let data = Base64::encode_string(secret);
    let parameters = json!({ "name": name, "data": data });
    let answer = call(root, "Encrypt", &parameters)?;
    let blob = answer.map(|answer| field(&answer, "blob", "Encrypt"));
    Ok(blob.transpose()?.map(String::into_bytes))
}

/// The plain text of `ciphertext`, which was made under `name`.
pub(super) fn decrypt(
    root: &HostRoot,
    name: &str,
    ciphertext: &[u8],
) -> Result<Vec<u8>, HostError> {
    let text = ciphertext.iter().filter(|byte| !byte.is_ascii_whitespace());
    let blob: String = text.map(|byte| char::from(*byte)).collect();
    let parameters = json!({ "name": name, "blob": blob });
    let absent = || {
        let message = format!("{SOCKET} is not there: is systemd-creds.socket active?");
        failed("Decrypt", message)
    };
    let answer = call(root, "Decrypt", &parameters)?.ok_or_else(absent)?;
    let data = field(&answer, "data", "Decrypt")?;
    Base64::decode_vec(&data)
        .map_err(|error| failed("Decrypt", format!("its answer is no base64: {error}")))
}

/// One call; `None` when nobody listens.
fn call(root: &HostRoot, method: &str, parameters: &Value) -> Result<Option<Value>, HostError> {
    let path = root.join(SOCKET);
    let mut stream = match UnixStream::connect(&path) {
        Ok(stream) => stream,
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::NotFound | ErrorKind::ConnectionRefused
            ) =>
        {
            return Ok(None);
        }
        Err(error) => return Err(HostError::file(&path)(error)),
    };
    let mut message = json!({
        "method": format!("io.systemd.Credentials.{method}"),
        "parameters": parameters,
    })
    .to_string()
    .into_bytes();
    message.push(0);
    let mut answer = Vec::new();
    let talk = stream
        .set_read_timeout(Some(LIMIT))
        .and_then(|()| stream.set_write_timeout(Some(LIMIT)))
        .and_then(|()| stream.write_all(&message))
        .and_then(|()| until_zero(&mut stream, &mut answer));
    talk.map_err(HostError::file(&path))?;
    let answer: Value = serde_json::from_slice(&answer)
        .map_err(|error| failed(method, format!("its answer is not JSON: {error}")))?;
    match answer.get("error").and_then(Value::as_str) {
        Some(error) => {
            let name = parameters["name"].as_str().unwrap_or_default();
            Err(failed(method, words(error, name)))
        }
        None => Ok(Some(answer["parameters"].clone())),
    }
}

/// Reads one message, without the zero byte that ends it.
fn until_zero(stream: &mut UnixStream, answer: &mut Vec<u8>) -> std::io::Result<()> {
    let mut buffer = [0; 4096];
    while answer.last() != Some(&0) {
        let read = stream.read(&mut buffer)?;
        if read == 0 || answer.len() as u64 > LARGEST {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        answer.extend_from_slice(&buffer[..read]);
    }
    answer.pop();
    Ok(())
}

fn field(answer: &Value, key: &str, method: &str) -> Result<String, HostError> {
    let text = answer.get(key).and_then(Value::as_str);
    let missing = || failed(method, format!("its answer has no `{key}`"));
    text.map(str::to_owned).ok_or_else(missing)
}

/// What the service's errors about the credential `name` mean.
fn words(error: &str, name: &str) -> String {
    match error.strip_prefix("io.systemd.Credentials.") {
        Some("BadFormat") => "it is damaged, or was not made for this host".to_owned(),
        Some("NameMismatch") => {
            format!("it was made under another name than `systemd-creds encrypt --name={name}`")
        }
        Some("TimeMismatch") => "its time is over".to_owned(),
        Some("UnlockFailed" | "CantUnseal") => "the key of this host does not open it".to_owned(),
        _ => error.to_owned(),
    }
}

fn failed(method: &str, message: impl Into<String>) -> HostError {
    HostError::Tool {
        command: format!("io.systemd.Credentials.{method}"),
        message: message.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::net::UnixListener;
    use std::thread;

    /// A service that answers one call with `answer`, and what it was asked.
    fn ask<T>(answer: &'static str, body: impl FnOnce(&HostRoot) -> T) -> (T, Value) {
        let directory = tempfile::tempdir().unwrap();
        let root = HostRoot::new(directory.path());
        let path = root.join(SOCKET);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let listener = UnixListener::bind(&path).unwrap();
        let service = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut question = Vec::new();
            until_zero(&mut stream, &mut question).unwrap();
            stream.write_all(answer.as_bytes()).unwrap();
            stream.write_all(&[0]).unwrap();
            serde_json::from_slice(&question).unwrap()
        });
        let result = body(&root);
        (result, service.join().unwrap())
    }

    #[test]
    fn it_speaks_as_the_service_does() {
        let (sealed, question) = ask(r#"{"parameters":{"blob":"c2VhbGVk"}}"#, |root| {
            encrypt(root, "a.b", b"secret").unwrap()
        });
        assert_eq!(sealed.unwrap(), b"c2VhbGVk");
        assert_eq!(
            question,
            json!({ "method": "io.systemd.Credentials.Encrypt",
                    "parameters": { "name": "a.b", "data": "c2VjcmV0" } })
        );
        let (secret, question) = ask(r#"{"parameters":{"data":"c2VjcmV0"}}"#, |root| {
            decrypt(root, "a.b", b"c2Vh\nbGVk\n").unwrap()
        });
        assert_eq!(secret, b"secret");
        assert_eq!(question["parameters"]["blob"], "c2VhbGVk");
    }

    #[test]
    fn what_goes_wrong_is_said() {
        let (result, _) = ask(r#"{"error":"io.systemd.Credentials.NameMismatch"}"#, |r| {
            decrypt(r, "a.b", b"c2VhbGVk")
        });
        let error = result.unwrap_err().to_string();
        assert!(error.contains("--name=a.b"), "{error}");
        let nobody = tempfile::tempdir().unwrap();
        let root = HostRoot::new(nobody.path());
        assert!(encrypt(&root, "a.b", b"secret").unwrap().is_none());
        let error = decrypt(&root, "a.b", b"c2VhbGVk").unwrap_err().to_string();
        assert!(error.contains("systemd-creds.socket"), "{error}");
    }
}
