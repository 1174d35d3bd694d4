//! Disks that fail and machines that stop.

use std::fs::{self, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::FileExt;

use ident::Signal;

use super::world::{FileWorld, read};
use super::{batch, batch_of};
use crate::conformance::{World, items};
use crate::destination::{Class, Destination};
use crate::disk::Op;
use crate::file::{Compression, Format};

const FORMATS: [(Format, Compression); 4] = [
    (Format::Json, Compression::None),
    (Format::Json, Compression::Zstd),
    (Format::Proto, Compression::None),
    (Format::Proto, Compression::Zstd),
];

/// Guarantees: RESTARTABLE; wherever a crash tears the last write, what was acknowledged before
/// stays, the torn end goes, and what is written next can be read.
#[tokio::test]
async fn a_torn_end_is_repaired_at_every_byte() {
    for (format, compression) in FORMATS {
        let world = FileWorld::new(format, compression);
        let path = world.current("acme", Signal::Traces);
        let (first, first_items) = batch("acme", Signal::Traces, 0);
        let (second, second_items) = batch("acme", Signal::Traces, 1);
        let (third, third_items) = batch("acme", Signal::Traces, 2);
        world.files().send(&first).await.unwrap();
        let sound = fs::read(&path).unwrap().len();
        world.files().send(&second).await.unwrap();
        let whole = fs::read(&path).unwrap();
        for cut in sound..whole.len() {
            // Cut short, and with a page of zeros where the bytes never arrived.
            for zeros in [0, 4096] {
                // A message has no checksum: zeros within a string are text, too.
                if (format, compression, zeros) == (Format::Proto, Compression::None, 4096)
                    && cut >= sound + 4
                {
                    continue;
                }
                let mut torn = whole[..cut].to_vec();
                torn.extend(vec![0; zeros]);
                fs::write(&path, &torn).unwrap();
                world.files().send(&third).await.unwrap();
                let found = read(
                    &fs::read(&path).unwrap(),
                    Signal::Traces,
                    format,
                    compression,
                );
                let expected = [first_items.clone(), third_items.clone()];
                assert_eq!(found, expected, "{format:?} {compression:?} at {cut}");
            }
        }
        fs::write(&path, &whole).unwrap();
        world.files().send(&third).await.unwrap();
        let found = read(
            &fs::read(&path).unwrap(),
            Signal::Traces,
            format,
            compression,
        );
        assert_eq!(found, [first_items, second_items, third_items]);
    }
}

/// Guarantees: a write of which a part reached the disk leaves no trace, even if at first it
/// cannot be taken back.
#[tokio::test]
async fn half_a_write_is_taken_back() {
    for (format, compression) in FORMATS {
        for stuck in [false, true] {
            let world = FileWorld::new(format, compression);
            let files = world.files();
            let (first, first_items) = batch("acme", Signal::Logs, 0);
            let (second, second_items) = batch("acme", Signal::Logs, 1);
            files.send(&first).await.unwrap();
            world.fail(Op::Write, (ErrorKind::StorageFull, 25));
            if stuck {
                world.fail(Op::Truncate, (ErrorKind::Other, 0));
            }
            for _ in 0..3 {
                let failure = files.send(&second).await.unwrap_err();
                assert_eq!(failure.class, Class::Transient);
            }
            world.heal();
            files.send(&second).await.unwrap();
            let bytes = fs::read(world.current("acme", Signal::Logs)).unwrap();
            let found = read(&bytes, Signal::Logs, format, compression);
            assert_eq!(found, [first_items, second_items]);
        }
    }
}

/// Guarantees: whatever operation fails, the request is not taken; when the disk is well again it
/// is, once, and nothing that was there is lost.
#[tokio::test]
async fn every_operation_may_fail() {
    let operations = [
        Op::MakeDir,
        Op::Open,
        Op::Write,
        Op::Sync,
        Op::Truncate,
        Op::Rename,
    ];
    for op in operations {
        let mut world = FileWorld::new(Format::Json, Compression::None);
        // The second request begins a new file.
        world.config.rotate_bytes = 1;
        let mut files = world.files();
        for number in 0..4 {
            let (batch, _) = batch("acme", Signal::Logs, number);
            world.fail(op, (ErrorKind::Other, 7));
            let mut taken = files.send(&batch).await.is_ok();
            world.heal();
            if number == 2 {
                drop(files);
                files = world.files();
            }
            if !taken {
                taken = files.send(&batch).await.is_ok();
            }
            assert!(taken, "{op:?}");
        }
        let mut ids: Vec<String> = world
            .taken()
            .into_iter()
            .flat_map(|taken| taken.items)
            .map(|item| item.id)
            .collect();
        ids.sort();
        let expected: Vec<String> = (0..4).map(|i| format!("acme/logs/{i}")).collect();
        assert_eq!(ids, expected, "{op:?}");
    }
}

/// Guarantees: what stands in the way says so, with what to do, and costs no data.
#[tokio::test]
async fn a_folder_that_cannot_be_made_says_so() {
    let world = FileWorld::new(Format::Json, Compression::None);
    let in_the_way = world.dir.path().join("deep");
    fs::write(&in_the_way, "a file").unwrap();
    let files = world.files();
    let (batch, _) = batch("acme", Signal::Logs, 0);
    let failure = files.send(&batch).await.unwrap_err();
    assert_eq!(failure.class, Class::Misconfigured, "{failure:?}");
    assert!(failure.summary().contains("hint:"), "{failure:?}");
    assert!(failure.summary().contains("deep"), "{failure:?}");
    fs::remove_file(in_the_way).unwrap();
    files.send(&batch).await.unwrap();
    assert_eq!(world.taken().len(), 1);
}

/// Guarantees: two shippers never write into one file, where each would overwrite the other.
#[tokio::test]
async fn a_file_has_one_writer() {
    let mut world = FileWorld::new(Format::Json, Compression::None);
    world.config.rotate_bytes = 1;
    let (one, other) = (world.files(), world.files());
    let sends = [&one, &one, &other];
    for (number, files) in sends.into_iter().enumerate() {
        let (batch, _) = batch("acme", Signal::Logs, number as u64);
        let sent = files.send(&batch).await;
        match number {
            2 => {
                let failure = sent.unwrap_err();
                assert!(failure.summary().contains("in use"), "{failure:?}");
                assert_ne!(failure.class, Class::Refused);
            }
            _ => assert!(sent.is_ok(), "{sent:?}"),
        }
    }
    drop(one);
    let (batch, _) = batch("acme", Signal::Logs, 2);
    other.send(&batch).await.unwrap();
    let taken = world.taken();
    assert_eq!(taken.len(), 3);
}

/// Guarantees: damage in what was acknowledged long ago does not take what comes after it along.
#[tokio::test]
async fn damage_inside_a_file_destroys_nothing() {
    for (format, compression) in FORMATS {
        let world = FileWorld::new(format, compression);
        let path = world.current("acme", Signal::Logs);
        let mut lengths = Vec::new();
        for number in 0..4 {
            let (batch, _) = batch("acme", Signal::Logs, number);
            world.files().send(&batch).await.unwrap();
            lengths.push(fs::metadata(&path).unwrap().len());
        }
        let file = OpenOptions::new().write(true).open(&path).unwrap();
        file.write_all_at(&[0; 8], lengths[0] + 12).unwrap();
        let damaged = fs::read(&path).unwrap();

        let payload = items::request(Signal::Logs, "acme", 9..10, 20);
        world
            .files()
            .send(&batch_of("acme", Signal::Logs, payload))
            .await
            .unwrap();
        let kept = world.names("acme").into_iter().any(|name| {
            let bytes = fs::read(world.tenant("acme").join(name)).unwrap();
            bytes.starts_with(&damaged)
        });
        assert!(kept, "{format:?} {compression:?}");
    }
}
