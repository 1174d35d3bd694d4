//! An independent OTLP/gRPC sender (tonic and prost) that records what was acknowledged.

use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest,
};
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use tonic::transport::Channel;

/// Sends numbered spans on one connection.
pub struct Sender {
    client: TraceServiceClient<Channel>,
    name: u32,
    next: u64,
}

impl Sender {
    /// Connects to `endpoint` (`http://host:port`). `name` tells senders' ids apart; `next` is the
    /// number of the first span.
    ///
    /// # Errors
    /// Where nobody listens.
    pub async fn connect(
        endpoint: String,
        name: u32,
        next: u64,
    ) -> Result<Self, tonic::transport::Error> {
        let client = TraceServiceClient::connect(endpoint).await?;
        Ok(Sender { client, name, next })
    }

    /// The number of the next span.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// Sends `spans` spans in one request. The ids of all, if they were acknowledged.
    ///
    /// # Errors
    /// Where they were not; whether they were kept is then open.
    pub async fn send(&mut self, spans: u64) -> Result<Vec<String>, tonic::Status> {
        let numbers = self.next..self.next + spans;
        self.next += spans;
        let made: Vec<Span> = numbers.map(|number| span(self.name, number)).collect();
        let id = |bytes: &[u8]| {
            bytes
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect::<String>()
        };
        let ids = made
            .iter()
            .map(|span| format!("{}:{}", id(&span.trace_id), id(&span.span_id)));
        let ids = ids.collect();
        let scope = ScopeSpans {
            spans: made,
            ..ScopeSpans::default()
        };
        let resource = ResourceSpans {
            scope_spans: vec![scope],
            ..ResourceSpans::default()
        };
        let request = ExportTraceServiceRequest {
            resource_spans: vec![resource],
        };
        let answer = self.client.export(request).await?.into_inner();
        // The upstream Collector always sends one, without anything in it.
        let partial = answer.partial_success.unwrap_or_default();
        assert_eq!(partial, ExportTracePartialSuccess::default());
        Ok(ids)
    }
}

/// A span of about 700 bytes with 12 attributes.
fn span(name: u32, number: u64) -> Span {
    let attribute = |at: u64| KeyValue {
        key: format!("http.request.attribute.{at}"),
        value: Some(AnyValue {
            value: Some(Value::StringValue(format!(
                "value-{:016x}",
                number * 31 + at
            ))),
        }),
        ..KeyValue::default()
    };
    let mut trace_id = name.to_be_bytes().repeat(2);
    trace_id.extend_from_slice(&(number / 5 + 1).to_be_bytes());
    Span {
        trace_id,
        span_id: (number + 1).to_be_bytes().to_vec(),
        name: "GET /api/v1/orders/{orderId}/items".to_owned(),
        kind: 2,
        start_time_unix_nano: 1_764_000_000_000_000_000 + number * 1_000_003,
        end_time_unix_nano: 1_764_000_000_004_000_000 + number * 1_000_003,
        attributes: (0..12).map(attribute).collect(),
        ..Span::default()
    }
}
