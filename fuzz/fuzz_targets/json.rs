//! What JSON decodes to is well formed; and once through JSON and back, a request stays as it is.
#![no_main]

mod input;

use libfuzzer_sys::fuzz_target;
use otlp::{Signal, check, json};

/// To JSON and back.
fn there_and_back(signal: Signal, wire: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    json::encode(signal, wire, &mut text).expect("a well-formed request encodes");
    assert!(!text.contains(&b'\n'), "one line");
    let decoded = json::decode(signal, &text).expect("our own JSON decodes");
    check(signal, &decoded).expect("what was decoded is well formed");
    decoded
}

fuzz_target!(|data: &[u8]| {
    let Some(input::Input { signal, wire, .. }) = input::input(data) else {
        return;
    };
    if let Ok(decoded) = json::decode(signal, &wire) {
        check(signal, &decoded).expect("what was decoded is well formed");
        let once = there_and_back(signal, &decoded);
        assert_eq!(there_and_back(signal, &once), once);
    }
    if let Ok(summary) = check(signal, &wire) {
        let once = there_and_back(signal, &wire);
        assert_eq!(check(signal, &once), Ok(summary));
        assert_eq!(there_and_back(signal, &once), once);
    }
});
