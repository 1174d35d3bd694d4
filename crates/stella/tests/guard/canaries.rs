//! Secrets in every place of OTLP, sent through the running gateway and looked for wherever data,
//! logs and pages come out of it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;

use super::BINARY;
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use tempfile::TempDir;
use testkit::canary;
use testkit::client::{self, JSON, PROTOBUF};
use testkit::messages::json;
use testkit::stella::{LISTEN, Stella};
use testkit::wait_for;

const SIGNALS: [&str; 3] = ["traces", "metrics", "logs"];

/// A secret, and the text that it is sent in.
struct Secret {
    text: &'static str,
    secret: &'static str,
}

/// What detectors find in any text.
const FOUND: [Secret; 3] = [
    Secret {
        text: "write to canary.person@mail.example-corp.com now",
        secret: "canary.person@mail.example-corp.com",
    },
    Secret {
        text: "paid with 4111 1111 1111 1111 yesterday",
        secret: "4111 1111 1111 1111",
    },
    Secret {
        text: "Authorization: Bearer canary0Token1Value2abcdefghijk",
        secret: "canary0Token1Value2",
    },
];
/// What no detector knows, but its key says what it is.
const NAMED: Secret = Secret {
    text: "hunter2canary",
    secret: "hunter2canary",
};

/// How often a secret is in some bytes: as it is, and as Base64 of something that holds it.
fn occurrences(secret: &str, bytes: &[u8]) -> usize {
    let encoded = (0..3).map(|shift| {
        let whole = &secret.as_bytes()[shift..];
        STANDARD_NO_PAD
            .encode(&whole[..whole.len() / 3 * 3])
            .into_bytes()
    });
    let needles = encoded.chain([secret.as_bytes().to_vec()]);
    needles
        .map(|needle| {
            let windows = bytes.windows(needle.len());
            windows.filter(|window| *window == needle).count()
        })
        .sum()
}

fn secrets() -> impl Iterator<Item = &'static str> {
    FOUND.iter().chain([&NAMED]).map(|secret| secret.secret)
}

/// Nothing of any secret.
fn assert_clean(place: &str, bytes: &[u8]) {
    for secret in secrets() {
        let count = occurrences(secret, bytes);
        assert_eq!(
            count,
            0,
            "{secret} is in {place}: {}",
            String::from_utf8_lossy(bytes)
        );
    }
}

/// All files below a folder.
fn files(folder: &Path, found: &mut Vec<std::path::PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else {
            found.push(path);
        }
    }
}

fn bytes_below(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    if folder.exists() {
        files(folder, &mut found);
    }
    let read = |path: std::path::PathBuf| {
        let content = std::fs::read(&path).unwrap_or_default();
        (path.display().to_string(), content)
    };
    found.into_iter().map(read).collect()
}

/// A destination that refuses every request for good; its endpoint.
fn refusing() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || refuse(stream));
        }
    });
    endpoint
}

fn refuse(stream: TcpStream) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut stream = stream;
    loop {
        let mut length = 0;
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).ok()? == 0 {
                return None;
            }
            let line = line.trim().to_lowercase();
            if let Some(value) = line.strip_prefix("content-length: ") {
                length = value.parse().ok()?;
            }
            if line.is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        let answer = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n";
        stream.write_all(answer).ok()?;
    }
}

/// A gateway and the folder of its files.
struct Site {
    stella: Stella,
    files: TempDir,
}

/// A gateway with this `redaction`, three destinations, and a log that says everything.
fn start(redaction: &str) -> Site {
    let files = tempfile::tempdir().unwrap();
    let path = files.path().display();
    let profile = format!(
        "redaction: {redaction}\nship:\n  - {{ name: json, file: {{ path: {path}/json }} }}\n  \
         - {{ name: proto, file: {{ path: {path}/proto, format: proto }} }}\n  \
         - {{ name: refusing, otlp: {{ endpoint: '{}', protocol: http }} }}\n",
        refusing()
    );
    let stella = Stella::start_with(BINARY, LISTEN, &profile, &["--log", "trace"]);
    Site { stella, files }
}

