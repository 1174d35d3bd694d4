//! Items as lines that a person can read.
//!
//! This is not the hot path: a block is turned into OTLP JSON and read as such.

use std::fmt::Write;

use anstyle::{AnsiColor, Style};
use ident::Signal;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value;

const DIM: Style = Style::new().dimmed();
const RED: Style = AnsiColor::Red.on_default();
const YELLOW: Style = AnsiColor::Yellow.on_default();
const CYAN: Style = AnsiColor::Cyan.on_default();

/// The longest attribute value that is shown, in characters.
const VALUE_CHARS: usize = 80;

/// One line for each item of the request whose service is `service`, if one is asked for.
pub fn lines(
    signal: Signal,
    request: &Value,
    service: Option<&str>,
    zone: &TimeZone,
) -> Vec<String> {
    let (resources, scopes, items) = match signal {
        Signal::Traces => ("resourceSpans", "scopeSpans", "spans"),
        Signal::Metrics => ("resourceMetrics", "scopeMetrics", "metrics"),
        Signal::Logs => ("resourceLogs", "scopeLogs", "logRecords"),
    };
    let mut all = Vec::new();
    for resource in list(&request[resources]) {
        let name = service_name(&resource["resource"]);
        if service.is_some_and(|wanted| wanted != name) {
            continue;
        }
        for scope in list(&resource[scopes]) {
            for item in list(&scope[items]) {
                match signal {
                    Signal::Traces => all.push(span(item, name, zone)),
                    Signal::Metrics => metric(&mut all, item, name, zone),
                    Signal::Logs => all.push(log(item, name, zone)),
                }
            }
        }
    }
    all
}

fn span(span: &Value, service: &str, zone: &TimeZone) -> String {
    let start = nanos(&span["startTimeUnixNano"]);
    let end = nanos(&span["endTimeUnixNano"]);
    let failed = span["status"]["code"].as_u64() == Some(2);
    let (mark, style) = if failed {
        ("ERROR", RED)
    } else {
        ("ok   ", DIM)
    };
    let mut line = head(end.max(start), "span ", service, zone);
    let took = (end.saturating_sub(start)) as f64 / 1e6;
    let _ = write!(
        line,
        "{style}{mark}{style:#} {took:>9.2} ms  {}",
        printable(text(&span["name"]))
    );
    attributes(&mut line, &span["attributes"]);
    let trace = printable(text(&span["traceId"]));
    let _ = write!(line, "  {DIM}trace={trace}{DIM:#}");
    line
}

fn log(record: &Value, service: &str, zone: &TimeZone) -> String {
    let time = nanos(&record["timeUnixNano"]);
    let time = if time == 0 {
        nanos(&record["observedTimeUnixNano"])
    } else {
        time
    };
    // Severity numbers: OpenTelemetry logs data model, "Field: SeverityNumber".
    let (mark, style) = match record["severityNumber"].as_u64().unwrap_or(0) {
        0 => ("     ", DIM),
        1..=4 => ("TRACE", DIM),
        5..=8 => ("DEBUG", DIM),
        9..=12 => ("INFO ", CYAN),
        13..=16 => ("WARN ", YELLOW),
        17..=20 => ("ERROR", RED),
        _ => ("FATAL", RED),
    };
    let mut line = head(time, "log  ", service, zone);
    let _ = write!(line, "{style}{mark}{style:#}  ");
    let event = text(&record["eventName"]);
    if !event.is_empty() {
        let _ = write!(line, "[{}] ", printable(event));
    }
    line.push_str(&value(&record["body"]));
    attributes(&mut line, &record["attributes"]);
    line
}

fn metric(all: &mut Vec<String>, metric: &Value, service: &str, zone: &TimeZone) {
    let name = printable(text(&metric["name"]));
    let unit = printable(text(&metric["unit"]));
    for kind in [
        "gauge",
        "sum",
        "histogram",
        "exponentialHistogram",
        "summary",
    ] {
        for point in list(&metric[kind]["dataPoints"]) {
            let mut line = head(nanos(&point["timeUnixNano"]), "point", service, zone);
            let _ = write!(line, "{name} {CYAN}{}{CYAN:#} {unit}", reading(point));
            attributes(&mut line, &point["attributes"]);
            all.push(line);
        }
    }
}

/// What a point says: its value, or count and sum.
fn reading(point: &Value) -> String {
    for key in ["asDouble", "asInt"] {
        if let Some(value) = point.get(key) {
            return printable(&scalar(value));
        }
    }
    let count = point.get("count").map_or_else(|| "0".to_owned(), scalar);
    match point.get("sum") {
        Some(sum) => format!(
            "count={} sum={}",
            printable(&count),
            printable(&scalar(sum))
        ),
        None => format!("count={}", printable(&count)),
    }
}

