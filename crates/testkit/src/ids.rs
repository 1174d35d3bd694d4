//! Which items OTLP JSON holds, by the ids that their senders gave them.

use std::collections::BTreeMap;

use serde_json::Value;

/// How often each item is there: spans by `trace:span`, points and records by their `test.id`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ids {
    /// `<trace id>:<span id>` in lower-case hex.
    pub spans: BTreeMap<String, u64>,
    /// The attribute `test.id`.
    pub points: BTreeMap<String, u64>,
    /// The attribute `test.id`.
    pub records: BTreeMap<String, u64>,
}

impl Ids {
    /// Reads OTLP JSON lines. A last line without its end, which is still being written, is left
    /// out.
    pub fn read(lines: &str) -> Ids {
        let mut ids = Ids::default();
        for line in lines
            .split_inclusive('\n')
            .filter(|line| line.ends_with('\n'))
        {
            let request: Value = serde_json::from_str(line).expect("a line of OTLP JSON");
            ids.add(&request);
        }
        ids
    }

    fn add(&mut self, request: &Value) {
        each(
            request,
            &["resourceSpans", "scopeSpans", "spans"],
            &mut |span| {
                let text = |key: &str| span[key].as_str().unwrap_or_default().to_lowercase();
                let id = format!("{}:{}", text("traceId"), text("spanId"));
                *self.spans.entry(id).or_default() += 1;
            },
        );
        for kind in [
            "gauge",
            "sum",
            "histogram",
            "exponentialHistogram",
            "summary",
        ] {
            let path = [
                "resourceMetrics",
                "scopeMetrics",
                "metrics",
                kind,
                "dataPoints",
            ];
            each(request, &path, &mut |point| count(&mut self.points, point));
        }
        each(
            request,
            &["resourceLogs", "scopeLogs", "logRecords"],
            &mut |record| {
                count(&mut self.records, record);
            },
        );
    }

    /// What of `sent` is not here.
    pub fn missing(&self, sent: &Sent) -> Vec<String> {
        let all = [
            (&sent.spans, &self.spans),
            (&sent.points, &self.points),
            (&sent.records, &self.records),
        ];
        let absent = |(sent, here): (&Vec<String>, &BTreeMap<String, u64>)| {
            sent.iter()
                .filter(|id| !here.contains_key(*id))
                .cloned()
                .collect::<Vec<_>>()
        };
        all.into_iter().flat_map(absent).collect()
    }

    /// How many items are here more than once, each time counted.
    pub fn duplicates(&self) -> u64 {
        let all = self
            .spans
            .values()
            .chain(self.points.values())
            .chain(self.records.values());
        all.map(|times| times - 1).sum()
    }
}

/// What a sender says that it sent and that was acknowledged.
#[derive(Clone, Debug, Default, serde::Deserialize)]
pub struct Sent {
    /// `<trace id>:<span id>` in lower-case hex.
    pub spans: Vec<String>,
    /// The attribute `test.id`.
    pub points: Vec<String>,
    /// The attribute `test.id`.
    pub records: Vec<String>,
}

impl Sent {
    /// Adds what another sender sent.
    pub fn extend(&mut self, other: Sent) {
        self.spans.extend(other.spans);
        self.points.extend(other.points);
        self.records.extend(other.records);
    }
}

/// Calls `found` with every element under a path of lists (and of objects in between).
fn each(value: &Value, path: &[&str], found: &mut dyn FnMut(&Value)) {
    let Some((first, rest)) = path.split_first() else {
        return found(value);
    };
    match &value[*first] {
        Value::Array(elements) => elements
            .iter()
            .for_each(|element| each(element, rest, found)),
        Value::Object(_) => each(&value[*first], rest, found),
        _ => {}
    }
}

fn count(into: &mut BTreeMap<String, u64>, item: &Value) {
    let attributes = item["attributes"].as_array().map_or(&[][..], Vec::as_slice);
    let id = attributes
        .iter()
        .find(|attribute| attribute["key"] == "test.id");
    if let Some(id) = id.and_then(|attribute| attribute["value"]["stringValue"].as_str()) {
        *into.entry(id.to_owned()).or_default() += 1;
    }
}
