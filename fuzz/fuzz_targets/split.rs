//! The parts of a well-formed request are well formed and hold all its items; bytes that were not
//! checked are refused or split, without panic.
#![no_main]

mod input;

use libfuzzer_sys::fuzz_target;
use otlp::ErrorKind;
use otlp::split::{Part, by_bytes, by_items, by_trace_id};

fuzz_target!(|data: &[u8]| {
    let Some(input::Input { signal, wire, number }) = input::input(data) else {
        return;
    };
    let checked = otlp::check(signal, &wire);
    let verify = |parts: Result<Vec<Part>, otlp::CheckError>| {
        let Ok(summary) = &checked else {
            return;
        };
        let parts = match parts {
            Ok(parts) => parts,
            Err(error) => return assert_eq!(error.kind(), ErrorKind::SplitTooLarge),
        };
        let mut items = 0;
        for part in &parts {
            let found = otlp::check(signal, &part.bytes).expect("a part is well formed");
            assert_eq!(found.items, part.items);
            items += part.items;
        }
        assert_eq!(items, summary.items);
    };
    verify(by_items(signal, &wire, u64::from(number % 16)));
    verify(by_bytes(signal, &wire, usize::from(number)));
    verify(by_trace_id(signal, &wire).map(|parts| parts.into_iter().map(|part| part.1).collect()));
});
