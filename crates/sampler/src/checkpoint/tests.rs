use super::*;
use crate::decision::Reason;

fn example() -> Checkpoint {
    let rate = Rate {
        per_second: 10,
        burst: 20,
    };
    let tenant = |name: &str| name.parse::<TenantId>().expect("a name");
    Checkpoint {
        fingerprint: 0x0123_4567_89ab_cdef,
        epoch: 14_700_000,
        remember: 120_000_000_000,
        read_from: Position {
            segment: 7,
            offset: 4096,
        },
        limiters: vec![(
            tenant("acme"),
            Box::new([
                Limiter::Bucket {
                    rate,
                    debt: 1 << 100,
                    last: 99,
                },
                Limiter::Shares {
                    second: 1_764_000_000,
                    used: Box::new([3, 0]),
                },
            ]),
        )],
        carried: vec![
            Carried {
                tenant: tenant("acme"),
                trace_id: [7; 16],
                decision: Decision {
                    kept: true,
                    reason: Reason::Policy(2),
                },
            },
            Carried {
                tenant: tenant("other"),
                trace_id: [9; 16],
                decision: Decision {
                    kept: false,
                    reason: Reason::NoPolicy,
                },
            },
        ],
    }
}

#[test]
fn what_is_written_is_read() {
    let checkpoint = example();
    assert_eq!(Checkpoint::decode(&checkpoint.encode()), Ok(checkpoint));
}

/// Guarantees: version 1 can always be read.
#[test]
fn the_golden_file_opens() {
    let golden = include_bytes!("../../tests/data/checkpoint-v1.bin");
    assert_eq!(Checkpoint::decode(golden), Ok(example()));
    assert_eq!(example().encode(), golden);
}

#[test]
fn damage_is_found_wherever_it_is() {
    let bytes = example().encode();
    for at in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x10;
        match Checkpoint::decode(&damaged) {
            Err(CheckpointError::Damaged) => {}
            Err(CheckpointError::TooNew(_)) => assert!((4..6).contains(&at)),
            // The two bytes that are always zero.
            Ok(_) => assert!((6..8).contains(&at), "{at}"),
        }
        assert!(Checkpoint::decode(&bytes[..at]).is_err());
    }
}
