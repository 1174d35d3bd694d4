//! Random histories of appends, reads, commits, restarts and crashes, compared with a plain list.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "a test")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::*;
use ident::Signal;
use journal::{Compression, Consumer, Journal, Options, Position, Start};
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Step {
    /// Appends a payload of about this length, or a compressible one.
    Append {
        tenant: u8,
        signal: u8,
        len: usize,
        dull: bool,
    },
    /// Several at once, so that a commit joins them.
    AppendMany { count: u8, len: usize },
    /// The consumer reads so many and commits so many of them.
    Consume { read: u8, commit: u8 },
    /// An orderly end and start.
    Restart,
    /// The process dies; the tail of the newest segment grows by bytes of a torn write.
    Crash { torn: Vec<u8> },
    /// As before, and the newest segment's file has a page of zeros at its end.
    CrashZeros { len: usize },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..3u8, 0..3u8, 0..3000usize, any::<bool>())
            .prop_map(|(tenant, signal, len, dull)| Step::Append { tenant, signal, len, dull }),
        1 => (0..2u8, 0..1u8, 60_000..90_000usize, any::<bool>())
            .prop_map(|(tenant, signal, len, dull)| Step::Append { tenant, signal, len, dull }),
        2 => (1..20u8, 0..300usize).prop_map(|(count, len)| Step::AppendMany { count, len }),
        3 => (0..10u8, 0..10u8).prop_map(|(read, commit)| Step::Consume { read, commit }),
        1 => Just(Step::Restart),
        1 => proptest::collection::vec(any::<u8>(), 0..400).prop_map(|torn| Step::Crash { torn }),
        1 => (1..5000usize).prop_map(|len| Step::CrashZeros { len }),
    ]
}

/// The journal under test and the plain list of what must be in it.
struct World {
    root: tempfile::TempDir,
    generation: u32,
    options: Options,
    journal: Option<Journal>,
    consumer: Option<Consumer>,
    /// One entry a record: its number is in its payload's first bytes.
    appended: Vec<(String, Signal, Vec<u8>)>,
    /// Records that the consumer has committed.
    committed: usize,
}

impl World {
    fn new(options: Options) -> Self {
        let mut world = World {
            root: tempfile::tempdir().unwrap(),
            generation: 0,
            options,
            journal: None,
            consumer: None,
            appended: Vec::new(),
            committed: 0,
        };
        world.start();
        world
    }

    fn dir(&self) -> PathBuf {
        self.root.path().join(self.generation.to_string())
    }

    fn journal(&self) -> &Journal {
        self.journal.as_ref().unwrap()
    }

    fn start(&mut self) {
        let (journal, recovery) = open_with(&self.dir(), self.options.clone());
        assert!(recovery.damaged.is_empty(), "{recovery}");
        self.consumer = Some(journal.consumer("c", Start::Oldest).unwrap());
        self.journal = Some(journal);
    }

    fn next_record(&mut self, tenant: u8, signal: u8, len: usize, dull: bool) -> journal::Record {
        let number = self.appended.len() as u64;
        let mut payload = number.to_le_bytes().to_vec();
        payload.extend((len as u32).to_le_bytes());
        match dull {
            true => payload.resize(12 + len, 7),
            false => payload.extend(noise(len, number)),
        }
        let tenant = format!("t{tenant}");
        let signal = Signal::ALL[usize::from(signal)];
        self.appended
            .push((tenant.clone(), signal, payload.clone()));
        record(&tenant, signal, payload)
    }

    async fn step(&mut self, step: Step) {
        match step {
            Step::Append {
                tenant,
                signal,
                len,
                dull,
            } => {
                let record = self.next_record(tenant, signal, len, dull);
                self.journal().append(record).await.unwrap();
            }
            Step::AppendMany { count, len } => {
                let mut tasks = Vec::new();
                for n in 0..count {
                    let record = self.next_record(0, n % 2, len, n % 3 == 0);
                    let journal = self.journal().clone();
                    tasks.push(tokio::spawn(async move { journal.append(record).await }));
                }
                for task in tasks {
                    task.await.unwrap().unwrap();
                }
            }
            Step::Consume { read, commit } => self.consume(read, commit),
            Step::Restart => {
                self.consumer = None;
                let journal = self.journal.take().unwrap();
                journal.close().await.unwrap();
                drop(journal);
                self.start();
            }
            Step::Crash { torn } => self.crash(|tail| tail.extend_from_slice(&torn)),
            Step::CrashZeros { len } => self.crash(|tail| tail.resize(tail.len() + len, 0)),
        }
        self.compare();
    }

