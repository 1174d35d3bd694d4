//! Guarantees: libzstd reads back from a frame what was put in, whatever it was.
#![allow(missing_docs, clippy::unwrap_used, reason = "this is a test")]

use press::Compressor;
use proptest::prelude::*;

/// The frame's length.
fn there_and_back(compressor: &mut Compressor, raw: &[u8]) -> usize {
    let mut out = b"before".to_vec();
    assert!(compressor.compress(raw, &mut out));
    let frame = out.strip_prefix(b"before").unwrap();
    assert!(frame.len() <= Compressor::bound(raw.len()));
    let back = zstd::bulk::decompress(frame, raw.len()).unwrap();
    assert!(back == raw, "{} bytes came back as others", raw.len());
    frame.len()
}

/// Items that differ in a number, an id and a length, as spans do.
fn items(count: u64, seed: u64) -> Vec<u8> {
    let mut out = Vec::new();
    for n in 0..count {
        let mixed = (n + seed).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        out.extend_from_slice(&mixed.to_be_bytes());
        out.extend_from_slice(b"\x12\x15http.request.method\x12\x03GET");
        out.extend_from_slice(format!("/orders/{}/items", mixed % 10_007).as_bytes());
        out.extend_from_slice(&vec![b'x'; (mixed >> 60) as usize * 20]);
    }
    out
}

#[test]
fn every_length_around_the_limits() {
    let mut compressor = Compressor::new();
    let raw = items(20_000, 1);
    for length in (0..300).chain((131_072 - 100..131_072 + 100).step_by(7)) {
        there_and_back(&mut compressor, &raw[..length]);
        there_and_back(&mut compressor, &vec![7; length]);
    }
}

#[test]
fn long_matches_and_long_literals() {
    let mut compressor = Compressor::new();
    let zeros = vec![0; 1 << 20];
    assert!(there_and_back(&mut compressor, &zeros) < 300);
    let noise: Vec<u8> = (0..1u64 << 17)
        .flat_map(|n| {
            n.wrapping_mul(0x9e37_79b9_7f4a_7c15)
                .rotate_left(23)
                .wrapping_mul(n | 1)
                .to_le_bytes()
        })
        .collect();
    there_and_back(&mut compressor, &noise);
    // Noise twice: one match over many blocks, at a distance beyond libzstd's own default window.
    let twice = [noise.as_slice(), &noise].concat();
    there_and_back(&mut compressor, &twice);
    let mixed = [&noise[..70_000], &zeros[..70_000], &noise[..70_000]].concat();
    there_and_back(&mut compressor, &mixed);
}

#[test]
fn telemetry_gets_smaller() {
    let raw = items(5_000, 3);
    assert!(there_and_back(&mut Compressor::new(), &raw) * 3 < raw.len());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_bytes(raw in prop::collection::vec(any::<u8>(), 0..5_000)) {
        there_and_back(&mut Compressor::new(), &raw);
    }

    /// Few values, so that matches of all lengths and distances overlap.
    #[test]
    fn any_repetition(
        parts in prop::collection::vec((prop::collection::vec(0u8..3, 1..40), 1usize..60), 1..80)
    ) {
        let raw: Vec<u8> = parts.iter().flat_map(|(part, times)| part.repeat(*times)).collect();
        there_and_back(&mut Compressor::new(), &raw);
    }

    /// One compressor for inputs one after the other.
    #[test]
    fn any_items(seeds in prop::collection::vec((0u64..2_000, any::<u64>()), 1..4)) {
        let mut compressor = Compressor::new();
        for (count, seed) in seeds {
            there_and_back(&mut compressor, &items(count, seed));
        }
    }
}
