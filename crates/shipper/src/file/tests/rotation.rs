//! When files are closed, what they are called, and how long they stay.

use std::fs;
use std::time::{Duration, SystemTime};

use ident::Signal;

use super::batch;
use super::world::FileWorld;
use crate::conformance::World;
use crate::destination::Destination;
use crate::file::{Compression, Config, Format};

const HOUR: Duration = Duration::from_secs(3600);

fn world(change: impl FnOnce(&mut Config)) -> FileWorld {
    let mut world = FileWorld::new(Format::Json, Compression::None);
    change(&mut world.config);
    world
}

async fn send(world: &FileWorld, destination: &impl Destination, number: u64) {
    destination
        .send(&batch("acme", Signal::Logs, number).0)
        .await
        .unwrap();
    let taken = world.taken();
    let items = taken.iter().map(|taken| taken.items.len()).sum::<usize>();
    assert_eq!(items as u64, number + 1, "nothing is lost on the way");
}

/// Guarantees: BOUNDED; a file is closed before it grows past its limit, also across restarts, and
/// one write that is larger alone has a file to itself.
#[tokio::test]
async fn closed_by_size() {
    let size = {
        let world = world(|_| ());
        send(&world, &world.files(), 0).await;
        fs::metadata(world.current("acme", Signal::Logs))
            .unwrap()
            .len()
    };
    let world = world(|config| config.rotate_bytes = size * 5 / 2);
    for number in 0..10 {
        // A destination of its own each time: the limit holds across restarts.
        send(&world, &world.files(), number).await;
    }
    let names = world.names("acme");
    assert_eq!(names.len(), 5);
    for name in names {
        let length = fs::metadata(world.tenant("acme").join(name)).unwrap().len();
        assert!(length <= world.config.rotate_bytes);
    }
    let mut small = FileWorld::new(Format::Json, Compression::None);
    small.config.rotate_bytes = 1;
    let files = small.files();
    for number in 0..3 {
        send(&small, &files, number).await;
    }
    assert_eq!(small.names("acme").len(), 3);
}

/// Guarantees: a file is closed when it is old enough, whether or not something is written.
#[tokio::test]
async fn closed_by_age() {
    let world = world(|config| config.rotate_age = HOUR);
    let begun = SystemTime::now();
    world.set_time(begun);
    let files = world.files();
    send(&world, &files, 0).await;
    world.set_time(begun + HOUR - Duration::from_secs(60));
    send(&world, &files, 1).await;
    files.tick();
    assert_eq!(world.names("acme"), ["logs.jsonl"]);

    world.set_time(begun + HOUR + Duration::from_secs(60));
    files.tick();
    let closed = world.names("acme");
    assert_eq!(closed.len(), 1);
    assert!(closed[0].starts_with("logs-2"), "{closed:?}");
    assert!(closed[0].ends_with("Z.jsonl"), "{closed:?}");

    send(&world, &files, 2).await;
    world.set_time(begun + HOUR * 3);
    send(&world, &files, 3).await;
    assert_eq!(world.names("acme").len(), 3);
    drop(files);

    // The age counts from the file's beginning, not from the start of the process.
    let files = world.files();
    world.set_time(begun + HOUR * 6);
    send(&world, &files, 4).await;
    assert_eq!(world.names("acme").len(), 4);
}

/// Guarantees: a closed file never takes the place of another, whatever the clock says.
#[tokio::test]
async fn names_are_never_used_twice() {
    let world = world(|config| config.rotate_bytes = 1);
    let at = SystemTime::now();
    for number in 0..6 {
        world.set_time(at - HOUR * (number as u32 % 2));
        // With and without a restart in between.
        let files = world.files();
        send(&world, &files, number * 2).await;
        send(&world, &files, number * 2 + 1).await;
    }
    assert_eq!(world.names("acme").len(), 12);
}

/// Guarantees: BOUNDED; no more closed files than configured, the youngest ones.
#[tokio::test]
async fn old_files_leave_by_number() {
    let world = world(|config| {
        config.rotate_bytes = 1;
        config.keep_files = Some(2);
    });
    let files = world.files();
    let begun = SystemTime::now();
    for number in 0..6 {
        world.set_time(begun + Duration::from_secs(number));
        let (batch, _) = batch("acme", Signal::Logs, number);
        files.send(&batch).await.unwrap();
        // Of another signal, and so none of theirs.
        let (other, _) = super::batch("acme", Signal::Traces, number);
        if number == 0 {
            files.send(&other).await.unwrap();
        }
    }
    let names = world.names("acme");
    assert_eq!(names.len(), 4, "{names:?}");
    let mut left: Vec<String> = world
        .taken()
        .into_iter()
        .filter(|taken| taken.signal == Signal::Logs)
        .map(|taken| taken.items[0].id.clone())
        .collect();
    left.sort();
    assert_eq!(left, ["acme/logs/3", "acme/logs/4", "acme/logs/5"]);
}

/// Guarantees: closed files leave at their age, also those of a tenant that sends nothing more,
/// also after a restart.
#[tokio::test]
async fn old_files_leave_by_age() {
    let world = world(|config| {
        config.rotate_age = HOUR;
        config.keep_age = Some(HOUR * 10);
    });
    let begun = SystemTime::now();
    let files = world.files();
    files.send(&batch("acme", Signal::Logs, 0).0).await.unwrap();
    world.set_time(begun + HOUR * 2);
    files.tick();
    assert_eq!(world.names("acme").len(), 1);
    drop(files);

    let files = world.files();
    world.set_time(begun + HOUR * 9);
    files.tick();
    assert_eq!(world.names("acme").len(), 1, "not old enough");
    world.set_time(begun + HOUR * 13);
    files.tick();
    assert_eq!(world.names("acme"), Vec::<String>::new());
}

/// Guarantees: the file that a silent tenant left open at a restart is closed at its age too.
#[tokio::test]
async fn left_open_by_a_restart_it_is_closed_all_the_same() {
    let world = world(|config| config.rotate_age = HOUR);
    let begun = SystemTime::now();
    send(&world, &world.files(), 0).await;
    let files = world.files();
    world.set_time(begun + HOUR * 2);
    files.tick();
    let names = world.names("acme");
    assert_eq!(names.len(), 1);
    assert!(names[0].starts_with("logs-2"), "{names:?}");
}
