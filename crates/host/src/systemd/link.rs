//! Links of the kernel, through ip(8).

use crate::host::HostError;
use crate::tool::Tool;
use std::thread;
use std::time::Duration;

pub(super) const IP: Tool = Tool {
    program: "ip",
    limit: Duration::from_secs(30),
};

/// How long a link stays down: the kernel tells the other end of it late, and of two changes in a row only the last.
const DOWN: Duration = Duration::from_millis(300);

/// Takes the carrier away and gives it back: a DHCP client that loses it asks for its address anew, in its own namespace
/// and without anybody's doing there.
pub(super) fn renew(links: &[String]) -> Result<(), HostError> {
    set(links, "down")?;
    thread::sleep(DOWN);
    set(links, "up")
}

fn set(links: &[String], state: &str) -> Result<(), HostError> {
    let lines = links.iter();
    let lines: String = lines
        .map(|link| format!("link set dev {link} {state}\n"))
        .collect();
    batch(&lines)
}

/// Runs commands, one a line, up to the first that fails.
pub(super) fn batch(lines: &str) -> Result<(), HostError> {
    const ARGUMENTS: &[&str] = &["-batch", "-"];
    let answer = IP.run(ARGUMENTS, lines.as_bytes())?;
    if answer.status.success() {
        return Ok(());
    }
    Err(IP.failure(ARGUMENTS, &answer))
}
