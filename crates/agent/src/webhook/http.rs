//! One HTTP/1.1 request, within limits; the parser of its head is httparse's.

use std::io::{ErrorKind, Read, Write};

/// Bytes of the request line and all headers.
const HEAD: usize = 16 << 10;
/// Headers.
const HEADERS: usize = 64;
/// Bytes of a body. It is hashed as it comes and never kept.
const BODY: u64 = 8 << 20;

/// Why a request is not looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It is no HTTP/1.1.
    Syntax,
    /// It is no POST.
    Method,
    /// It does not say how long it is.
    Length,
    /// Its body is too long.
    TooLarge,
    /// Its head is too long.
    HeadTooLarge,
    /// It ended early, or took too long.
    Incomplete,
}

impl Refusal {
    pub(super) fn status(self) -> &'static str {
        match self {
            Self::Syntax => "400 Bad Request",
            Self::Method => "405 Method Not Allowed",
            Self::Length => "411 Length Required",
            Self::TooLarge => "413 Content Too Large",
            Self::HeadTooLarge => "431 Request Header Fields Too Large",
            Self::Incomplete => "408 Request Timeout",
        }
    }

    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Syntax => "not HTTP/1.1",
            Self::Method => "only POST",
            Self::Length => "Content-Length is needed",
            Self::TooLarge => "the body is too large",
            Self::HeadTooLarge => "the head is too large",
            Self::Incomplete => "incomplete",
        }
    }
}

/// Request line and headers.
#[derive(Debug)]
pub(super) struct Head {
    /// As it was written, query included.
    pub(super) path: String,
    /// Names in lower case.
    headers: Vec<(String, String)>,
    length: u64,
}

impl Head {
    /// The value of a header; none when it was sent twice, so that nobody reads the other one.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(header, _)| header == name);
        let value = values.next()?;
        values.next().is_none().then_some(value.1.as_str())
    }

    /// What the forge calls the delivery.
    pub(super) fn delivery(&self) -> Option<&str> {
        const NAMES: [&str; 6] = [
            "webhook-id",
            "x-github-delivery",
            "x-forgejo-delivery",
            "x-gitea-delivery",
            "x-gitlab-webhook-uuid",
            "x-gitlab-event-uuid",
        ];
        NAMES.iter().find_map(|name| self.get(name))
    }
}

/// Reads the head; what was read of the body comes with it.
pub(super) fn read_head(stream: &mut (impl Read + Write)) -> Result<(Head, Vec<u8>), Refusal> {
    let mut buffer = Vec::new();
    loop {
        if let Some((head, end)) = parse(&buffer)? {
            if head
                .get("expect")
                .is_some_and(|value| value.eq_ignore_ascii_case("100-continue"))
            {
                let goes_on = stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n");
                goes_on.map_err(|_| Refusal::Incomplete)?;
            }
            return Ok((head, buffer.split_off(end)));
        }
        if buffer.len() >= HEAD {
            return Err(Refusal::HeadTooLarge);
        }
        let mut chunk = [0; 4096];
        let room = chunk.len().min(HEAD - buffer.len());
        match read(stream, &mut chunk[..room])? {
            0 => return Err(Refusal::Incomplete),
            count => buffer.extend_from_slice(&chunk[..count]),
        }
    }
}

/// Hands the body to `take`, part by part; `begun` is what came with the head.
pub(super) fn read_body(
    head: &Head,
    begun: &mut Vec<u8>,
    stream: &mut impl Read,
    take: &mut dyn FnMut(&[u8]),
) -> Result<(), Refusal> {
    let length = usize::try_from(head.length).map_err(|_| Refusal::TooLarge)?;
    begun.truncate(length);
    take(begun);
    let mut left = length - begun.len();
    let mut chunk = vec![0; 64 << 10];
    while left > 0 {
        let room = chunk.len().min(left);
        match read(stream, &mut chunk[..room])? {
            0 => return Err(Refusal::Incomplete),
            count => {
                take(&chunk[..count]);
                left -= count;
            }
        }
    }
    Ok(())
}

fn read(stream: &mut impl Read, buffer: &mut [u8]) -> Result<usize, Refusal> {
    loop {
        match stream.read(buffer) {
            Ok(count) => return Ok(count),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => return Err(Refusal::Incomplete),
        }
    }
}

/// The head and where it ends; nothing while it is not complete.
fn parse(buffer: &[u8]) -> Result<Option<(Head, usize)>, Refusal> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    let end = match request.parse(buffer) {
        Ok(httparse::Status::Complete(end)) => end,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => return Err(Refusal::HeadTooLarge),
        Err(_) => return Err(Refusal::Syntax),
    };
    if request.method != Some("POST") {
        return Err(Refusal::Method);
    }
    let headers = request.headers.iter().map(|header| {
        let value = std::str::from_utf8(header.value).map_err(|_| Refusal::Syntax)?;
        Ok((header.name.to_ascii_lowercase(), value.trim().to_owned()))
    });
    let mut head = Head {
        path: request.path.unwrap_or_default().to_owned(),
        headers: headers.collect::<Result<_, Refusal>>()?,
        length: 0,
    };
    head.length = length(&head)?;
    Ok(Some((head, end)))
}

fn length(head: &Head) -> Result<u64, Refusal> {
    let is_chunked = head
        .headers
        .iter()
        .any(|(name, _)| name == "transfer-encoding");
    let value = head
        .get("content-length")
        .filter(|_| !is_chunked)
        .ok_or(Refusal::Length)?;
    let digits = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
    match value.parse() {
        Ok(length) if digits && length <= BODY => Ok(length),
        _ if digits => Err(Refusal::TooLarge),
        _ => Err(Refusal::Syntax),
    }
}
