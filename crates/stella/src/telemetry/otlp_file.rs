//! OTLP files: JSON, JSON lines or protobuf, from a file or from standard input.

use std::io::Read;
use std::path::Path;

use bytes::Bytes;
use ident::Signal;

use crate::error::{CliError, CliResult, Exit};

/// The largest file that is read.
const FILE_BYTES: u64 = 256 << 20;

/// One request out of a file.
pub struct Parcel {
    /// What it holds.
    pub signal: Signal,
    /// How many spans, data points or log records.
    pub items: u64,
    /// Its protobuf, checked.
    pub payload: Bytes,
}

/// The requests in a file, `-` for standard input. `wanted` says what they hold, where that is
/// known.
pub fn read(file: &Path, wanted: Option<Signal>) -> CliResult<Vec<Parcel>> {
    parcels(file, &content(file)?, wanted)
}

fn content(file: &Path) -> CliResult<Vec<u8>> {
    let mut content = Vec::new();
    let read = if file == Path::new("-") {
        std::io::stdin()
            .lock()
            .take(FILE_BYTES + 1)
            .read_to_end(&mut content)
    } else {
        std::fs::File::open(file)
            .and_then(|file| file.take(FILE_BYTES + 1).read_to_end(&mut content))
    };
    read.map_err(|error| CliError::new(Exit::BadInput, format!("{}: {error}", file.display())))?;
    if content.len() as u64 > FILE_BYTES {
        let message = format!("{} is larger than {FILE_BYTES} bytes", file.display());
        return Err(CliError::new(Exit::BadInput, message).hint("divide it into smaller files"));
    }
    Ok(content)
}

/// The requests in a file: one JSON value, one on each line, or one protobuf message.
fn parcels(file: &Path, content: &[u8], wanted: Option<Signal>) -> CliResult<Vec<Parcel>> {
    let wrong = |what: &str| CliError::new(Exit::BadInput, format!("{}: {what}", file.display()));
    if content.trim_ascii().is_empty() {
        return Err(wrong("the file is empty"));
    }
    if content.trim_ascii_start().first() != Some(&b'{') {
        return Ok(vec![protobuf(content, wanted).map_err(|what| {
            wrong(&what).hint("say what it holds with --signal traces, metrics or logs")
        })?]);
    }
    if let Ok(parcel) = json(content, wanted) {
        return Ok(vec![parcel]);
    }
    let lines: Vec<&[u8]> = content
        .split(|byte| *byte == b'\n')
        .map(<[u8]>::trim_ascii)
        .filter(|line| !line.is_empty())
        .collect();
    let whole = lines.first().is_some_and(|line| json(line, wanted).is_ok());
    if !whole {
        return json(content, wanted)
            .map(|parcel| vec![parcel])
            .map_err(|what| wrong(&what));
    }
    let each = lines.iter().enumerate();
    each.map(|(at, line)| {
        json(line, wanted).map_err(|what| wrong(&format!("request {}: {what}", at + 1)))
    })
    .collect()
}

/// The signal whose decoding finds items; JSON of another signal has only unknown fields.
fn json(content: &[u8], wanted: Option<Signal>) -> Result<Parcel, String> {
    let mut last =
        "the file holds no OTLP: none of resourceSpans, resourceMetrics, resourceLogs has items"
            .to_owned();
    for signal in Signal::ALL
        .into_iter()
        .filter(|signal| wanted.is_none_or(|w| w == *signal))
    {
        match otlp::json::decode(signal, content) {
            Ok(payload) => {
                let summary = otlp::check(signal, &payload).map_err(|error| error.to_string())?;
                if summary.items > 0 {
                    let payload = Bytes::from(payload);
                    return Ok(Parcel {
                        signal,
                        items: summary.items,
                        payload,
                    });
                }
            }
            Err(error) => last = format!("not OTLP {signal} JSON: {error}"),
        }
    }
    Err(last)
}

fn protobuf(content: &[u8], wanted: Option<Signal>) -> Result<Parcel, String> {
    let fits = |signal: &Signal| {
        otlp::check(*signal, content)
            .ok()
            .filter(|summary| summary.items > 0)
    };
    let mut fitting = Signal::ALL
        .into_iter()
        .filter(|signal| wanted.is_none_or(|w| w == *signal))
        .filter_map(|signal| fits(&signal).map(|summary| (signal, summary)));
    match (fitting.next(), fitting.next()) {
        (Some((signal, summary)), None) => {
            let payload = Bytes::copy_from_slice(content);
            Ok(Parcel {
                signal,
                items: summary.items,
                payload,
            })
        }
        (Some(_), Some(_)) => Err("the protobuf fits more than one signal".to_owned()),
        (None, _) => Err("the file is neither OTLP JSON nor an OTLP protobuf request".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"name":"a","traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174"}]}]}]}"#;
    const LOG: &str =
        r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"stringValue":"hello"}}]}]}]}"#;

    fn signals(content: &str) -> CliResult<Vec<Signal>> {
        let parcels = parcels(Path::new("f"), content.as_bytes(), None)?;
        Ok(parcels.iter().map(|parcel| parcel.signal).collect())
    }

    #[test]
    fn a_file_tells_what_it_holds() {
        assert_eq!(signals(TRACE).unwrap(), [Signal::Traces]);
        assert_eq!(
            signals(&format!("{TRACE}\n{LOG}\n\n")).unwrap(),
            [Signal::Traces, Signal::Logs]
        );
        assert!(signals("").is_err());
        assert!(signals("{}").is_err());
        assert!(signals(&format!("{TRACE}\n{{oops")).is_err());
    }

    #[test]
    fn protobuf_is_told_apart_where_it_can_be() {
        let payload = otlp::json::decode(Signal::Traces, TRACE.as_bytes()).unwrap();
        let parcel = protobuf(&payload, Some(Signal::Traces)).unwrap();
        assert_eq!((parcel.signal, parcel.items), (Signal::Traces, 1));
        assert!(protobuf(b"\xff\xff", None).is_err());
    }
}
