//! Checks over the network, from the host. What answers belongs to a tenant: everything that is read is bounded, in
//! size and in time.

use super::state::Outcome;
use bitbuilder_core::report::escape;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// Bytes of an answer that are read in search of its first line.
const LONGEST_STATUS_LINE: usize = 4096;

/// Whether `address` accepts a connection within `limit`.
///
/// # Errors
/// Why not, for people.
pub fn tcp(address: SocketAddr, limit: Duration) -> Outcome {
    connect(address, limit).map(|_| format!("port {} accepts", address.port()))
}

/// Whether a GET of `path` at `address` is answered with a status below 400 within `limit`.
///
/// # Errors
/// Why not, for people.
pub fn http(address: SocketAddr, path: &str, limit: Duration) -> Outcome {
    let deadline = Instant::now() + limit;
    if !path.starts_with('/') || path.bytes().any(|b| b <= b' ' || b == 0x7f) {
        return Err(format!("`{}` cannot be asked for", escape(path)));
    }
    let mut stream = connect(address, limit)?;
    let line = exchange(&mut stream, address, path, deadline)
        .map_err(|error| describe(&error, "HTTP", address))?;
    let status = status(&line).ok_or_else(|| {
        let line = String::from_utf8_lossy(&line);
        let start: String = line.chars().take(60).collect();
        format!("the answer is not HTTP: `{}`", escape(&start))
    })?;
    let said = format!("GET {} was answered with {status}", escape(path));
    if status < 400 { Ok(said) } else { Err(said) }
}

/// A port on which nobody listens, as a rule: discard, RFC 863.
pub const NOBODYS: u16 = 9;
/// Neighbours of the host, proc(5).
const NEIGHBOURS: &str = "/proc/net/arp";

/// Whether there is a kernel at `address`: it accepts or refuses a connection within `limit`, or drops it and yet is
/// known to be on the link.
///
/// # Errors
/// Why not, for people.
pub fn answers(address: SocketAddr, limit: Duration) -> Outcome {
    let said = match TcpStream::connect_timeout(&address, limit) {
        Ok(_) => "accepts a connection",
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => "answers",
        Err(error) if error.kind() == ErrorKind::TimedOut && is_neighbour(address.ip()) => {
            "is on the link and drops what it is asked"
        }
        Err(error) => return Err(describe(&error, "connection", address)),
    };
    Ok(format!("{} {said}", address.ip()))
}

fn is_neighbour(address: IpAddr) -> bool {
    let neighbours = std::fs::read_to_string(NEIGHBOURS).unwrap_or_default();
    is_listed(&neighbours, address)
}

/// Flag 2: its address on the link is known.
fn is_listed(neighbours: &str, address: IpAddr) -> bool {
    neighbours.lines().skip(1).any(|line| {
        let mut words = line.split_whitespace();
        let of = words.next().and_then(|word| word.parse::<IpAddr>().ok());
        of == Some(address) && words.nth(1) == Some("0x2")
    })
}

fn connect(address: SocketAddr, limit: Duration) -> Result<TcpStream, String> {
    TcpStream::connect_timeout(&address, limit)
        .map_err(|error| describe(&error, "connection", address))
}

fn describe(error: &io::Error, what: &str, address: SocketAddr) -> String {
    match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => {
            format!("{what} to {address}: no answer in time")
        }
        _ => format!("{what} to {address}: {error}"),
    }
}

