//! The wire engine alone, against prost on the same bytes: least times, as many runs as fit into
//! two seconds each.

use std::hint::black_box;
use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use otlp::Signal;
use otlp::edit::{AttributeChange, Edited, Editor, Place, edit};
use otlp::schema::MessageId;
use otlp::view::KeyValue;
use prost::Message;

/// One operation done by both.
pub struct Compared {
    pub name: &'static str,
    pub gb_per_second: f64,
    pub times_prost: f64,
}

/// Check against decode; edit against decode, change, encode.
pub fn all(request: &[u8]) -> Vec<Compared> {
    let (mut out, mut prosts) = (Vec::new(), Vec::new());
    drop_three(request, &mut out);
    prost_drops_three(request, &mut prosts);
    assert!(out == prosts, "both come to the same");
    vec![
        compared(
            "check against prost decode",
            request,
            || {
                black_box(otlp::check(Signal::Traces, black_box(request)).expect("good"));
            },
            || {
                let decoded = ExportTraceServiceRequest::decode(black_box(request));
                black_box(decoded.expect("good"));
            },
        ),
        compared(
            "edit dropping 3 of 12 attributes against prost decode, change, encode",
            request,
            || drop_three(black_box(request), &mut out),
            || prost_drops_three(black_box(request), &mut prosts),
        ),
    ]
}

fn compared(
    name: &'static str,
    request: &[u8],
    ours: impl FnMut(),
    prosts: impl FnMut(),
) -> Compared {
    let (ours, prosts) = (least(ours), least(prosts));
    Compared {
        name,
        gb_per_second: request.len() as f64 / ours.as_nanos() as f64,
        times_prost: prosts.as_secs_f64() / ours.as_secs_f64(),
    }
}

fn least(mut run: impl FnMut()) -> Duration {
    let begun = Instant::now();
    let mut least = Duration::MAX;
    while begun.elapsed() < Duration::from_secs(2) {
        let start = Instant::now();
        run();
        least = least.min(start.elapsed());
    }
    least
}

fn unwanted(key: &[u8]) -> bool {
    matches!(key, b"url.scheme" | b"server.address" | b"enduser.id")
}

struct DropThree;

impl Editor for DropThree {
    fn attribute(&mut self, place: Place, attribute: KeyValue<'_>) -> AttributeChange<'_> {
        if place.owner.id == MessageId::Span && unwanted(attribute.key_bytes()) {
            AttributeChange::Drop
        } else {
            AttributeChange::Keep
        }
    }
}

fn drop_three(request: &[u8], out: &mut Vec<u8>) {
    let edited = edit(Signal::Traces, request, &mut DropThree, out);
    assert_eq!(edited, Ok(Edited::Changed));
    black_box(out.as_slice());
}

fn prost_drops_three(request: &[u8], out: &mut Vec<u8>) {
    let mut decoded = ExportTraceServiceRequest::decode(request).expect("good");
    let spans = decoded
        .resource_spans
        .iter_mut()
        .flat_map(|resource| &mut resource.scope_spans)
        .flat_map(|scope| &mut scope.spans);
    for span in spans {
        span.attributes
            .retain(|attribute| !unwanted(attribute.key.as_bytes()));
    }
    out.clear();
    decoded.encode(out).expect("has room");
    black_box(out.as_slice());
}
