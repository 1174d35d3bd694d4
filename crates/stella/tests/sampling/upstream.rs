//! The same traces through the gateway and through the upstream Collector's tail-sampling processor.
//!
//! What `docs/sampling.md` lists as different is left out: limiters, which each side fills by its
//! own clock, an upper bound of `latency`, and consistent probability, which upstream has not.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use testkit::collector::Collector;
use testkit::mixed;
use testkit::stella::Stella;
use testkit::traces::Sender;
use testkit::wait_for;

use super::{BINARY, arrived, runtime};

const WAIT_MS: u64 = 1500;
const TRACES: u64 = 3000;

/// A name, and policies in the form that both sides take.
const SETS: &[(&str, &str)] = &[
    (
        "status",
        "{name: s, type: status_code, status_code: {status_codes: [ERROR, OK]}}",
    ),
    (
        "texts",
        "{name: t, type: string_attribute, string_attribute: {key: route, values: [/a, /d]}}",
    ),
    (
        "patterns",
        "{name: p, type: string_attribute, string_attribute: {key: route, values: ['^/c/[0-9]$', zz], enabled_regex_matching: true, cache_max_size: 10}}, {name: b, type: boolean_attribute, boolean_attribute: {key: debug, value: true}}",
    ),
    (
        "numbers",
        "{name: n, type: numeric_attribute, numeric_attribute: {key: code, min_value: 7, max_value: 8}}",
    ),
    (
        "inverted",
        "{name: i, type: string_attribute, string_attribute: {key: route, values: [/a, /b, /d, /ezz], invert_match: true}}, {name: n, type: numeric_attribute, numeric_attribute: {key: code, min_value: 1, max_value: 5, invert_match: true}}, {name: both, type: and, and: {and_sub_policy: [{name: i, type: boolean_attribute, boolean_attribute: {key: debug, value: false, invert_match: true}}, {name: q, type: span_count, span_count: {min_spans: 3}}]}}",
    ),
    (
        "counts",
        "{name: c, type: span_count, span_count: {min_spans: 3, max_spans: 7}}, {name: v, type: trace_state, trace_state: {key: vendor, values: [x, z]}}",
    ),
    (
        "salted",
        "{name: p, type: probabilistic, probabilistic: {hash_salt: pepper, sampling_percentage: 23.5}}",
    ),
    (
        "nested",
        "{name: health, type: drop, drop: {drop_sub_policy: [{name: r, type: string_attribute, string_attribute: {key: route, values: [/b]}}, {name: n, type: not, not: {not_sub_policy: {name: e, type: status_code, status_code: {status_codes: [ERROR]}}}}]}}, {name: both, type: and, and: {and_sub_policy: [{name: p, type: probabilistic, probabilistic: {hash_salt: salt, sampling_percentage: 40}}, {name: l, type: latency, latency: {threshold_ms: 3000}}]}}, {name: otherwise, type: not, not: {not_sub_policy: {name: c, type: span_count, span_count: {min_spans: 2}}}}",
    ),
];

/// Ours that upstream has under other names.
const ERRORS: [&str; 2] = [
    "{name: e, type: error}",
    "{name: s, type: status_code, status_code: {status_codes: [ERROR]}}, {name: t, type: string_attribute, string_attribute: {key: error.type, values: ['.+'], enabled_regex_matching: true}}",
];

/// Upstream's `latency` is more than its threshold, ours is at least as long.
const LATENCY: [&str; 2] = [
    "{name: l, type: latency, latency: {threshold_ms: 5001}}",
    "{name: l, type: latency, latency: {threshold_ms: 5000}}",
];

/// Guarantees: policies keep the traces that the upstream processor's policies of the same text
/// keep, span for span.
#[test]
fn decisions_are_those_of_the_upstream_processor() {
    let same = SETS.iter().map(|(name, policies)| (*name, [*policies; 2]));
    let sets: Vec<_> = same
        .chain([("errors", ERRORS), ("latency", LATENCY)])
        .collect();
    let theirs: Vec<_> = sets
        .iter()
        .map(|(name, [_, theirs])| (*name, *theirs))
        .collect();
    let upstream = Collector::sampling(WAIT_MS, &theirs);
    // One at a time: two cores would otherwise have eleven servers to start.
    let requests = mixed::requests(5, TRACES, 12);
    let spans: usize = requests.iter().map(|r| r.resource_spans.len()).sum();
    let send = |endpoint: String| {
        runtime().block_on(async {
            let mut sender = Sender::connect(endpoint).await.unwrap();
            for request in &requests {
                sender.export(request.clone()).await.unwrap();
            }
        });
    };
    send(upstream.grpc());
    let out = tempfile::tempdir().unwrap();
    let ours = sets.iter().map(|(name, [ours, _])| {
        let path = out.path().join(name);
        let stella = Stella::start(
            BINARY,
            &format!(
                "redaction: {{ enabled: false }}\nsampling: {{ wait: {WAIT_MS}ms, remember: 10s, policies: [{ours}] }}\nship: [{{ name: out, signals: [traces], file: {{ path: '{}' }} }}]\n",
                path.display()
            ),
        );
        send(format!("http://{}", stella.at().grpc));
        (*name, stella)
    });
    let ours: Vec<_> = ours.collect();
    // Upstream has decided long since when the last gateway has.
    let mut differences = Vec::new();
    std::thread::sleep(Duration::from_millis(3 * WAIT_MS));
    for (name, mut stella) in ours {
        wait_for("all to be decided", || {
            stella.metric("stella_sampler_items_total") == spans as f64
        });
        // What is decided is shipped before it ends.
        stella.terminate();
        let kept = written(&out.path().join(name));
        // The bounds say that the test could fail: neither all nor nothing is kept.
        assert!(kept.len() > spans / 50, "{name}: {}", kept.len());
        assert!(kept.len() < spans * 49 / 50, "{name}: {}", kept.len());
        let theirs = arrived(&upstream.kept_by(name));
        let only_ours = kept.difference(&theirs).count();
        let only_theirs = theirs.difference(&kept).count();
        differences.push((name, only_ours, only_theirs));
    }
    differences.retain(|(_, ours, theirs)| ours + theirs > 0);
    assert!(differences.is_empty(), "{differences:?}");
}

fn written(folder: &Path) -> BTreeSet<String> {
    let files = std::fs::read_dir(folder.join("default")).unwrap();
    let texts = files.map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap());
    texts.flat_map(|text| arrived(&text)).collect()
}
