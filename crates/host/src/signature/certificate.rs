//! Fingerprints of OpenPGP certificates: what they are known by, RFC 9580. All else about them is the verifier's.

use bitbuilder_core::digest::sha256;
use bitbuilder_core::signature::decode_base64;

const BEGIN: &str = "-----BEGIN PGP PUBLIC KEY BLOCK-----";
const END: &str = "-----END PGP PUBLIC KEY BLOCK-----";
/// Packet type of a primary key.
const PUBLIC_KEY: u8 = 6;

/// Fingerprints of the certificates in `armor`, lower-case hex; empty when it cannot be read.
pub(super) fn fingerprints(armor: &str) -> Vec<String> {
    let mut found = Vec::new();
    for block in armor.split(BEGIN).skip(1) {
        let bytes = block.split_once(END).and_then(|(body, _)| decode(body));
        let mut rest = bytes.as_deref().unwrap_or_default();
        while let Some((kind, body, after)) = packet(rest) {
            if kind == PUBLIC_KEY {
                found.extend(fingerprint(body));
            }
            rest = after;
        }
    }
    found
}

/// The bytes of an armored block: headers, an empty line, base64, and a checksum that begins with `=`.
fn decode(block: &str) -> Option<Vec<u8>> {
    let mut lines = block.lines().map(str::trim);
    lines.by_ref().find(|line| line.is_empty())?;
    let data: String = lines.take_while(|line| !line.starts_with('=')).collect();
    decode_base64(data.as_bytes())
}

/// Type and body of the first packet, and what follows it. Keys have no partial lengths.
fn packet(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&header, rest) = bytes.split_first()?;
    let (kind, width) = match (header & 0x80, header & 0x40) {
        (0, _) => return None,
        // The old form: two bits say how wide the length is.
        (_, 0) => (header >> 2 & 0x0f, *[1, 2, 4].get(usize::from(header & 3))?),
        _ => {
            let width = match rest.first()? {
                0..=191 => 1,
                192..=223 => 2,
                255 => 5,
                _ => return None,
            };
            (header & 0x3f, width)
        }
    };
    let (length, rest) = rest.split_at_checked(width)?;
    let length = match (header & 0x40 != 0, length) {
        (true, [high, low]) => (usize::from(*high) - 192) * 256 + usize::from(*low) + 192,
        (true, [_, length @ ..]) if width == 5 => big_endian(length),
        (_, length) => big_endian(length),
    };
    let (body, rest) = rest.split_at_checked(length)?;
    Some((kind, body, rest))
}

fn big_endian(bytes: &[u8]) -> usize {
    bytes
        .iter()
        .fold(0, |number, byte| number << 8 | usize::from(*byte))
}

fn fingerprint(body: &[u8]) -> Option<String> {
    let length = u32::try_from(body.len()).ok()?.to_be_bytes();
    match body.first()? {
        4 => {
            let mut hasher = gix::hash::hasher(gix::hash::Kind::Sha1);
            hasher.update(&[0x99]);
            hasher.update(&length[2..]);
            hasher.update(body);
            hasher.try_finalize().ok().map(|id| id.to_string())
        }
        6 => Some(sha256(&[&[0x9b], length.as_slice(), body].concat())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_certificate_has_no_fingerprint() {
        for armor in [
            "",
            BEGIN,
            "x",
            &format!("{BEGIN}\n\n====\n{END}"),
            &format!("{BEGIN}\n\nxjM=\n{END}"),
        ] {
            assert_eq!(fingerprints(armor), Vec::<String>::new(), "{armor}");
        }
    }

    #[test]
    fn hostile_packets_end() {
        for bytes in [
            &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 4][..],
            &[0x9b, 1],
            &[0xc6, 192],
            &[0xc6, 230],
        ] {
            assert_eq!(packet(bytes), None, "{bytes:?}");
        }
    }
}
