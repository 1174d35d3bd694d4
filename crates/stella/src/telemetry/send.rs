//! `send`: posts OTLP files to a gateway, or to any OTLP receiver.

use std::io::Write;
use std::path::Path;

use serde::Serialize;
use shipper::Connector;
use shipper::otlp::{Config, Protocol, Sender};

use super::data_dir::{DataDir, Encrypted};
use super::{otlp_file, tls, told};
use crate::cli::{self, Transport};
use crate::error::{CliError, CliResult, Exit};
use crate::output::{self, Format};

/// What `--output json` prints for a file.
#[derive(Serialize)]
struct Sent {
    file: String,
    requests: usize,
    spans: u64,
    metric_points: u64,
    log_records: u64,
}

/// Sends the files in order and stops at the first that is not taken.
pub fn run(args: &cli::Send) -> CliResult {
    let sender = sender(args)?;
    let runtime = super::runtime()?;
    let mut out = output::stdout();
    for file in &args.files {
        let parcels = otlp_file::read(file, args.signal)?;
        let mut items = [0; 3];
        for (at, parcel) in parcels.iter().enumerate() {
            runtime
                .block_on(sender.send(parcel.signal, parcel.payload.clone()))
                .map_err(|error| refused(file, at + 1, &error))?;
            items[usize::from(parcel.signal.code() - 1)] += parcel.items;
        }
        let [spans, metric_points, log_records] = items;
        if args.output == Format::Json {
            let requests = parcels.len();
            let sent = Sent {
                file: file.display().to_string(),
                requests,
                spans,
                metric_points,
                log_records,
            };
            output::print_json(&mut out, &sent)?;
        } else {
            writeln!(
                out,
                "{}: {spans} spans, {metric_points} metric points, {log_records} log records acknowledged",
                file.display()
            )?;
        }
    }
    Ok(Exit::Success)
}

fn sender(args: &cli::Send) -> CliResult<Sender> {
    let endpoint = match &args.endpoint {
        Some(endpoint) => endpoint.clone(),
        None => {
            let running = DataDir::of(&args.data_dir)?.running();
            let grpc = args.protocol == Transport::Grpc;
            let (addr, encrypted) = match running {
                Some(running) if grpc => (running.grpc.to_string(), running.tls.grpc),
                Some(running) => (running.http.to_string(), running.tls.http),
                None if grpc => ("127.0.0.1:4317".to_owned(), args.tls.ca.is_some()),
                None => ("127.0.0.1:4318".to_owned(), args.tls.ca.is_some()),
            };
            format!("{}://{addr}", Encrypted::scheme(encrypted))
        }
    };
    let url = url::Url::parse(&endpoint).map_err(|error| {
        CliError::new(Exit::Usage, format!("--endpoint: {error}"))
            .hint("write it as in http://127.0.0.1:4317")
    })?;
    let encrypted = url.scheme() == "https";
    let mut config = Config {
        protocol: match args.protocol {
            Transport::Grpc => Protocol::Grpc,
            Transport::Http => Protocol::Http,
        },
        ..Config::new(url)
    };
    config.tls = tls::of_flags(&args.tls, config.alpn())?;
    if encrypted && config.tls.is_none() {
        return Err(tls::no_ca(&endpoint));
    }
    Sender::new(&config, Connector::open())
        .map_err(|error| told(Exit::Usage, &format!("--endpoint: {error}")))
}

fn refused(file: &Path, request: usize, error: &shipper::otlp::SendError) -> CliError {
    let text = error.to_string();
    // The shipper's message is one line, with its hint at the end.
    let (what, hint) = match text.split_once("hint: ") {
        Some((what, hint)) => (what.trim_end_matches([' ', '(']), Some(hint)),
        None => (text.as_str(), None),
    };
    let message = format!(
        "{}: request {request} was not taken: {what}",
        file.display()
    );
    let wrong = CliError::new(Exit::Unavailable, message);
    if let Some(hint) = hint {
        wrong.hint(hint.trim_end_matches(')'))
    } else if error.retryable {
        wrong.hint("is a gateway running? start one with `stella telemetry up`, or name it with --endpoint")
    } else {
        wrong
    }
}