/// Sends all secrets to all places, in protobuf over gRPC and in JSON over HTTP. How often each
/// secret was sent, in the order of [`secrets`].
fn send_everything(stella: &Stella) -> Vec<usize> {
    let mut sent = vec![0; FOUND.len() + 1];
    for signal in SIGNALS {
        let mut requests: Vec<_> = FOUND
            .iter()
            .map(|secret| canary::everywhere(signal, secret.text.as_bytes()))
            .collect();
        requests.push(canary::under_key(signal, "password", NAMED.text.as_bytes()));
        for ((request, count), sent) in requests.into_iter().zip(&mut sent) {
            assert!(count > 5, "{signal} has {count} places");
            let body = json(signal, &request);
            let answer = client::post(stella.at().http, signal, JSON, &[], &body);
            assert_eq!(answer.code, 200, "{answer:?}");
            let answer = client::call(stella.at().grpc, signal, &[], request);
            assert_eq!(answer.code, 0, "{answer:?}");
            *sent += 2 * count;
        }
    }
    sent
}

/// Items of all signals that were counted.
fn items(stella: &Stella, counted: &str) -> f64 {
    ["spans", "metric_points", "log_records"]
        .iter()
        .map(|items| stella.metric(&format!("otelcol_{counted}_{items}")))
        .sum()
}

/// Everything that comes out of a gateway: the place's name, and the bytes.
fn outputs(site: &Site) -> Vec<(String, Vec<u8>)> {
    let Site { stella, files } = site;
    let all = items(stella, "receiver_accepted");
    assert!(all > 100.0, "{all} items");
    wait_for("every item to be refused and put aside", || {
        stella.metric("stella_shipper_dead_letter_items_total") >= all
    });
    wait_for("the files", || items(stella, "exporter_sent") >= 2.0 * all);
    let mut outputs = vec![
        ("the dump".to_owned(), stella.dump().into_bytes()),
        (
            "the tail".to_owned(),
            stella.print(&["tail", "-n", "100000"]).into_bytes(),
        ),
        ("the log".to_owned(), stella.log().into_bytes()),
        (
            "the status".to_owned(),
            stella.print(&["status", "--output", "json"]).into_bytes(),
        ),
    ];
    for (addr, path) in [
        (stella.at().metrics, "/metrics"),
        (stella.at().health, "/status"),
    ] {
        outputs.push((path.to_owned(), stella.page(addr, path).into_bytes()));
    }
    outputs.extend(bytes_below(&stella.data_dir()));
    outputs.extend(bytes_below(files.path()));
    outputs
}

/// Guarantees: REDACT-FIRST; with each policy that ships inside the binary, a secret in any string
/// or bytes of any signal, found by a detector or named by its key, sent over gRPC and as JSON over
/// HTTP, is nowhere: not in the journal's files or dump, in files and dead letters of destinations,
/// in `tail`, in the log (at its most talkative), or on a page of the gateway's own.
#[test]
fn no_secret_comes_out() {
    for policy in ["default", "forensic", "airgap"] {
        let site = start(&format!("{{ policy: {policy} }}"));
        send_everything(&site.stella);
        let outputs = outputs(&site);
        for part in ["/journal/", "/dead-letters/", "/json/", "/proto/"] {
            let some = outputs
                .iter()
                .any(|(name, bytes)| name.contains(part) && !bytes.is_empty());
            assert!(some, "nothing is in {part}");
        }
        for (place, bytes) in &outputs {
            assert_clean(&format!("{place} with {policy}"), bytes);
        }
        assert!(site.stella.metric("stella_guard_redactions_total") > 0.0);
    }
}

/// Guarantees: the test above can fail. Without redaction every secret that was sent is in the dump
/// and the files as often as it was sent, and in dead letters and `tail`.
#[test]
fn without_redaction_every_secret_comes_out() {
    let site = start("{ enabled: false }");
    let sent = send_everything(&site.stella);
    let outputs = outputs(&site);
    let files = [site.files.path(), &site.stella.data_dir()].map(|path| path.display().to_string());
    // A place's own name, or a folder of files.
    let count = |part: &str, secret: &str| -> usize {
        let is_file = |name: &str| files.iter().any(|folder| name.starts_with(folder));
        let of_part = outputs
            .iter()
            .filter(|(name, _)| name == part || is_file(name) && name.contains(part));
        let of_part = of_part.filter(|(name, _)| part != "/metrics" || name == part);
        of_part.map(|(_, bytes)| occurrences(secret, bytes)).sum()
    };
    for (secret, sent) in secrets().zip(sent) {
        for place in ["the dump", "/json/", "/proto/"] {
            assert_eq!(count(place, secret), sent, "{secret} in {place}");
        }
        for place in ["the tail", "/dead-letters/"] {
            assert!(count(place, secret) > 0, "{secret} in {place}");
        }
        assert_eq!(count("the log", secret), 0, "{secret} in the log");
        assert_eq!(count("/metrics", secret), 0, "{secret} on /metrics");
    }
}

