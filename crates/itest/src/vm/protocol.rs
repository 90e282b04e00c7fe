//! What is said over a channel between us and the runner in a VM host.
//!
//! A channel is a stream of bytes in both directions (a port of virtio-serial): frames of a kind, a length and that many
//! bytes. It carries one command at a time and any number of them in turn:
//!
//! ```text
//! ours     Hello nonce                 Run words      Input bytes ...  InputEnd
//! theirs               Welcome nonce                  Taken n ...  Output bytes ...  Error bytes ...  Ended status
//! ```
//!
//! The stream knows no connections: what a client that died left in it is skipped up to the `Welcome` that answers the
//! `Hello` of the next one, and `Hello` ends the command that runs.

use std::io::{self, Read, Write};

/// Most bytes that a frame carries; the words of a command have to fit in one.
pub const FRAME: usize = 128 * 1024;
/// Most bytes of input that are on their way and not [`Frame::Taken`] yet.
pub const WINDOW: usize = 1024 * 1024;
/// First bytes of a frame.
const MARK: [u8; 3] = *b"BB1";
const HEADER: usize = 8;

/// One message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// We begin: whatever runs ends.
    Hello(u64),
    /// The runner is ready for us.
    Welcome(u64),
    /// Run these words as a command.
    Run(Vec<Vec<u8>>),
    /// Some of its input.
    Input(Vec<u8>),
    /// Its input ends.
    InputEnd,
    /// The command read this many bytes of its input, or will never read them.
    Taken(u32),
    /// Some of its standard output.
    Output(Vec<u8>),
    /// Some of its standard error.
    Error(Vec<u8>),
    /// It ended, and both streams too: the status as waitpid(2) has it.
    Ended(i32),
    /// It could not be started.
    Refused(String),
}

impl Frame {
    /// The bytes of it on a channel.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let (kind, payload) = match self {
            Self::Hello(nonce) => (0, nonce.to_le_bytes().to_vec()),
            Self::Welcome(nonce) => (1, nonce.to_le_bytes().to_vec()),
            Self::Run(words) => (2, words.join(&0)),
            Self::Input(bytes) => (3, bytes.clone()),
            Self::InputEnd => (4, Vec::new()),
            Self::Taken(bytes) => (5, bytes.to_le_bytes().to_vec()),
            Self::Output(bytes) => (6, bytes.clone()),
            Self::Error(bytes) => (7, bytes.clone()),
            Self::Ended(status) => (8, status.to_le_bytes().to_vec()),
            Self::Refused(why) => (9, why.clone().into_bytes()),
        };
        let mut bytes = MARK.to_vec();
        bytes.push(kind);
        // Longer ones are refused by `read_from`.
        bytes.extend((payload.len() as u32).to_le_bytes());
        bytes.extend(payload);
        bytes
    }

    /// Writes it whole.
    ///
    /// # Errors
    /// It is longer than [`FRAME`], or the channel is gone.
    pub fn write_to(&self, mut channel: impl Write) -> io::Result<()> {
        let bytes = self.encode();
        if bytes.len() > HEADER + FRAME {
            return Err(invalid("a frame is too long"));
        }
        channel.write_all(&bytes)
    }

    /// Reads the next one.
    ///
    /// # Errors
    /// The channel is gone, or what comes is not a frame.
    pub fn read_from(mut channel: impl Read) -> io::Result<Self> {
        let mut header = [0; HEADER];
        channel.read_exact(&mut header)?;
        let [mark @ .., kind, a, b, c, d] = header;
        let length = u32::from_le_bytes([a, b, c, d]) as usize;
        if mark != MARK || length > FRAME {
            return Err(invalid("not a frame"));
        }
        let mut payload = vec![0; length];
        channel.read_exact(&mut payload)?;
        let short = |_| invalid("a number has another length");
        Ok(match kind {
            0 => Self::Hello(u64::from_le_bytes(payload.try_into().map_err(short)?)),
            1 => Self::Welcome(u64::from_le_bytes(payload.try_into().map_err(short)?)),
            2 => Self::Run(
                payload
                    .split(|byte| *byte == 0)
                    .map(<[u8]>::to_vec)
                    .collect(),
            ),
            3 => Self::Input(payload),
            4 => Self::InputEnd,
            5 => Self::Taken(u32::from_le_bytes(payload.try_into().map_err(short)?)),
            6 => Self::Output(payload),
            7 => Self::Error(payload),
            8 => Self::Ended(i32::from_le_bytes(payload.try_into().map_err(short)?)),
            9 => Self::Refused(String::from_utf8_lossy(&payload).into_owned()),
            _ => return Err(invalid("a frame of an unknown kind")),
        })
    }

    /// Skips everything up to and with this frame.
    ///
    /// # Errors
    /// The channel is gone.
    pub fn skip_to(&self, mut channel: impl Read) -> io::Result<()> {
        let expected = self.encode();
        let mut seen = vec![0; expected.len()];
        channel.read_exact(&mut seen)?;
        while seen != expected {
            seen.rotate_left(1);
            let last = seen.len() - 1;
            channel.read_exact(&mut seen[last..])?;
        }
        Ok(())
    }
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_out_as_they_went_in() {
        let frames = [
            Frame::Hello(u64::MAX - 1),
            Frame::Welcome(7),
            Frame::Run(vec![
                b"sh".to_vec(),
                b"-c".to_vec(),
                Vec::new(),
                b"\xff\n".to_vec(),
            ]),
            Frame::Input(vec![0; FRAME]),
            Frame::InputEnd,
            Frame::Taken(65_536),
            Frame::Output(b"BB1\0BB1".to_vec()),
            Frame::Error(Vec::new()),
            Frame::Ended(-1),
            Frame::Refused("no such file".to_owned()),
        ];
        let mut stream = Vec::new();
        for frame in &frames {
            frame.write_to(&mut stream).unwrap();
        }
        let mut rest = stream.as_slice();
        for frame in frames {
            assert_eq!(Frame::read_from(&mut rest).unwrap(), frame);
        }
        assert!(rest.is_empty());
    }

    #[test]
    fn what_is_not_a_frame_is_refused() {
        let long = [b"BB1\x03".as_slice(), &u32::MAX.to_le_bytes()].concat();
        for bytes in [
            b"BB2\x04\0\0\0\0".as_slice(),
            b"BB1\x0a\0\0\0\0",
            b"BB1\x08\x01\0\0\0x",
            &long,
        ] {
            assert!(Frame::read_from(bytes).is_err(), "{bytes:?}");
        }
        assert!(
            Frame::Input(vec![0; FRAME + 1])
                .write_to(Vec::new())
                .is_err()
        );
    }

    #[test]
    fn the_rest_of_a_dead_client_is_skipped() {
        let welcome = Frame::Welcome(42);
        let rubbish = [
            Frame::Welcome(41).encode(),
            b"BB1BB".to_vec(),
            welcome.encode(),
        ]
        .concat();
        let stream = [rubbish, Frame::Ended(0).encode()].concat();
        let mut rest = stream.as_slice();
        welcome.skip_to(&mut rest).unwrap();
        assert_eq!(Frame::read_from(&mut rest).unwrap(), Frame::Ended(0));
        assert!(welcome.skip_to(&mut rest).is_err());
    }
}
