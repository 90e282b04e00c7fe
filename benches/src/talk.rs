//! Two programs that talk over a network, for what a path between them gives: bytes a second, and round trips.

use anyhow::Context as _;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

/// What the first byte of a connection asks for.
const SINK: u8 = b's';
const ECHO: u8 = b'e';
const BYTES: usize = 1 << 30;
const TRIPS: u32 = 20_000;
/// Longest wait for the other end.
const PATIENCE: Duration = Duration::from_secs(10);

/// Answers for ever.
pub(crate) fn listen(address: SocketAddr) -> anyhow::Result<String> {
    let listener = TcpListener::bind(address)?;
    loop {
        let (stream, _) = listener.accept()?;
        std::thread::spawn(move || serve(stream));
    }
}

fn serve(mut stream: TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut asked = [0];
    stream.read_exact(&mut asked)?;
    if asked[0] == ECHO {
        while stream.read_exact(&mut asked).is_ok() {
            stream.write_all(&asked)?;
        }
        return Ok(());
    }
    let mut buffer = vec![0; 1 << 17];
    let mut left = BYTES;
    while left > 0 {
        match stream.read(&mut buffer)? {
            0 => return Ok(()),
            read => left = left.saturating_sub(read),
        }
    }
    stream.write_all(&asked)
}

/// Asks who listens at `address`; prints JSON: MiB a second, and microseconds of a round trip.
pub(crate) fn talk(address: SocketAddr) -> anyhow::Result<String> {
    let mebibytes = (BYTES >> 20) as f64 / stream(address)?.as_secs_f64();
    let trip = echo(address)?.as_secs_f64() * 1e6 / f64::from(TRIPS);
    let value = serde_json::json!({ "mebibytesPerSecond": mebibytes, "microseconds": trip });
    Ok(format!("{value}\n"))
}

fn stream(address: SocketAddr) -> anyhow::Result<Duration> {
    let mut stream = connect(address)?;
    let buffer = vec![0; 1 << 17];
    let start = Instant::now();
    stream.write_all(&[SINK])?;
    for _ in 0..BYTES / buffer.len() {
        stream.write_all(&buffer)?;
    }
    stream.read_exact(&mut [0])?;
    Ok(start.elapsed())
}

fn echo(address: SocketAddr) -> anyhow::Result<Duration> {
    let mut stream = connect(address)?;
    stream.write_all(&[ECHO])?;
    let mut byte = [0];
    let start = Instant::now();
    for _ in 0..TRIPS {
        stream.write_all(&byte)?;
        stream.read_exact(&mut byte)?;
    }
    Ok(start.elapsed())
}

fn connect(address: SocketAddr) -> anyhow::Result<TcpStream> {
    let start = Instant::now();
    loop {
        match TcpStream::connect_timeout(&address, PATIENCE) {
            Err(error)
                if error.kind() == ErrorKind::ConnectionRefused && start.elapsed() < PATIENCE =>
            {
                std::thread::yield_now();
            }
            other => {
                let stream = other.with_context(|| format!("nobody listens at {address}"))?;
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
        }
    }
}