/// Guarantees: REDACT-FIRST; a request that is refused is not repeated, neither to its sender nor
/// in the log: malformed JSON and protobuf, wrong values, paths, headers and encodings that hold a
/// secret.
#[test]
fn refusals_do_not_repeat_what_was_sent() {
    let site = start("{ policy: default }");
    let stella = &site.stella;
    let at = stella.at();
    for Secret { text, secret } in FOUND.iter().chain([&NAMED]) {
        let span = |field: &str| {
            format!("{{\"resourceSpans\":[{{\"scopeSpans\":[{{\"spans\":[{{{field}}}]}}]}}]}}")
        };
        let bodies = [
            (*text).to_owned(),
            format!("{{\"{text}"),
            format!("{{\"{text}\": "),
            format!("{{\"resourceSpans\": \"{text}\"}}"),
            span(&format!("\"traceId\": \"{text}\"")),
            span(&format!("\"startTimeUnixNano\": \"{text}\"")),
            span(&format!("\"kind\": \"{text}\"")),
            span(&format!("\"name\": [\"{text}\"]")),
            span(&format!("\"name\": \"{text}\", \"name\": 1")),
            span(&format!("\"name\": \"\\uD800{text}\"")),
            span(&format!(
                "\"attributes\": [{{\"key\": \"k\", \"value\": {{\"intValue\": \"{text}\"}}}}]"
            )),
            span(&format!(
                "\"attributes\": [{{\"key\": \"k\", \"value\": {{\"bytesValue\": \"{text}!\"}}}}]"
            )),
        ];
        for body in &bodies {
            let answer = client::post(at.http, "traces", JSON, &[], body.as_bytes());
            assert_eq!(answer.code, 400, "{body}: {answer:?}");
            assert_clean(body, &answer.body);
        }
        let good = canary::everywhere("logs", text.as_bytes()).0;
        let not_text = [text.as_bytes(), b"\xff"].concat();
        // A trace id of another length, a string that is no text, and messages cut short.
        let wrong = [
            canary::plant(&[1, 2, 2, 9], text.as_bytes()),
            canary::plant(&[1, 2, 2, 3], &not_text),
            good[..good.len() - 3].to_vec(),
            text.as_bytes().to_vec(),
        ];
        for body in wrong {
            let answer = client::post(at.http, "logs", PROTOBUF, &[], &body);
            assert_eq!(answer.code, 400, "{answer:?}");
            assert_clean("an answer", &answer.body);
            let answer = client::call(at.grpc, "logs", &[], body);
            assert_eq!(answer.code, 3, "{answer:?}");
            assert_clean("an answer", answer.message.as_bytes());
        }
        let odd = [
            client::post(at.http, &secret.replace(' ', "-"), PROTOBUF, &[], &good),
            client::post(at.http, "logs", secret, &[], &good),
            client::post(
                at.http,
                "logs",
                PROTOBUF,
                &[("content-encoding", secret)],
                &good,
            ),
            client::post(
                at.http,
                "logs",
                PROTOBUF,
                &[("content-encoding", "gzip")],
                text.as_bytes(),
            ),
            client::post(at.http, "logs", PROTOBUF, &[("x-scope-orgid", secret)], b""),
        ];
        for (answer, code) in odd.iter().zip([404, 415, 415, 400, 200]) {
            assert_eq!(answer.code, code, "{answer:?}");
            assert_clean("an answer", &answer.body);
        }
    }
    assert_clean("the log", stella.log().as_bytes());
    assert_clean("/metrics", stella.page(at.metrics, "/metrics").as_bytes());
    assert_eq!(stella.dump(), "");
}
