//! `bare-calls CALLS DIRECTORY`: makes the directories and links that the file CALLS lists, below DIRECTORY, and nothing
//! else: what any program that leaves this tree must at least do.
//!
//! CALLS is a sequence of fields that end with NUL: `<directory>`, empty; or `<link>`, `<target>`.

use rustix::fs::{CWD, Mode, OFlags};
use std::ffi::CStr;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args_os().skip(1);
    let (Some(calls), Some(directory)) = (arguments.next(), arguments.next()) else {
        return Err("usage: bare-calls CALLS DIRECTORY".into());
    };
    let calls = std::fs::read(calls)?;
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let directory = rustix::fs::openat(CWD, directory, flags, Mode::empty())?;
    let mut rest = calls.as_slice();
    while !rest.is_empty() {
        let path = field(&mut rest)?;
        let target = field(&mut rest)?;
        if target.is_empty() {
            rustix::fs::mkdirat(&directory, path, Mode::from_raw_mode(0o755))?;
        } else {
            rustix::fs::symlinkat(target, &directory, path)?;
        }
    }
    Ok(())
}

fn field<'a>(rest: &mut &'a [u8]) -> Result<&'a CStr, std::ffi::FromBytesUntilNulError> {
    let field = CStr::from_bytes_until_nul(rest)?;
    *rest = &rest[field.count_bytes() + 1..];
    Ok(field)
}
