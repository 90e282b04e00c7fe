//! What a fetch that was killed, or that found no space, left in a mirror. Nobody else would take it away: locks would keep
//! every later fetch from moving a reference, and each try on a full disk would leave another half of a pack.

use std::fs;
use std::path::Path;

/// Removes it. Whoever calls it has the mirror's lock, so that no fetch goes on. What cannot be removed does no more harm than
/// before, and the fetch says what is wrong with the disk.
pub(super) fn sweep(mirror: &Path) {
    let is_lock = |name: &str| name.ends_with(".lock");
    // git's tempfile names: tmp_pack_*, tmp_idx_*, tmp_rev_*, tmp_obj_*.
    let is_temporary = |name: &str| name.starts_with("tmp_");
    remove(mirror, 0, &is_lock);
    remove(&mirror.join("refs"), usize::MAX, &is_lock);
    remove(&mirror.join("objects"), 1, &is_temporary);
}

/// Removes the files below `directory` whose names are `unwanted`, down to `depth` directories below it.
fn remove(directory: &Path, depth: usize, unwanted: &dyn Fn(&str) -> bool) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let is_directory = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if is_directory && depth > 0 {
            remove(&entry.path(), depth - 1, unwanted);
        } else if !is_directory && entry.file_name().to_str().is_some_and(unwanted) {
            let _ = fs::remove_file(entry.path());
        }
    }
}
