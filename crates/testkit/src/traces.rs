//! Traces as a test wants them, sent by an independent OTLP/gRPC client, and what a sampler that
//! follows OpenTelemetry's consistent probability must do with them.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::logs::v1::logs_service_client::LogsServiceClient;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use tonic::transport::Channel;

/// A span to be sent.
#[derive(Clone, Debug)]
pub struct One {
    /// Its trace.
    pub trace: [u8; 16],
    /// Its id.
    pub id: u64,
    /// `service.name`.
    pub service: &'static str,
    /// Whether its status is ERROR.
    pub error: bool,
}

impl One {
    /// `<trace id>:<span id>` in lower-case hex, as [`Ids`](crate::ids::Ids) has it.
    pub fn name(&self) -> String {
        format!("{}:{}", hex(&self.trace), hex(&self.id.to_be_bytes()))
    }

    /// Whether consistent probability sampling keeps its trace: the last seven bytes of the trace
    /// id are at least the rejection threshold.
    pub fn is_in_percentage(&self, percentage: f64) -> bool {
        let mut randomness = [0; 8];
        randomness[1..].copy_from_slice(&self.trace[9..]);
        let threshold = (1.0 - percentage / 100.0) * (1_u64 << 56) as f64;
        u64::from_be_bytes(randomness) as f64 >= threshold
    }
}

/// Sends on one connection.
pub struct Sender {
    traces: TraceServiceClient<Channel>,
    logs: LogsServiceClient<Channel>,
}

impl Sender {
    /// Connects to `http://host:port`.
    ///
    /// # Errors
    /// Where nobody listens.
    pub async fn connect(endpoint: String) -> Result<Self, tonic::transport::Error> {
        let channel = Channel::from_shared(endpoint)
            .expect("an endpoint")
            .connect()
            .await?;
        Ok(Sender {
            traces: TraceServiceClient::new(channel.clone()),
            logs: LogsServiceClient::new(channel),
        })
    }

    /// Sends spans in one request.
    ///
    /// # Errors
    /// Where they were not acknowledged.
    pub async fn send(&mut self, spans: &[One]) -> Result<(), tonic::Status> {
        let of = |one: &One| ResourceSpans {
            resource: Some(resource(one.service)),
            scope_spans: vec![ScopeSpans {
                spans: vec![span(one)],
                ..ScopeSpans::default()
            }],
            ..ResourceSpans::default()
        };
        let request = ExportTraceServiceRequest {
            resource_spans: spans.iter().map(of).collect(),
        };
        self.export(request).await
    }

    /// Sends a request as it is.
    ///
    /// # Errors
    /// Where it was not acknowledged.
    pub async fn export(
        &mut self,
        request: ExportTraceServiceRequest,
    ) -> Result<(), tonic::Status> {
        self.traces.export(request).await.map(drop)
    }

    /// Sends log records in one request: each with the id of a trace (or none), and a `test.id`.
    ///
    /// # Errors
    /// Where they were not acknowledged.
    pub async fn send_logs(
        &mut self,
        records: &[(Option<[u8; 16]>, String)],
    ) -> Result<(), tonic::Status> {
        let of = |(trace, id): &(Option<[u8; 16]>, String)| LogRecord {
            trace_id: trace.map(Vec::from).unwrap_or_default(),
            body: Some(text("a line")),
            attributes: vec![attribute("test.id", id)],
            ..LogRecord::default()
        };
        let request = ExportLogsServiceRequest {
            resource_logs: vec![ResourceLogs {
                resource: Some(resource("logs")),
                scope_logs: vec![ScopeLogs {
                    log_records: records.iter().map(of).collect(),
                    ..ScopeLogs::default()
                }],
                ..ResourceLogs::default()
            }],
        };
        self.logs.export(request).await.map(drop)
    }
}

fn span(one: &One) -> Span {
    let status = one.error.then(|| Status {
        code: 2,
        ..Status::default()
    });
    Span {
        trace_id: one.trace.to_vec(),
        span_id: one.id.to_be_bytes().to_vec(),
        name: "GET /".to_owned(),
        kind: 2,
        start_time_unix_nano: 1_764_000_000_000_000_000,
        end_time_unix_nano: 1_764_000_000_004_000_000,
        attributes: vec![attribute("http.request.method", "GET")],
        status,
        ..Span::default()
    }
}

fn resource(service: &str) -> Resource {
    Resource {
        attributes: vec![attribute("service.name", service)],
        ..Resource::default()
    }
}

fn attribute(key: &str, value: &str) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(text(value)),
        ..KeyValue::default()
    }
}

fn text(value: &str) -> AnyValue {
    AnyValue {
        value: Some(Value::StringValue(value.to_owned())),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
