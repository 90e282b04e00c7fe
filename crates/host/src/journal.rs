//! Structured entries of the journal, by its native protocol (systemd.io/JOURNAL_NATIVE_PROTOCOL).

use crate::paths::HostRoot;
use std::os::unix::net::UnixDatagram;

const SOCKET: &str = "/run/systemd/journal/socket";
/// Bytes of one field; a datagram takes about 200 KiB.
const LONGEST: usize = 16 << 10;

/// Sends one entry; a journal that does not listen is no reason to fail. Names of fields are upper case letters, digits
/// and underscores.
pub(crate) fn send(root: &HostRoot, fields: &[(&str, &str)]) {
    let mut message = Vec::new();
    for (name, value) in fields {
        push(&mut message, name, value);
    }
    push(&mut message, "SYSLOG_IDENTIFIER", "bitbuilder");
    // Nobody is there to be told.
    let _ = UnixDatagram::unbound().and_then(|socket| socket.send_to(&message, root.join(SOCKET)));
}

/// A value with line breaks is preceded by its length: nothing in it can become another field.
fn push(message: &mut Vec<u8>, name: &str, value: &str) {
    let value = cut(value);
    message.extend_from_slice(name.as_bytes());
    if value.contains('\n') {
        message.push(b'\n');
        message.extend_from_slice(&(value.len() as u64).to_le_bytes());
    } else {
        message.push(b'=');
    }
    message.extend_from_slice(value.as_bytes());
    message.push(b'\n');
}

fn cut(value: &str) -> &str {
    if value.len() <= LONGEST {
        return value;
    }
    let end = (0..=LONGEST).rev().find(|at| value.is_char_boundary(*at));
    &value[..end.unwrap_or_default()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_framed() {
        let directory = tempfile::tempdir().unwrap();
        let root = HostRoot::new(directory.path());
        let path = root.join(SOCKET);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let journal = UnixDatagram::bind(&path).unwrap();
        send(&root, &[("MESSAGE", "a\nPRIORITY=0"), ("PRIORITY", "5")]);
        let mut buffer = [0; 1000];
        let length = journal.recv(&mut buffer).unwrap();
        assert_eq!(
            buffer[..length],
            *b"MESSAGE\n\x0c\0\0\0\0\0\0\0a\nPRIORITY=0\nPRIORITY=5\nSYSLOG_IDENTIFIER=bitbuilder\n"
        );
    }

    #[test]
    fn long_values_are_cut_between_characters() {
        let long = format!("{}\u{e4}", "a".repeat(LONGEST - 1));
        assert_eq!(cut(&long).len(), LONGEST - 1);
        send(&HostRoot::new("/nonexistent"), &[("MESSAGE", &long)]);
    }
}
