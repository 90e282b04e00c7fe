use super::*;
use std::sync::mpsc;
use std::thread;

fn host() -> (tempfile::TempDir, HostRoot) {
    let dir = tempfile::tempdir().unwrap();
    let root = HostRoot::new(dir.path());
    (dir, root)
}

fn record(time: u64) -> Record {
    Record {
        time,
        tenant: Some(Name::new("shop").unwrap()),
        event: HistoryEvent::Deployed {
            generation: time,
            commit: "c".repeat(40),
            signer: None,
            subject: "Say \"hello\"\nand more".into(),
        },
    }
}

fn times(records: &[Record]) -> Vec<u64> {
    records.iter().map(|record| record.time).collect()
}

#[test]
fn lines_go_round() {
    let (_dir, root) = host();
    assert_eq!(read(&root).unwrap(), []);
    let other = Record {
        time: 2,
        tenant: None,
        event: HistoryEvent::Resumed,
    };
    append(&root, &record(1)).unwrap();
    append(&root, &other).unwrap();
    assert_eq!(read(&root).unwrap(), [record(1), other]);
    let text = fs::read_to_string(path(&root)).unwrap();
    assert_eq!(text.lines().count(), 2);
    assert!(text.contains(r#""event":"deployed""#), "{text}");
}

#[test]
fn a_line_that_a_crash_cut_off_spoils_no_other() {
    let (_dir, root) = host();
    append(&root, &record(1)).unwrap();
    let mut file = OpenOptions::new().append(true).open(path(&root)).unwrap();
    file.write_all(br#"{"time":2,"ten"#).unwrap();
    assert_eq!(times(&read(&root).unwrap()), [1]);
    append(&root, &record(3)).unwrap();
    assert_eq!(times(&read(&root).unwrap()), [1, 3]);
}

#[test]
fn the_older_half_goes() {
    let (_dir, root) = host();
    append(&root, &record(1)).unwrap();
    let line = fs::read(path(&root)).unwrap();
    let lines = usize::try_from(LIMIT).unwrap() / line.len();
    fs::write(path(&root), line.repeat(lines)).unwrap();
    append(&root, &record(2)).unwrap();
    append(&root, &record(3)).unwrap();
    let records = read(&root).unwrap();
    assert!(records.len() < lines * 6 / 10, "{}", records.len());
    assert!(records.len() > lines * 4 / 10, "{}", records.len());
    assert_eq!(times(&records[records.len() - 3..]), [1, 2, 3]);
}

#[test]
fn writers_at_once_lose_nothing() {
    let (_dir, root) = host();
    thread::scope(|scope| {
        for writer in 0..4 {
            let root = &root;
            scope.spawn(move || {
                for line in 0..50 {
                    append(root, &record(writer * 50 + line)).unwrap();
                }
            });
        }
    });
    let mut found = times(&read(&root).unwrap());
    found.sort_unstable();
    assert_eq!(found, (0..200).collect::<Vec<_>>());
}

#[test]
fn follows_over_the_loss_of_the_older_half() {
    let (_dir, root) = host();
    append(&root, &record(1)).unwrap();
    let (told, tells) = mpsc::channel();
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut say = |record: Record| {
                told.send(record.time).unwrap();
                record.time < 4
            };
            let (_reader, writer) = std::io::pipe().unwrap();
            follow(&root, writer, &mut say).unwrap();
        });
        assert_eq!(tells.recv().unwrap(), 1);
        append(&root, &record(2)).unwrap();
        assert_eq!(tells.recv().unwrap(), 2);
        let half = fs::read(path(&root)).unwrap();
        let second = &half[half.len() / 2..];
        atomic::write(&path(&root), second, 0o644).unwrap();
        append(&root, &record(3)).unwrap();
        append(&root, &record(4)).unwrap();
        assert_eq!(tells.recv().unwrap(), 3);
        assert_eq!(tells.recv().unwrap(), 4);
    });
}

#[test]
fn who_listens_no_more_is_not_followed_for() {
    let directory = tempfile::tempdir().unwrap();
    let root = HostRoot::new(directory.path());
    append(&root, &record(1)).unwrap();
    let (reader, writer) = std::io::pipe().unwrap();
    let mut reader = Some(reader);
    // Its reader goes after the first line; nothing else happens.
    let mut say = |_| {
        reader.take();
        true
    };
    follow(&root, writer, &mut say).unwrap();
    assert!(reader.is_none());
}
