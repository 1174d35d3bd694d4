//! What `check` accepts, prost decodes and counts alike; a refusal points into the request.
#![no_main]

mod input;

use input::common::Request;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some(input::Input { signal, wire, .. }) = input::input(data) else {
        return;
    };
    match otlp::check(signal, &wire) {
        Ok(summary) => match Request::decode(signal, &wire) {
            Ok(request) => {
                let times = request.times();
                let known = || times.iter().flatten().copied().filter(|time| *time != 0);
                assert_eq!(summary.items, request.items());
                assert_eq!(summary.min_time_unix_nano, known().min().unwrap_or(0));
                assert_eq!(summary.max_time_unix_nano, known().max().unwrap_or(0));
            }
            // Prost's limit is on messages, ours on values, of which each may be three messages.
            Err(error) => assert!(error.to_string().contains("recursion limit"), "{error}"),
        },
        Err(error) => assert!(error.offset() < wire.len()),
    }
    for resource in otlp::view::resources(signal, &wire) {
        let _ = (resource.service_name(), resource.entity_refs().count());
        for scope in resource.scopes() {
            let _ = (scope.name(), scope.attributes().count());
            for span in scope.spans() {
                let _ = (span.name(), span.status_code(), span.events().count());
            }
            for record in scope.log_records() {
                let _ = (record.body(), record.attributes().map(|pair| pair.value()).count());
            }
            for point in scope.metrics().flat_map(|metric| metric.points()) {
                let _ = (point.value(), point.bucket_counts().count());
                let _ = (point.positive().bucket_counts().count(), point.quantiles().count());
            }
        }
    }
});
