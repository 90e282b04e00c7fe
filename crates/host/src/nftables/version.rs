//! The generation of the kernel's packet rules: another number after each change.
//!
//! nft(8) does not print it; one message of netlink(7) asks for it, linux/netfilter/nf_tables.h.

use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink};
use rustix::net::{recv, send, socket_with};

/// `NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETGEN`.
const ASK: u16 = 10 << 8 | 16;
/// `NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWGEN`.
const ANSWER: u16 = 10 << 8 | 15;
/// `NLM_F_REQUEST`.
const REQUEST: u16 = 1;
/// `NFTA_GEN_ID`.
const ID: u16 = 1;
/// A header of netlink, and one of netfilter behind it.
const HEADERS: usize = 16 + 4;

/// The number; `None` when the kernel does not tell.
pub fn version() -> Option<u32> {
    let flags = SocketFlags::CLOEXEC;
    let protocol = Some(netlink::NETFILTER);
    let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, protocol).ok()?;
    send(&socket, &question(), SendFlags::empty()).ok()?;
    let mut answer = [0u8; 4096];
    let (length, _) = recv(&socket, &mut answer, RecvFlags::DONTWAIT).ok()?;
    read(answer.get(..length)?)
}

fn question() -> [u8; HEADERS] {
    let mut message = [0; HEADERS];
    message[0..4].copy_from_slice(&(HEADERS as u32).to_ne_bytes());
    message[4..6].copy_from_slice(&ASK.to_ne_bytes());
    message[6..8].copy_from_slice(&REQUEST.to_ne_bytes());
    message
}

/// Attributes are length, kind and value, each at a multiple of four.
fn read(answer: &[u8]) -> Option<u32> {
    let short = |at: usize| Some(u16::from_ne_bytes(answer.get(at..at + 2)?.try_into().ok()?));
    if short(4)? != ANSWER {
        return None;
    }
    let mut at = HEADERS;
    loop {
        let (length, kind) = (usize::from(short(at)?), short(at + 2)?);
        if kind == ID {
            let value = answer.get(at + 4..at + 8)?;
            return Some(u32::from_be_bytes(value.try_into().ok()?));
        }
        at += length.max(4).next_multiple_of(4);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_is_found_behind_others() {
        let mut answer = [0u8; HEADERS + 16];
        answer[4..6].copy_from_slice(&ANSWER.to_ne_bytes());
        let attribute = |answer: &mut [u8], at: usize, kind: u16, value: u32| {
            answer[at..at + 2].copy_from_slice(&8u16.to_ne_bytes());
            answer[at + 2..at + 4].copy_from_slice(&kind.to_ne_bytes());
            answer[at + 4..at + 8].copy_from_slice(&value.to_be_bytes());
        };
        attribute(&mut answer, HEADERS, 2, 9);
        assert_eq!(read(&answer[..HEADERS + 8]), None);
        attribute(&mut answer, HEADERS + 8, ID, 77);
        assert_eq!(read(&answer), Some(77));
        assert_eq!(read(&question()), None);
        assert_eq!(read(&[]), None);
    }
}