/// Asks, and reads the first line of the answer or what comes in its place.
fn exchange(
    stream: &mut TcpStream,
    address: SocketAddr,
    path: &str,
    deadline: Instant,
) -> io::Result<Vec<u8>> {
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nUser-Agent: bitbuilder-health\r\nAccept: */*\r\nConnection: close\r\n\r\n"
    );
    stream.set_write_timeout(Some(left(deadline)?))?;
    stream.write_all(request.as_bytes())?;
    let mut line = Vec::new();
    let mut chunk = [0; 1024];
    while line.len() < LONGEST_STATUS_LINE && !line.contains(&b'\n') {
        stream.set_read_timeout(Some(left(deadline)?))?;
        match stream.read(&mut chunk) {
            Ok(0) => break,
            Ok(read) => line.extend_from_slice(&chunk[..read]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(line)
}

fn left(deadline: Instant) -> io::Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return Err(ErrorKind::TimedOut.into());
    }
    Ok(left)
}

/// `200` of `HTTP/1.1 200 OK`, RFC 9112 section 4.
fn status(answer: &[u8]) -> Option<u16> {
    let line = answer.split(|&b| b == b'\n').next()?;
    let rest = line
        .strip_prefix(b"HTTP/1.1 ")
        .or_else(|| line.strip_prefix(b"HTTP/1.0 "))?;
    let digits = rest.get(..3)?;
    let ends = rest.get(3).is_none_or(|&b| b == b' ' || b == b'\r');
    if !ends || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;
    use std::thread;

    const LIMIT: Duration = Duration::from_secs(60);

    #[test]
    fn a_kernel_answers_when_nobody_listens() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        assert_eq!(
            answers(address, LIMIT).unwrap(),
            "127.0.0.1 accepts a connection"
        );
        drop(listener);
        assert_eq!(answers(address, LIMIT).unwrap(), "127.0.0.1 answers");
    }

    #[test]
    fn neighbours_are_complete() {
        let text = "IP address       HW type     Flags       HW address            Mask     Device\n\
            10.64.0.10       0x1         0x2         02:bb:00:00:01:02     *        br-shop\n\
            10.64.0.11       0x1         0x0         00:00:00:00:00:00     *        br-shop\n";
        let listed = |address: &str| is_listed(text, address.parse().unwrap());
        assert!(listed("10.64.0.10"));
        assert!(!listed("10.64.0.11"));
        assert!(!listed("10.64.0.1"));
    }

    /// Asks a server that answers one connection with `answer`; the request that it saw too.
    fn ask(path: &str, answer: &'static [u8]) -> (Outcome, String) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = Vec::new();
            let mut byte = [0];
            while !request.ends_with(b"\r\n\r\n") {
                stream.read_exact(&mut byte).unwrap();
                request.push(byte[0]);
            }
            // The asker may hang up before it has everything.
            let _ = stream.write_all(answer);
            String::from_utf8(request).unwrap()
        });
        let outcome = http(address, path, LIMIT);
        (outcome, server.join().unwrap())
    }

    #[test]
    fn a_status_below_400_is_healthy() {
        let (outcome, request) = ask("/health?x=1", b"HTTP/1.1 204 No Content\r\n\r\n");
        assert_eq!(outcome.unwrap(), "GET /health?x=1 was answered with 204");
        assert!(
            request.starts_with("GET /health?x=1 HTTP/1.1\r\nHost: 127.0.0.1:"),
            "{request}"
        );
        for (answer, healthy) in [
            (b"HTTP/1.0 200 OK\n\n".as_slice(), true),
            (b"HTTP/1.1 302\r\n\r\n", true),
            (b"HTTP/1.1 404 Not Found\r\n\r\n", false),
            (b"HTTP/1.1 500 Oh\r\n\r\n", false),
            (b"HTTP/1.1 2000 Oh\r\n\r\n", false),
            (b"SSH-2.0-nonsense\r\n", false),
            (b"HTTP/1.1 ", false),
            (b"", false),
        ] {
            let (outcome, _) = ask("/", answer);
            assert_eq!(outcome.is_ok(), healthy, "{outcome:?}");
        }
    }

    #[test]
    fn an_answer_without_end_is_not_read_to_its_end() {
        static LONG: [u8; 1 << 20] = [b'x'; 1 << 20];
        let (outcome, _) = ask("/", &LONG);
        assert!(outcome.unwrap_err().len() < 200);
    }

    #[test]
    fn a_path_cannot_smuggle_headers() {
        let address = "127.0.0.1:1".parse().unwrap();
        for path in ["/a b", "/a\r\nX: y", "a", ""] {
            assert!(http(address, path, LIMIT).is_err(), "{path:?}");
        }
    }

    #[test]
    fn a_silent_server_is_not_waited_for_too_long() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        assert_eq!(
            tcp(address, LIMIT).unwrap(),
            format!("port {} accepts", address.port())
        );
        let error = http(address, "/", Duration::from_millis(50)).unwrap_err();
        assert!(error.contains("no answer in time"), "{error}");
        drop(listener);
        let error = tcp(address, LIMIT).unwrap_err();
        assert!(error.contains("refused"), "{error}");
    }
}
