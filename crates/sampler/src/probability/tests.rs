use super::*;

/// `th` as it is written: 14 digits without trailing zeros.
fn th(percentage: f64) -> String {
    let digits = format!("{:014x}", threshold(percentage).expect("samples something"));
    match digits.trim_end_matches('0') {
        "" => "0".to_owned(),
        digits => digits.to_owned(),
    }
}

/// Vectors of upstream's `pkg/sampling` (exact thresholds).
#[test]
fn thresholds_are_those_of_upstream() {
    for (probability, expected) in [
        (1.0, "0"),
        (0.5, "8"),
        (1.0 / 3.0, "aaaaaaaaaaaaac"),
        (2.0 / 3.0, "55555555555558"),
        (1.0 - 84.0 / 256.0, "54"),
        (1.0 - 1.0 / 256.0, "01"),
        (0.25, "c"),
        (0.125, "e"),
        (0.0625, "f"),
    ] {
        // A percentage may be off by one in the last place, which a probability is not.
        let exact = MAX - (probability * MAX as f64).round() as u64;
        let digits = format!("{exact:014x}");
        let digits = digits.trim_end_matches('0');
        assert_eq!(if digits.is_empty() { "0" } else { digits }, expected);
        let ours = threshold(probability * 100.0).expect("samples something");
        assert!(
            ours.abs_diff(exact) <= 16,
            "{probability}: {ours:x} {exact:x}"
        );
    }
    for (percentage, expected) in [(100.0, "0"), (150.0, "0"), (50.0, "8"), (25.0, "c")] {
        assert_eq!(th(percentage), expected);
    }
    assert_eq!(threshold(0.0), None);
    assert_eq!(threshold(-1.0), None);
    assert_eq!(threshold(f64::NAN), None);
    assert_eq!(threshold(100.0 / MAX as f64), Some(MAX - 1));
}

/// The table of the specification, to its 5 digits: 1-in-N and the threshold.
#[test]
fn thresholds_are_those_of_the_specification() {
    for (n, digits) in [
        (3u32, "aaaab"),
        (5, "ccccd"),
        (10, "e6666"),
        (100, "fd70a4"),
        (1000, "ffbe76d"),
        (10_000, "fff97247"),
        (100_000, "ffff583a5"),
        (1_000_000, "ffffef391"),
    ] {
        let exact = threshold(100.0 / f64::from(n)).expect("samples something");
        let written = u64::from_str_radix(digits, 16).expect("hex");
        let unit = 1u64 << (4 * (14 - digits.len()));
        let rounded = (exact + unit / 2) / unit;
        assert_eq!(rounded, written, "1 in {n}");
    }
}

/// Upstream's boundary cases for a probability of one half.
#[test]
fn the_last_seven_bytes_are_the_randomness() {
    let half = threshold(50.0).expect("samples something");
    for (tail, sampled) in [
        ([0x00, 0, 0, 0, 0, 0, 0], false),
        ([0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], false),
        ([0x80, 0, 0, 0, 0, 0, 0], true),
        ([0xff; 7], true),
    ] {
        let mut id = [0xee; 16];
        id[9..].copy_from_slice(&tail);
        assert_eq!(randomness(&id) >= half, sampled, "{tail:x?}");
    }
}

#[test]
fn otel_members_are_read_and_malformed_ones_are_missing() {
    let read = |text: &str| {
        let state = otel_state(text.as_bytes());
        (state.rv, state.th)
    };
    assert_eq!(read("ot=th:0"), (None, Some(0)));
    assert_eq!(read("ot=th:8"), (None, Some(1 << 55)));
    assert_eq!(read("ot=th:fd70a4"), (None, Some(0x00fd_70a4_0000_0000)));
    assert_eq!(
        read("rojo=1, ot=rv:12341234123412;th:c ,congo=2"),
        (Some(0x12_3412_3412_3412), Some(0xc0_0000_0000_0000))
    );
    for bad in [
        "",
        "ot",
        "ot=",
        "ot=rv:123412341234120",
        "ot=rv:1234123412341",
        "ot=rv:abcdefgabcdefg",
        "ot=rv:1234123412341A",
        "ot=th:",
        "ot=th:g",
        "ot=th:123456789012345",
        "hot=th:8",
        "ot1=th:8",
    ] {
        assert_eq!(read(bad), (None, None), "{bad}");
    }
    let long = format!("ot=th:8;x:{}", "y".repeat(256));
    assert_eq!(read(&long), (None, None));
}

#[test]
fn the_hash_is_fnv_1a() {
    // Noll's test vectors.
    assert_eq!(fnv1a(&[b""]), 0xcbf2_9ce4_8422_2325);
    assert_eq!(fnv1a(&[b"a"]), 0xaf63_dc4c_8601_ec8c);
    assert_eq!(fnv1a(&[b"foo", b"bar"]), 0x8594_4171_f739_67e8);
}

#[test]
fn the_limit_of_hashes_is_exact_where_it_can_be_told() {
    assert_eq!(hash_limit(100.0), u64::MAX);
    assert_eq!(hash_limit(0.0), 0);
    assert_eq!(hash_limit(-3.0), 0);
    assert_eq!(hash_limit(f64::NAN), 0);
    // (2^64 - 1) / 2 has 64 bits; its half is cut off.
    assert_eq!(hash_limit(50.0), u64::MAX >> 1);
    assert_eq!(hash_limit(25.0), u64::MAX >> 2);
    for percentage in [0.001, 1.0, 10.0, 33.3, 99.9] {
        let near = u64::MAX as f64 * (percentage / 100.0);
        let off = (hash_limit(percentage) as f64 - near).abs() / near;
        assert!(off < 1e-12, "{percentage}");
    }
}
