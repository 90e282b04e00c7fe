//! Ends a run at a chosen effect, as `kill -9` would: nothing after it happens.
//!
//! [`at`] unwinds the calling thread and is for runs of one thread; [`kill_process_at`] aborts, for a process that a
//! test made for this.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicI64, Ordering};

/// What unwinds.
struct Crash;

thread_local! {
    /// Effects that still happen in this thread.
    static LEFT: Cell<Option<u64>> = const { Cell::new(None) };
    /// Effects that happened in this thread since [`count`] began.
    static SEEN: Cell<u64> = const { Cell::new(0) };
    /// What happens is another process's doing: the manager's.
    static ELSEWHERE: Cell<bool> = const { Cell::new(false) };
}

/// Effects that still happen in this process; negative: all.
static PROCESS: AtomicI64 = AtomicI64::new(-1);

pub(crate) fn point() {
    if ELSEWHERE.get() {
        return;
    }
    SEEN.set(SEEN.get() + 1);
    if PROCESS.load(Ordering::SeqCst) >= 0 && PROCESS.fetch_sub(1, Ordering::SeqCst) == 0 {
        std::process::abort();
    }
    match LEFT.get() {
        Some(0) => {
            LEFT.set(None);
            resume_unwind(Box::new(Crash));
        }
        left => LEFT.set(left.map(|left| left - 1)),
    }
}

/// Runs `body` with `effects` effects; `None` when there were more.
pub(crate) fn at<T>(effects: u64, body: impl FnOnce() -> T) -> Option<T> {
    LEFT.set(Some(effects));
    let result = catch_unwind(AssertUnwindSafe(body));
    LEFT.set(None);
    match result {
        Ok(value) => Some(value),
        Err(payload) if payload.is::<Crash>() => {
            ELSEWHERE.set(false);
            None
        }
        Err(payload) => resume_unwind(payload),
    }
}

/// Runs `body` and counts its effects.
pub(crate) fn count<T>(body: impl FnOnce() -> T) -> (T, u64) {
    SEEN.set(0);
    let value = body();
    (value, SEEN.get())
}

/// Lets this process, all its threads together, have `effects` more effects.
pub(crate) fn kill_process_at(effects: i64) {
    PROCESS.store(effects, Ordering::SeqCst);
}

/// Whether what happens is another process's doing.
pub(super) fn is_elsewhere() -> bool {
    ELSEWHERE.get()
}

/// Runs `body`, which another process would do: it does not end with this one.
pub(crate) fn elsewhere<T>(body: impl FnOnce() -> T) -> T {
    let before = ELSEWHERE.replace(true);
    let value = body();
    ELSEWHERE.set(before);
    value
}
