use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use journal::{Options, Record};
use sampling::{KeepAll, Scope};
use testkit::ids::Ids;

use super::*;

struct Running {
    journal: Journal,
    control: sampling::Control,
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

/// What `up` does of it.
fn start(dir: &Path, profile: &Profile) -> Running {
    let data = DataDir::of(&crate::cli::DataDir {
        path: Some(dir.join("data")),
    })
    .unwrap();
    data.create().unwrap();
    let meter = Meter::new();
    let (journal, _) = Journal::open(&data.journal(), Options::default(), &meter).unwrap();
    let keeper = Keeper::new(&meter);
    let shipping = open(
        profile,
        &data,
        &journal,
        &Connector::open(),
        &meter,
        &keeper,
        Rules::default(),
    )
    .unwrap();
    let stop = CancellationToken::new();
    let mut tasks = JoinSet::new();
    for shipper in shipping.shippers {
        let stop = stop.clone();
        tasks.spawn(async move {
            shipper.run(stop).await;
        });
    }
    let sampling = shipping.sampling.unwrap();
    let control = sampling.control();
    tasks.spawn(sampling.run(stop.clone()));
    tasks.spawn(shipping.follower.unwrap().run(stop.clone()));
    Running {
        journal,
        control,
        stop,
        tasks,
    }
}

impl Running {
    async fn stop(mut self) {
        self.stop.cancel();
        while self.tasks.join_next().await.is_some() {}
        self.journal.close().await.unwrap();
    }

    /// Appends a trace of one span of a service.
    async fn append(&self, trace: u64, service: &str) {
        let json = format!(
            r#"{{"resourceSpans":[{{"resource":{{"attributes":[{{"key":"service.name","value":{{"stringValue":"{service}"}}}}]}},"scopeSpans":[{{"spans":[{{"traceId":"{trace:032x}","spanId":"{trace:016x}","name":"x"}}]}}]}}]}}"#
        );
        let payload = otlp::json::decode(Signal::Traces, json.as_bytes()).unwrap();
        let record = Record {
            tenant: "acme".parse().unwrap(),
            signal: Signal::Traces,
            items: 1,
            min_time_unix_nano: 0,
            max_time_unix_nano: 0,
            payload: Bytes::from(payload),
        };
        self.journal.append(record).await.unwrap();
    }
}

/// What is in the files of a destination, and how much of it more than once.
fn arrived(dir: &Path) -> (BTreeSet<u64>, u64) {
    let file = dir.join("acme/traces.jsonl");
    let found = std::fs::read_dir(dir.join("acme")).into_iter().flatten();
    let names: Vec<_> = found.map(|entry| entry.unwrap().path()).collect();
    let text = names
        .iter()
        .map(|path| std::fs::read_to_string(path).unwrap());
    let ids = Ids::read(&text.collect::<String>());
    let number = |name: &String| u64::from_str_radix(name.split(':').nth(1).unwrap(), 16).unwrap();
    assert!(names.len() < 2 || file.exists(), "{names:?}");
    (ids.spans.keys().map(number).collect(), ids.duplicates())
}

async fn until(what: &str, mut done: impl FnMut() -> bool) {
    for _ in 0..6000 {
        if done() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("waited for {what}");
}

/// Guarantees: an incident's look back reaches every destination, beside what is shipped anyway and
/// once; a restart while one of them is down changes nothing; its cursors go at its end.
#[tokio::test(flavor = "multi_thread")]
async fn look_backs_reach_every_destination() {
    let dir = tempfile::tempdir().unwrap();
    let (a, b) = (dir.path().join("a"), dir.path().join("b"));
    // A file where a folder should be: nothing can be written there.
    std::fs::write(&b, "").unwrap();
    let text = format!(
        "sampling: {{ wait: 200ms, remember: 500ms, policies: [{{ name: none, type: probabilistic, probabilistic: {{ sampling_percentage: 0 }} }}] }}\nship:\n  - {{ name: a, file: {{ path: {} }} }}\n  - {{ name: b, signals: [traces], file: {{ path: {} }} }}\n",
        a.display(),
        b.display()
    );
    let profile = profile::parse("test", &text).unwrap();
    let running = start(dir.path(), &profile);
    for trace in 1..=20 {
        running
            .append(trace, ["web", "scanner"][trace as usize % 2])
            .await;
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    let what = KeepAll {
        id: "incident".to_owned(),
        scope: Scope {
            service: Some("scanner".to_owned()),
            ..Scope::default()
        },
        lookback: Duration::from_secs(60),
    };
    running.control.keep_all(what).await.unwrap();
    for trace in 21..=40 {
        running
            .append(trace, ["web", "scanner"][trace as usize % 2])
            .await;
    }
    let expected: BTreeSet<u64> = (1..=40).filter(|trace| trace % 2 == 1).collect();
    until("the first destination", || arrived(&a).0 == expected).await;
    running.stop().await;
    std::fs::remove_file(&b).unwrap();
    let running = start(dir.path(), &profile);
    until("the second destination", || arrived(&b).0 == expected).await;
    let follows = |name: &str| name.contains("lookback");
    until("the look back's end", || {
        !running.journal.consumers().iter().any(|c| follows(&c.name))
    })
    .await;
    assert_eq!(arrived(&a), (expected.clone(), 0));
    assert_eq!(arrived(&b), (expected, 0));
    running.stop().await;
}
