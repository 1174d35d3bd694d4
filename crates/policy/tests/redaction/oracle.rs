//! Redaction on wire bytes against the same redaction on prost's types.

use super::common::{Request, examples};
use super::naive::{Does, Naive, Rule};
use super::{compile, count, redact_request};
use otlp::Signal;
use proptest::prelude::*;
use regex::Regex;
use std::collections::BTreeMap;

const DETECTOR: &str = "hunter2|[0-9]{4}|r é|x{9}|größ";

fn rule(name: &'static str, keys: &[&'static str], does: Does) -> Rule {
    Rule {
        name,
        keys: keys.to_vec(),
        fields: Vec::new(),
        signals: Vec::new(),
        places: Vec::new(),
        detect: false,
        does,
    }
}

/// Rules of which random policies are put together.
fn templates() -> Vec<Rule> {
    let detect = |name, does| Rule {
        detect: true,
        ..rule(name, &[], does)
    };
    let fields = |name, fields: &[&'static str], does| Rule {
        fields: fields.to_vec(),
        ..rule(name, &[], does)
    };
    vec![
        rule("exact", &["GET", "é"], Does::Drop),
        rule("prefix", &["http.*", "x*"], Does::Mask("M")),
        rule("glob", &["*4711", "*ord=*", "?"], Does::Truncate(3)),
        rule(
            "kept",
            &["GET", "http.*", "日本語のテキスト", "größer *"],
            Does::Keep,
        ),
        rule("path", &["get.*", "*.get", "*.*.*"], Does::Drop),
        Rule {
            places: vec!["nested", "body"],
            ..rule("in", &["*"], Does::Mask("in"))
        },
        Rule {
            places: vec!["resource", "event", "exemplar"],
            ..rule("some", &["*é*", ""], Does::Drop)
        },
        Rule {
            signals: vec!["metrics", "logs"],
            ..rule("signals", &["/api*"], Does::Drop)
        },
        detect("found", Does::Mask("#")),
        detect("found-drop", Does::Drop),
        detect("found-keep", Does::Keep),
        Rule {
            detect: true,
            ..rule("keyed", &["http.*", "sixty*"], Does::Mask("k"))
        },
        Rule {
            places: vec!["item", "point"],
            ..detect("placed", Does::Mask("p"))
        },
        fields(
            "names",
            &["span.name", "event.name", "metric.name", "log.event_name"],
            Does::Drop,
        ),
        fields(
            "texts",
            &["span.status_message", "log.body", "scope.name"],
            Does::Truncate(5),
        ),
        fields(
            "urls",
            &["scope.schema_url", "resource.schema_url", "entity.id_keys"],
            Does::Mask("u"),
        ),
        Rule {
            detect: true,
            ..fields(
                "keeps",
                &["span.trace_state", "log.severity_text"],
                Does::Keep,
            )
        },
    ]
    .into_iter()
    .map(|mut rule| {
        rule.keys.retain(|key| !key.is_empty());
        rule
    })
    .collect()
}

fn compare(allow: bool, rules: &[Rule], request: &Request) -> Result<(), TestCaseError> {
    let mode = if allow { "allow" } else { "block" };
    let yaml: String = rules.iter().map(Rule::yaml).collect();
    let text = format!(
        "version: 1\nmode: {mode}\npatterns: [{{ name: site, regex: '{DETECTOR}' }}]\nrules:{}\n{yaml}",
        if rules.is_empty() { " []" } else { "" },
    );
    let policy = compile(&text);
    let signal = request.signal();
    let mut naive = Naive {
        allow,
        rules: rules.to_vec(),
        detector: Regex::new(DETECTOR).expect("a regex"),
        counts: BTreeMap::new(),
        signal: match signal {
            Signal::Traces => "traces",
            Signal::Metrics => "metrics",
            Signal::Logs => "logs",
        },
    };
    let mut expect = request.clone();
    naive.redact(&mut expect);
    let (after, counts) = redact_request(&policy, request);
    prop_assert_eq!(after, expect, "{}", text);
    for (rule, times) in &naive.counts {
        prop_assert_eq!(
            count(&policy, &counts, rule),
            *times,
            "{} of {}",
            rule,
            text
        );
    }
    prop_assert_eq!(counts.total(), naive.counts.values().sum::<u64>());
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 20_000, ..ProptestConfig::default() })]

    /// Guarantees: for random policies and random requests the result is what the same rules make
    /// of prost's types, and each rule's count is the oracle's.
    #[test]
    fn as_on_prosts_types(
        seed in proptest::collection::vec(any::<u8>(), 0..2500),
        allow in any::<bool>(),
        rules in proptest::sample::subsequence(templates(), 0..8).prop_shuffle(),
    ) {
        for signal in Signal::ALL {
            compare(allow, &rules, &Request::random(signal, &seed))?;
        }
    }
}

/// Guarantees: the same for opentelemetry-proto's example files and each rule alone.
#[test]
fn as_on_prosts_types_for_the_examples() {
    for (name, request) in examples() {
        for rule in templates() {
            for allow in [false, true] {
                let rules = [rule.clone()];
                compare(allow, &rules, &request).unwrap_or_else(|error| panic!("{name}: {error}"));
            }
        }
    }
}
