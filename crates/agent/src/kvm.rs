//! Whether a guest really runs with KVM: `/dev/kvm` may be there and not work, or work and hang.

use crate::child;
use crate::console::Console;
use crate::failure::Result;
use anyhow::Context;
use bitbuilder_host::atomic;
use bitbuilder_host::host::Host;
use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

/// Longest time for a guest of three instructions.
const LIMIT: Duration = Duration::from_secs(20);
/// Smallest firmware that QEMU takes.
const FIRMWARE: usize = 64 << 10;
/// What an x86 processor executes first, 16 bytes below the end: `mov al, 16; out 0xf4, al; hlt; jmp .-1`.
const START: [u8; 7] = [0xb0, 0x10, 0xe6, 0xf4, 0xf4, 0xeb, 0xfd];
/// Exit status of QEMU when a guest writes 16 to isa-debug-exit.
const RAN: i32 = 16 << 1 | 1;

/// Starts a guest with the `accelerator`, and says whether it ran. For KVM the answer is kept until the next boot, and
/// becomes a fact of the host.
///
/// # Errors
/// When the answer cannot be kept.
pub fn probe(host: &dyn Host, accelerator: &str, console: &Console) -> Result {
    let verdict = guest(accelerator);
    match &verdict {
        Ok(()) => console.say(&format!("a guest runs with {accelerator}")),
        Err(error) => console.say(&format!("no guest runs with {accelerator}: {error:#}")),
    }
    if accelerator == "kvm" {
        let word = if verdict.is_ok() { "yes\n" } else { "no\n" };
        atomic::write(&host.root().kvm(), word.as_bytes(), 0o644)?;
    }
    Ok(())
}

fn guest(accelerator: &str) -> anyhow::Result<()> {
    let directory = std::env::temp_dir().join(format!("bitbuilder-kvm-{}", std::process::id()));
    fs::create_dir(&directory).with_context(|| directory.display().to_string())?;
    let firmware = directory.join("firmware");
    let mut code = vec![0xf4; FIRMWARE - 16];
    code.extend(START);
    code.resize(FIRMWARE, 0xf4);
    let ran = fs::write(&firmware, code)
        .map_err(Into::into)
        .and_then(|()| {
            let mut qemu = Command::new("qemu-system-x86_64");
            qemu.args(["-accel", accelerator, "-machine", "pc", "-m", "16M"])
                .args(["-nodefaults", "-display", "none", "-no-reboot"])
                .args(["-device", "isa-debug-exit,iobase=0xf4,iosize=1", "-bios"])
                .arg(&firmware)
                .stdin(Stdio::null());
            let answer = child::run(qemu, LIMIT, 4096).context("qemu-system-x86_64")?;
            let said = String::from_utf8_lossy(&answer.output);
            let status = answer.status.context("it hangs")?;
            anyhow::ensure!(status.code() == Some(RAN), "{status}: {}", said.trim());
            Ok(())
        });
    // In a directory of this service's own, which goes with it.
    let _ = fs::remove_dir_all(&directory);
    ran
}
