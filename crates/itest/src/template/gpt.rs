//! A partition table with one partition, as the UEFI specification, section 5.3, says.

use anyhow::Result;
use std::fs::File;
use std::os::unix::fs::FileExt;

/// Where the partition begins, and what is free behind it.
pub(super) const ALIGN: u64 = 1 << 20;
const SECTOR: u64 = 512;
/// Entries of the table, and their size.
const ENTRIES: u32 = 128;
const ENTRY: u32 = 128;

/// Root partition of x86-64, Discoverable Partitions Specification: 4f68bce3-e8cd-4db1-96e7-fbcaf984b709.
const ROOT: [u8; 16] = [
    0xe3, 0xbc, 0x68, 0x4f, 0xcd, 0xe8, 0xb1, 0x4d, 0x96, 0xe7, 0xfb, 0xca, 0xf9, 0x84, 0xb7, 0x09,
];
/// Names of the disk and of the partition, the same in every build.
const DISK: [u8; 16] = *b"bitbuilder-disk1";
const PARTITION: [u8; 16] = *b"bitbuilder-root1";
/// Grow the file system at the first mount: bit 59 of the attributes.
const GROW: u64 = 1 << 59;

/// Writes both tables of a disk whose partition is `length` bytes long.
pub(super) fn write(disk: &File, length: u64) -> Result<()> {
    let sectors = disk.metadata()?.len() / SECTOR;
    let (first, last) = (ALIGN / SECTOR, (ALIGN + length) / SECTOR - 1);
    let mut entries = Vec::new();
    entries.extend(ROOT);
    entries.extend(PARTITION);
    for number in [first, last, GROW] {
        entries.extend(number.to_le_bytes());
    }
    entries.extend("root-x86-64".encode_utf16().flat_map(u16::to_le_bytes));
    let size = u64::from(ENTRIES * ENTRY);
    entries.resize(usize::try_from(size)?, 0);
    let behind = sectors - 1 - size / SECTOR;
    disk.write_all_at(&protective(sectors), 0)?;
    disk.write_all_at(&header(&entries, 1, sectors, 2), SECTOR)?;
    disk.write_all_at(&entries, 2 * SECTOR)?;
    disk.write_all_at(&entries, behind * SECTOR)?;
    let last = sectors - 1;
    disk.write_all_at(&header(&entries, last, sectors, behind), last * SECTOR)?;
    Ok(())
}

/// An old table that says: all of it is in use.
fn protective(sectors: u64) -> [u8; 512] {
    let mut mbr = [0; 512];
    let length = u32::try_from(sectors - 1).unwrap_or(u32::MAX);
    mbr[446..458].copy_from_slice(&[0, 0, 2, 0, 0xee, 0xff, 0xff, 0xff, 1, 0, 0, 0]);
    mbr[458..462].copy_from_slice(&length.to_le_bytes());
    mbr[510..].copy_from_slice(&[0x55, 0xaa]);
    mbr
}

fn header(entries: &[u8], own: u64, sectors: u64, table: u64) -> Vec<u8> {
    let reserved = u64::from(ENTRIES * ENTRY) / SECTOR;
    let other = if own == 1 { sectors - 1 } else { 1 };
    let mut header = Vec::new();
    header.extend(b"EFI PART");
    header.extend([0, 0, 1, 0, 92, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    for number in [own, other, 2 + reserved, sectors - 2 - reserved] {
        header.extend(number.to_le_bytes());
    }
    header.extend(DISK);
    header.extend(table.to_le_bytes());
    for number in [ENTRIES, ENTRY, crc32(entries)] {
        header.extend(number.to_le_bytes());
    }
    let checksum = crc32(&header);
    header[16..20].copy_from_slice(&checksum.to_le_bytes());
    header
}

/// The checksum of Ethernet.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg())
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_those_of_the_catalogue() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn headers_point_at_each_other() {
        let entries = [0; 128 * 128];
        let (first, last) = (
            header(&entries, 1, 4096, 2),
            header(&entries, 4095, 4096, 4063),
        );
        assert_eq!(first.len(), 92);
        assert_eq!(
            (&first[24..32], &first[32..40]),
            (&last[32..40], &last[24..32])
        );
        assert_eq!(first[40..72], last[40..72]);
    }
}
