//! Runs in a VM host: does what comes over its channels. See `bitbuilder_itest::vm::protocol`.
//!
//! Linked statically and started first of all: it has to work on a host that does not boot.

use bitbuilder_itest::vm::protocol::{FRAME, Frame};
use rustix::process::{Pid, Signal};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// A port without a client says so at once and cannot be waited for. To open one costs the kernel a busy wait for QEMU.
const NO_CLIENT: Duration = Duration::from_millis(100);

fn main() -> ExitCode {
    let ports = match ports() {
        Ok(ports) if !ports.is_empty() => ports,
        found => {
            eprintln!("no channels: {found:?}");
            return ExitCode::FAILURE;
        }
    };
    let serving = ports
        .into_iter()
        .map(|port| thread::spawn(move || serve(&port)));
    for thread in serving.collect::<Vec<_>>() {
        let _ = thread.join();
    }
    ExitCode::FAILURE
}

/// Device nodes of the ports called `bed.N`; the links in `/dev/virtio-ports/` come later, with udev.
fn ports() -> io::Result<Vec<String>> {
    let mut ports = Vec::new();
    for entry in fs::read_dir("/sys/class/virtio-ports")? {
        let entry = entry?;
        if fs::read_to_string(entry.path().join("name"))?.starts_with("bed.") {
            ports.push(format!("/dev/{}", entry.file_name().to_string_lossy()));
        }
    }
    Ok(ports)
}

/// One client after the other.
fn serve(port: &str) {
    loop {
        let channel = File::options().read(true).write(true).open(port);
        while let Ok(channel) = &channel {
            match session(channel) {
                // Opened anew: closing discards what was not understood.
                Err(error) if error.kind() == io::ErrorKind::InvalidData => break,
                _ => thread::sleep(NO_CLIENT),
            }
        }
        thread::sleep(NO_CLIENT);
    }
}

/// Until the client is gone or says what is not a frame.
fn session(channel: &File) -> io::Result<()> {
    let mut running: Option<Running> = None;
    loop {
        match Frame::read_from(channel) {
            Ok(Frame::Hello(nonce)) => {
                running = None;
                Frame::Welcome(nonce).write_to(channel)?;
            }
            Ok(Frame::Run(words)) => {
                // The one before has to be silent before the next one speaks.
                drop(running.take());
                running = Running::start(words, channel.try_clone()?);
            }
            Ok(Frame::Input(bytes)) => running
                .iter()
                .for_each(|running| running.feed(bytes.clone())),
            Ok(Frame::InputEnd) => running.iter().for_each(|running| running.feed(Vec::new())),
            Ok(_) => return Err(io::Error::from(io::ErrorKind::InvalidData)),
            Err(error) => return Err(error),
        }
    }
}

/// Where the frames of one command go; nowhere once it was given up.
#[derive(Clone)]
struct Answers(Arc<Mutex<Option<File>>>);

impl Answers {
    fn say(&self, frame: &Frame) -> io::Result<()> {
        let channel = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match channel.as_ref() {
            Some(channel) => frame.write_to(channel),
            None => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }

    fn close(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// A command that was started. Dropped, it is killed with its process group unless it has ended.
struct Running {
    group: Option<Pid>,
    answers: Answers,
    /// Its input; an empty piece is the end.
    input: Sender<Vec<u8>>,
    ended: Arc<Mutex<bool>>,
}

impl Running {
    fn start(words: Vec<Vec<u8>>, channel: File) -> Option<Self> {
        let answers = Answers(Arc::new(Mutex::new(Some(channel))));
        let mut child = match spawn(words) {
            Ok(child) => child,
            Err(error) => {
                let _ = answers.say(&Frame::Refused(error.to_string()));
                return None;
            }
        };
        let ended = Arc::new(Mutex::new(false));
        let (input, pieces) = mpsc::channel();
        let stdin = child.stdin.take();
        let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        let taken = answers.clone();
        thread::spawn(move || write_input(stdin, &pieces, &taken));
        let streams = [
            forward(child.stdout.take(), Frame::Output, answers.clone()),
            forward(child.stderr.take(), Frame::Error, answers.clone()),
        ];
        let (last, done) = (answers.clone(), Arc::clone(&ended));
        thread::spawn(move || {
            let status = child.wait().map_or(-1, ExitStatusExt::into_raw);
            *done.lock().unwrap_or_else(PoisonError::into_inner) = true;
            for stream in streams {
                let _ = stream.join();
            }
            last.say(&Frame::Ended(status))
        });
        Some(Self {
            group,
            answers,
            input,
            ended,
        })
    }

    fn feed(&self, piece: Vec<u8>) {
        let _ = self.input.send(piece);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.answers.close();
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        if let (false, Some(group)) = (*ended, self.group) {
            let _ = rustix::process::kill_process_group(group, Signal::KILL);
        }
    }
}

fn spawn(words: Vec<Vec<u8>>) -> io::Result<Child> {
    let mut words = words.into_iter().map(std::ffi::OsString::from_vec);
    Command::new(words.next().unwrap_or_default())
        .args(words)
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
}

/// Writes pieces of input until the empty one; says how much was taken, also by a command that reads no more.
fn write_input(mut stdin: Option<impl Write>, pieces: &mpsc::Receiver<Vec<u8>>, answers: &Answers) {
    for piece in pieces {
        if piece.is_empty() {
            return;
        }
        if stdin
            .as_mut()
            .is_some_and(|stdin| stdin.write_all(&piece).is_err())
        {
            stdin = None;
        }
        let length = u32::try_from(piece.len()).unwrap_or_default();
        if answers.say(&Frame::Taken(length)).is_err() {
            return;
        }
    }
}

/// Sends what comes out of `stream`; a client that is gone does not stop the command from writing.
fn forward(
    stream: Option<impl Read + Send + 'static>,
    frame: fn(Vec<u8>) -> Frame,
    answers: Answers,
) -> JoinHandle<()> {
    thread::spawn(move || {
        let Some(mut stream) = stream else { return };
        let mut buffer = vec![0; FRAME];
        while let Ok(length @ 1..) = stream.read(&mut buffer) {
            let _ = answers.say(&frame(buffer[..length].to_vec()));
        }
    })
}