    fn consume(&mut self, read: u8, commit: u8) {
        let consumer = self.consumer.as_mut().unwrap();
        consumer.seek(consumer.position());
        for n in 0..read {
            let Some(block) = consumer.try_next().unwrap() else {
                return;
            };
            if n < commit {
                consumer.commit(block.next);
                self.committed += block.records as usize;
            }
        }
    }

    /// Goes on with a copy of the directory as it is now, with a torn write at its end.
    fn crash(&mut self, tear: impl FnOnce(&mut Vec<u8>)) {
        // A crash may lose the last moments of a cursor, which means duplicates.
        self.consumer.as_ref().unwrap().flush().unwrap();
        let from = self.dir();
        self.generation += 1;
        snapshot(&from, &self.dir());
        self.consumer = None;
        self.journal = None;
        let newest = *segment_ids(&self.dir()).last().unwrap_or(&1);
        let path = segment_path(&self.dir(), newest);
        if path.exists() && !is_sealed(&path) {
            edit(&path, tear);
        }
        self.start();
    }

    fn compare(&self) {
        let mut found = Vec::new();
        let mut last = Position::default();
        for block in blocks(self.journal()) {
            assert!(block.position > last && block.next > block.position);
            last = block.position;
            let records = records(&block.payload);
            assert_eq!(records.len(), block.records as usize);
            for payload in records {
                found.push((block.tenant.to_string(), block.signal, payload));
            }
        }
        // Records of one commit may change places; none is missing, doubled or changed.
        let number =
            |r: &(String, Signal, Vec<u8>)| u64::from_le_bytes(r.2[..8].try_into().unwrap());
        found.sort_by_key(number);
        assert_eq!(found, self.appended);
        let mut consumer = journal_reader_from(self);
        let unread: usize = std::iter::from_fn(|| consumer.try_next().unwrap())
            .map(|b| b.records as usize)
            .sum();
        assert_eq!(unread + self.committed, self.appended.len());
    }
}

fn journal_reader_from(world: &World) -> journal::Reader {
    let at = world.consumer.as_ref().unwrap().position();
    world
        .journal()
        .reader(Start::At(at), journal::Filter::default())
}

fn is_sealed(path: &Path) -> bool {
    fs::read(path).unwrap().ends_with(b"STELSEAL")
}

/// Takes a joined payload apart again.
fn records(mut payload: &[u8]) -> Vec<Vec<u8>> {
    let mut records = Vec::new();
    while !payload.is_empty() {
        let len = u32::from_le_bytes(payload[8..12].try_into().unwrap()) as usize;
        let (one, rest) = payload.split_at(12 + len);
        records.push(one.to_vec());
        payload = rest;
    }
    records
}

fn options() -> impl Strategy<Value = Options> {
    let compression = prop_oneof![
        Just(Compression::None),
        Just(Compression::Fast),
        Just(Compression::Zstd(1)),
        Just(Compression::Zstd(-5)),
    ];
    let segment_bytes = prop_oneof![Just(4096u64), Just(20_000), Just(64 << 20)];
    let cache_bytes = prop_oneof![Just(0usize), Just(5000), Just(32 << 20)];
    (compression, segment_bytes, cache_bytes).prop_map(
        |(compression, segment_bytes, cache_bytes)| Options {
            compression,
            segment_bytes,
            cache_bytes,
            ..Options::default()
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, max_shrink_iters: 200, ..ProptestConfig::default() })]

    /// Guarantees: ACK-DURABLE, RESTARTABLE: over any history of appends, restarts and crashes,
    /// every acknowledged record is there exactly once with its tenant and signal, and a consumer
    /// has exactly the rest before it.
    #[test]
    fn nothing_committed_is_lost(options in options(), steps in proptest::collection::vec(step(), 1..30)) {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let mut world = World::new(options);
            for step in steps {
                world.step(step).await;
            }
        });
    }
}