fn head(unix_nano: u64, kind: &str, service: &str, zone: &TimeZone) -> String {
    let time = i128::from(unix_nano);
    let time = match Timestamp::from_nanosecond(time) {
        Ok(at) if unix_nano > 0 => at
            .to_zoned_datetime(zone.clone())
            .strftime("%Y-%m-%d %H:%M:%S%.3f")
            .to_string(),
        _ => "-".to_owned(),
    };
    format!("{DIM}{time:<23} {kind}{DIM:#} {:<16} ", printable(service))
}

fn attributes(line: &mut String, attributes: &Value) {
    for attribute in list(attributes) {
        let key = printable(text(&attribute["key"]));
        let value = value(&attribute["value"]);
        let _ = write!(line, "  {DIM}{key}={DIM:#}{value}");
    }
}

/// An `AnyValue` in short.
fn value(any: &Value) -> String {
    let Some((kind, inner)) = any.as_object().and_then(|fields| fields.iter().next()) else {
        return String::new();
    };
    match kind.as_str() {
        "arrayValue" => {
            let values: Vec<String> = list(&inner["values"]).iter().map(value).collect();
            format!("[{}]", values.join(", "))
        }
        "kvlistValue" => {
            let pair = |pair: &Value| {
                format!(
                    "{}: {}",
                    printable(text(&pair["key"])),
                    value(&pair["value"])
                )
            };
            let pairs: Vec<String> = list(&inner["values"]).iter().map(pair).collect();
            format!("{{{}}}", pairs.join(", "))
        }
        _ => shorten(&printable(&scalar(inner))),
    }
}

fn shorten(text: &str) -> String {
    match text.char_indices().nth(VALUE_CHARS) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

/// Control characters, which could rewrite a terminal, are shown as their escapes.
fn printable(text: &str) -> String {
    if !text.chars().any(char::is_control) {
        return text.to_owned();
    }
    let escape = |c: char| {
        if c.is_control() {
            c.escape_default().to_string()
        } else {
            c.to_string()
        }
    };
    text.chars().map(escape).collect()
}

fn service_name(resource: &Value) -> &str {
    list(&resource["attributes"])
        .iter()
        .find(|attribute| attribute["key"] == "service.name")
        .map_or("-", |attribute| text(&attribute["value"]["stringValue"]))
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn scalar(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

/// 64-bit integers are strings in OTLP JSON.
fn nanos(value: &Value) -> u64 {
    value
        .as_str()
        .and_then(|digits| digits.parse().ok())
        .or(value.as_u64())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn plain(signal: Signal, request: &Value, service: Option<&str>) -> Vec<String> {
        let lines = lines(signal, request, service, &TimeZone::UTC);
        lines
            .iter()
            .map(|line| anstream::adapter::strip_str(line).to_string())
            .collect()
    }

    #[test]
    fn a_span_is_one_line_without_control_characters() {
        let request = json!({"resourceSpans": [{
            "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]},
            "scopeSpans": [{"spans": [{
                "traceId": "0102", "name": "GET /\u{1b}[2J", "status": {"code": 2},
                "startTimeUnixNano": "1544712660000000000", "endTimeUnixNano": "1544712661000000000",
                "attributes": [{"key": "a", "value": {"arrayValue": {"values": [{"intValue": "1"}, {"boolValue": true}]}}}],
            }]}],
        }]});
        assert_eq!(
            plain(Signal::Traces, &request, None),
            [
                "2018-12-13 14:51:01.000 span  shop             ERROR   1000.00 ms  GET /\\u{1b}[2J  a=[1, true]  trace=0102"
            ]
        );
        assert!(plain(Signal::Traces, &request, Some("other")).is_empty());
    }

    #[test]
    fn points_and_logs_show_what_they_say() {
        let request = json!({"resourceMetrics": [{"scopeMetrics": [{"metrics": [
            {"name": "m", "unit": "s", "sum": {"dataPoints": [{"asInt": "7"}, {"asDouble": 1.5}]}},
            {"name": "h", "histogram": {"dataPoints": [{"count": "2", "sum": 3.5}]}},
        ]}]}]});
        let lines = plain(Signal::Metrics, &request, None);
        assert!(
            lines[0].contains("m 7 s") && lines[1].contains("m 1.5 s"),
            "{lines:?}"
        );
        assert!(lines[2].contains("h count=2 sum=3.5"), "{lines:?}");

        let request = json!({"resourceLogs": [{"scopeLogs": [{"logRecords": [
            {"severityNumber": 17, "body": {"stringValue": "x".repeat(100)}},
        ]}]}]});
        let lines = plain(Signal::Logs, &request, None);
        assert!(
            lines[0].contains("ERROR") && lines[0].ends_with('…'),
            "{lines:?}"
        );
    }
}
