//! The layouts round-trip, and no flipped bit goes unnoticed.

use ident::Signal;

use super::*;

fn header() -> BlockHeader {
    BlockHeader {
        codec: Codec::Zstd,
        owner: Some(("acme".parse().unwrap(), Signal::Logs)),
        records: 3,
        stored_bytes: 1000,
        raw_bytes: 5000,
        payload_crc: 0x1234_5678,
        items: 42,
        min_time_unix_nano: 7,
        max_time_unix_nano: 9,
        appended_unix_nano: 11,
        offset: 64,
    }
}

#[test]
fn every_flipped_bit_of_a_block_header_is_noticed() {
    let salt = [7; 12];
    let mut bytes = Vec::new();
    header().encode(&salt, &mut bytes);
    assert_eq!(bytes.len(), header().header_bytes());
    assert_eq!(BlockHeader::decode(&bytes, &salt, 64), Some(header()));
    assert_eq!(BlockHeader::decode(&bytes, &salt, 65), None, "misplaced");
    assert_eq!(
        BlockHeader::decode(&bytes, &[8; 12], 64),
        None,
        "another segment's"
    );
    for bit in 0..bytes.len() * 8 {
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(BlockHeader::decode(&bytes, &salt, 64), None, "bit {bit}");
        bytes[bit / 8] ^= 1 << (bit % 8);
    }
    for len in 0..bytes.len() {
        assert_eq!(BlockHeader::decode(&bytes[..len], &salt, 64), None);
    }
}

#[test]
fn every_flipped_bit_of_a_segment_header_is_noticed() {
    let header = SegmentHeader {
        id: 5,
        created_unix_nano: 6,
        salt: [1; 12],
    };
    let mut bytes = header.encode();
    assert_eq!(SegmentHeader::decode(&bytes), Ok(header));
    for bit in 0..bytes.len() * 8 {
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(
            SegmentHeader::decode(&bytes),
            Err(HeaderFault::Damaged),
            "bit {bit}"
        );
        bytes[bit / 8] ^= 1 << (bit % 8);
    }
}

#[test]
fn a_newer_version_is_told_apart_from_damage() {
    let mut bytes = SegmentHeader {
        id: 5,
        created_unix_nano: 6,
        salt: [1; 12],
    }
    .encode();
    bytes[8] = 2;
    let crc = crc32c::crc32c(&bytes[..60]).to_le_bytes();
    bytes[60..].copy_from_slice(&crc);
    assert_eq!(SegmentHeader::decode(&bytes), Err(HeaderFault::TooNew(2)));
}

#[test]
fn index_and_trailer_round_trip_and_notice_every_flipped_bit() {
    let mut index = Index::default();
    index.add(&header());
    let mut gap = header();
    gap.codec = Codec::Gap;
    gap.owner = None;
    gap.offset = header().offset + header().total_bytes();
    index.add(&gap);
    let salt = [3; 12];
    let mut bytes = index.encode(&salt);
    assert_eq!(bytes.len() as u64 + TRAILER_BYTES, index.encoded_bytes());
    let read = Index::decode(&bytes, &salt).unwrap();
    assert_eq!(read.entries, index.entries);
    assert_eq!(read.tenants, index.tenants);
    assert_eq!(read.summary, index.summary);
    for bit in 0..bytes.len() * 8 {
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert!(Index::decode(&bytes, &salt).is_none(), "bit {bit}");
        bytes[bit / 8] ^= 1 << (bit % 8);
    }

    let trailer = Trailer {
        sha256: [9; 32],
        index_offset: 100,
        index_bytes: bytes.len() as u64,
    };
    let file = 100 + bytes.len() as u64 + TRAILER_BYTES;
    let encoded = trailer.encode();
    assert_eq!(Trailer::decode(&encoded, file), Some(trailer));
    assert_eq!(Trailer::decode(&encoded, file + 1), None);
}
