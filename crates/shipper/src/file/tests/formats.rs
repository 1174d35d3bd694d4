//! What the files hold and who may read them, by other people's readers.

use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;

use ident::Signal;

use super::world::{FileWorld, read};
use super::{batch, batch_of};
use crate::conformance::World;
use crate::destination::{Class, Destination};
use crate::disk::Op;
use crate::file::{Compression, Format};

const ALL: [(Format, Compression, &str); 4] = [
    (Format::Json, Compression::None, "jsonl"),
    (Format::Json, Compression::Zstd, "jsonl.zst"),
    (Format::Proto, Compression::None, "binpb"),
    (Format::Proto, Compression::Zstd, "binpb.zst"),
];

/// Guarantees: every format is read back by opentelemetry-proto's types, every item as it was.
#[tokio::test]
async fn other_readers_find_what_was_written() {
    for (format, compression, extension) in ALL {
        let world = FileWorld::new(format, compression);
        let files = world.files();
        for signal in Signal::ALL {
            let mut expected = Vec::new();
            for number in 0..5 {
                let (batch, items) = batch("acme", signal, number);
                files.send(&batch).await.unwrap();
                expected.push(items);
            }
            let path = world.tenant("acme").join(format!("{signal}.{extension}"));
            let bytes = fs::read(path).unwrap();
            assert_eq!(read(&bytes, signal, format, compression), expected);
        }
    }
}

/// Guarantees: zstd files are read as a stream from the start, by any decoder that takes frames
/// one after the other, and each frame carries a checksum.
#[tokio::test]
async fn zstd_files_are_one_stream() {
    let world = FileWorld::new(Format::Json, Compression::Zstd);
    let files = world.files();
    for number in 0..3 {
        files
            .send(&batch("acme", Signal::Logs, number).0)
            .await
            .unwrap();
    }
    let bytes = fs::read(world.current("acme", Signal::Logs)).unwrap();
    let mut text = String::new();
    let mut decoder = zstd::stream::read::Decoder::new(bytes.as_slice()).unwrap();
    decoder.read_to_string(&mut text).unwrap();
    assert_eq!(text.lines().count(), 3);
    // Frame_Header_Descriptor (RFC 8878, 3.1.1.1.1): bit 2 is the checksum flag.
    assert_eq!(bytes[..4], [0x28, 0xb5, 0x2f, 0xfd]);
    assert_eq!(bytes[4] & 0b100, 0b100);
}

/// Guarantees: nobody else may read the files.
#[tokio::test]
async fn files_and_folders_are_private() {
    let mut world = FileWorld::new(Format::Json, Compression::None);
    world.config.rotate_bytes = 1;
    let files = world.files();
    for number in 0..2 {
        files
            .send(&batch("acme", Signal::Logs, number).0)
            .await
            .unwrap();
    }
    let mode = |path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    for name in world.names("acme") {
        assert_eq!(mode(world.tenant("acme").join(name)), 0o600);
    }
    for dir in [world.tenant("acme"), world.config.path.clone()] {
        assert_eq!(mode(dir), 0o700);
    }
    assert_eq!(mode(world.dir.path().join("deep")), 0o700);
}

/// Guarantees: a request counts as taken only after its bytes, its file's name and the names of
/// new folders are synced.
#[tokio::test]
async fn everything_is_synced_before_it_counts() {
    let world = FileWorld::new(Format::Json, Compression::None);
    let files = world.files();
    files.send(&batch("acme", Signal::Logs, 0).0).await.unwrap();
    let file = world.current("acme", Signal::Logs);
    let log = world.log();
    let last = |op, path: &std::path::Path| {
        log.iter()
            .rposition(|done| *done == (op, path.to_owned()))
            .unwrap_or_else(|| panic!("no {op:?} of {} in {log:?}", path.display()))
    };
    assert!(last(Op::Sync, &file) > last(Op::Write, &file));
    let made = last(Op::Open, &file);
    assert!(last(Op::Sync, &world.tenant("acme")) > made);
    assert!(last(Op::Sync, &world.config.path) < log.len());
    // The folders above the configured one were made too.
    last(Op::Sync, world.config.path.parent().unwrap());
    last(Op::Sync, world.dir.path());

    files.send(&batch("acme", Signal::Logs, 1).0).await.unwrap();
    let ops: Vec<Op> = world.log().into_iter().map(|(op, _)| op).collect();
    assert_eq!(ops, [Op::Write, Op::Sync], "no more than that each time");

    for op in [Op::Write, Op::Sync] {
        world.fail(op, (std::io::ErrorKind::Other, 10));
        let failed = files.send(&batch("acme", Signal::Logs, 2).0).await;
        assert_eq!(failed.unwrap_err().class, Class::Transient);
        world.heal();
    }
    files.send(&batch("acme", Signal::Logs, 3).0).await.unwrap();
    assert_eq!(world.taken().len(), 3);
}

/// Guarantees: bytes that a restart would take for damage are refused, in every format, before
/// they are written; what holds no item is not written at all.
#[tokio::test]
async fn what_is_no_request_is_not_written() {
    for (format, compression, _) in ALL {
        let world = FileWorld::new(format, compression);
        let files = world.files();
        let broken = batch_of("acme", Signal::Logs, vec![0x0a, 100, 1]);
        let failure = files.send(&broken).await.unwrap_err();
        assert_eq!(failure.class, Class::Refused);
        assert_eq!(failure.summary(), "malformed");
        let empty = batch_of("acme", Signal::Logs, Vec::new());
        files.send(&empty).await.unwrap();
        let (good, items) = batch("acme", Signal::Logs, 1);
        files.send(&good).await.unwrap();

        // A restart looks through the file and finds all of it sound.
        let (more, more_items) = batch("acme", Signal::Logs, 2);
        world.files().send(&more).await.unwrap_err();
        drop(files);
        world.files().send(&more).await.unwrap();
        let bytes = fs::read(world.current("acme", Signal::Logs)).unwrap();
        assert_eq!(
            read(&bytes, Signal::Logs, format, compression),
            [items, more_items]
        );
    }
}
