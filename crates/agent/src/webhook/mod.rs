//! `webhook`: one delivery of a forge, over a connection that systemd accepted. It runs without rights, sees no network but
//! this connection, and can do one thing: leave a request for a pass. What it answers tells nobody but who has the secret
//! which tenants there are.
//!
//! - `http`: a request, within limits of size and time. `secrets`: who may send one.
//! - `memory`: deliveries that were accepted; none is accepted twice, and not too many. Both are judged by
//!   [`bitbuilder_core::webhook`].

mod http;
mod memory;
mod secrets;
#[cfg(test)]
mod tests;

use crate::console::Console;
use crate::failure::Result;
use bitbuilder_core::digest::sha256_parts;
use bitbuilder_core::model::Name;
use bitbuilder_core::sync::units::SYSTEM;
use bitbuilder_core::webhook::memory::Verdict;
use bitbuilder_core::webhook::signature::{Checker, Claim};
use bitbuilder_host::host::{Host, HostError};
use bitbuilder_host::reconcile::{Trigger, is_delivery};
use bitbuilder_host::requests;
use http::{Head, Refusal};
use memory::Memory;
use secrets::Secrets;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A delivery that takes longer is given up.
const TIME: Duration = Duration::from_secs(10);
/// And who does not take the answer in this time gets none.
const ANSWER: Duration = Duration::from_secs(1);
/// Where accepted deliveries are remembered.
const MEMORY: &str = "/var/lib/bitbuilder/webhook";

/// What a delivery meets.
struct Receiver {
    secrets: Secrets,
    memory: Memory,
    requests: PathBuf,
    /// Seconds since the epoch.
    now: u64,
}

/// Answers the delivery on standard input, a connection (`Accept=yes`).
///
/// # Errors
/// When standard input is no connection, or what the host needs to answer is missing.
pub fn run(host: &dyn Host, console: &Console) -> Result {
    let root = host.root();
    let stream = TcpStream::from(std::io::stdin().as_fd().try_clone_to_owned()?);
    let peer = stream.peer_addr()?;
    let receiver = Receiver {
        secrets: Secrets::read(root)?,
        memory: Memory::open(&root.join(MEMORY)),
        requests: requests::directory(root),
        now: SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_secs()),
    };
    let mut limited = Limited {
        stream: &stream,
        deadline: Instant::now() + TIME,
    };
    let answer = receiver.receive(&mut limited);
    // Who was too slow is told so.
    limited.deadline = Instant::now() + ANSWER;
    // Who does not read the answer does not need it.
    let _ = limited.write_all(answer.response().as_bytes());
    let _ = stream.shutdown(Shutdown::Write);
    // A notice: what systemd says of each connection is less, and is not kept.
    console.say(&format!("<5>{peer}: {}", answer.words()));
    Ok(())
}

/// What became of a delivery.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    /// A pass will be made for this target.
    Accepted { target: Name },
    /// It is not a delivery that can be looked at.
    Malformed(Refusal),
    /// Nobody is known who signed it; or there is no such target, which is not told.
    Unknown,
    /// It was accepted before.
    Replayed { target: Name },
    /// Too many were accepted of late.
    TooMany { target: Name },
    /// The host cannot take it now.
    Failed(String),
}

impl Answer {
    /// HTTP, for whoever sent it: what is said to those who have no secret is the same for all targets.
    fn response(&self) -> String {
        let (status, text) = match self {
            Self::Accepted { .. } => ("202 Accepted", "accepted"),
            Self::Malformed(refusal) => (refusal.status(), refusal.words()),
            Self::Unknown => ("401 Unauthorized", "not signed by anybody known here"),
            Self::Replayed { .. } => ("409 Conflict", "delivered before"),
            Self::TooMany { .. } => (
                "429 Too Many Requests",
                "too many deliveries: wait a minute",
            ),
            Self::Failed(_) => ("503 Service Unavailable", "try again later"),
        };
        let more = match self {
            Self::TooMany { .. } => "Retry-After: 60\r\n",
            _ => "",
        };
        format!(
            "HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n{more}Connection: close\r\n\r\n{text}\n",
            text.len() + 1
        )
    }

    /// For the journal: nothing of what came over the network.
    fn words(&self) -> String {
        match self {
            Self::Accepted { target } => format!("accepted a delivery for {target}"),
            Self::Malformed(refusal) => format!("refused: {}", refusal.words()),
            Self::Unknown => "refused: wrong signature, or no such target".to_owned(),
            Self::Replayed { target } => format!("refused: replay of a delivery for {target}"),
            Self::TooMany { target } => format!("refused: too many deliveries for {target}"),
            Self::Failed(error) => format!("failed: {error}"),
        }
    }
}

impl Receiver {
    fn receive(&self, stream: &mut (impl Read + Write)) -> Answer {
        match self.judge(stream) {
            Ok(answer) => answer,
            Err(refusal) => Answer::Malformed(refusal),
        }
    }

    fn judge(&self, stream: &mut (impl Read + Write)) -> Result<Answer, Refusal> {
        let (head, mut body) = http::read_head(stream)?;
        let target = target(&head.path);
        let claim = Claim::of(&|name| head.get(name), self.now);
        // An unknown target is checked like any other, with a key that nobody has.
        let secret = target.as_ref().and_then(|target| self.secrets.of(target));
        let mut checker = Checker::new(&claim, secret);
        http::read_body(&head, &mut body, stream, &mut |part| checker.update(part))?;
        let (valid, content) = checker.finish();
        match target.filter(|_| valid && secret.is_some()) {
            None => Ok(Answer::Unknown),
            Some(target) => Ok(self.accept(target, &claim, &content, &head)),
        }
    }

    /// A delivery of somebody who is known.
    fn accept(&self, target: Name, claim: &Claim, content: &str, head: &Head) -> Answer {
        // A signed id stands for the delivery; else its content does.
        let mark = claim.signed_id().unwrap_or(content);
        let mark = sha256_parts([target.as_str().as_bytes(), mark.as_bytes()]);
        let taken = self.memory.take(&target, &mark, self.now, || {
            let delivery = head.delivery().filter(|id| is_delivery(id));
            let delivery = delivery.map(str::to_owned);
            requests::ask(&self.requests, &target, &Trigger::Webhook { delivery })
        });
        match taken {
            Ok(Verdict::New(_)) => Answer::Accepted { target },
            Ok(Verdict::Seen) => Answer::Replayed { target },
            Ok(Verdict::TooMany) => Answer::TooMany { target },
            Err(error) => Answer::Failed(HostError::to_string(&error)),
        }
    }
}

/// Whom a path is about: `/` and `/system` the system repository, `/ID` a tenant.
fn target(path: &str) -> Option<Name> {
    let name = match path.strip_prefix('/')? {
        "" => SYSTEM,
        name => name,
    };
    Name::new(name).ok()
}

/// A connection with a deadline for all of it.
struct Limited<'s> {
    stream: &'s TcpStream,
    deadline: Instant,
}

impl Limited<'_> {
    fn left(&self) -> std::io::Result<Option<Duration>> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(std::io::ErrorKind::TimedOut.into());
        }
        Ok(Some(left))
    }
}

impl Read for Limited<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.stream.set_read_timeout(self.left()?)?;
        self.stream.read(buffer)
    }
}

impl Write for Limited<'_> {
    fn write(&mut self, buffer: &[u8]) -> std::io::Result<usize> {
        self.stream.set_write_timeout(self.left()?)?;
        self.stream.write(buffer)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.stream.flush()
    }
}
