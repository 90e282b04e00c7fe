//! The kernel inside a bzImage: QEMU starts it without the code that unpacks it, which takes seconds where there is no KVM.

use anyhow::{Context, Result, bail, ensure};
use std::io::Write;
use std::process::{Command, Stdio};

/// Fields of the header, boot.rst of the kernel's documentation.
const SETUP_SECTORS: usize = 0x1f1;
const PAYLOAD_OFFSET: usize = 0x248;
const PAYLOAD_LENGTH: usize = 0x24c;

/// The ELF file that is packed in `image`.
///
/// # Errors
/// It is no bzImage, or packed in an unknown way.
pub(super) fn unpacked(image: &[u8]) -> Result<Vec<u8>> {
    let payload = payload(image).context("the kernel is no bzImage")?;
    let unpack = match payload {
        [0x28, 0xb5, 0x2f, 0xfd, ..] => ["zstd", "-qdc"],
        [0xfd, b'7', b'z', b'X', b'Z', ..] => ["xz", "-dc"],
        [0x1f, 0x8b, ..] => ["gzip", "-dc"],
        _ => bail!("the kernel is packed in an unknown way"),
    };
    let mut child = Command::new(unpack[0])
        .arg(unpack[1])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .with_context(|| format!("cannot start {}", unpack[0]))?;
    let mut input = child.stdin.take().context("no pipe")?;
    let payload = payload.to_vec();
    let feed = std::thread::spawn(move || input.write_all(&payload));
    // The length of the unpacked kernel, which is behind it, is no part of the stream: tools complain, and are right.
    let output = child.wait_with_output()?;
    let _ = feed.join();
    ensure!(
        output.stdout.starts_with(b"\x7fELF"),
        "the kernel cannot be unpacked"
    );
    Ok(output.stdout)
}

fn payload(image: &[u8]) -> Option<&[u8]> {
    let word = |at: usize| {
        let bytes: [u8; 4] = image.get(at..at + 4)?.try_into().ok()?;
        usize::try_from(u32::from_le_bytes(bytes)).ok()
    };
    let sectors = usize::from(*image.get(SETUP_SECTORS)?);
    let start = (sectors.max(1) + 1) * 512 + word(PAYLOAD_OFFSET)?;
    image.get(start..start + word(PAYLOAD_LENGTH)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_kernel_is_refused() {
        assert!(unpacked(b"").is_err());
        assert!(unpacked(&[0; 4096]).is_err());
        assert_eq!(payload(&[0xff; 4096]), None);
    }
}
