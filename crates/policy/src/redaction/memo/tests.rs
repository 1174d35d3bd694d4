use super::*;

#[test]
fn same_is_equality_at_every_length() {
    for len in 0..150 {
        let a = vec![7; len];
        let mut b = a.clone();
        assert!(same(&a, &b));
        for at in 0..len {
            b[at] = 8;
            assert!(!same(&a, &b), "{at} of {len}");
            b[at] = 7;
        }
        assert!(!same(&a, &vec![7; len + 1]));
    }
}

#[test]
fn remembers_by_tag_and_key_and_forgets_when_full() {
    let mut memo = Memo::new();
    let known = |rule| Known {
        decision: Decision::dropped(rule),
        key_dirty: false,
        at: None,
    };
    let (a, b) = (Tag::new(1, 0), Tag::new(2, 0));
    memo.put(a, b"key", &mut known(1));
    memo.put(b, b"key", &mut known(2));
    let rule = |found: Option<Known>| found.map(|known| known.decision.rule);
    assert_eq!(rule(memo.find(a, b"key")), Some(1));
    assert_eq!(rule(memo.find(b, b"key")), Some(2));
    assert_eq!(rule(memo.find(a, b"kez")), None);
    assert_eq!(rule(memo.find(a.with_own(3), b"key")), None);
    for i in 0..10_000u32 {
        memo.put(a, &i.to_le_bytes(), &mut known(i as u16));
        let found = rule(memo.find(a, &i.to_le_bytes()));
        assert_eq!(found, Some(i as u16));
    }
    assert_eq!(memo.entries.len(), ENTRIES);
}

#[test]
fn expects_what_came_after_the_last_time() {
    let mut memo = Memo::new();
    let tag = Tag::new(1, 0);
    let pairs: [&[u8]; 3] = [
        b"\x0a\x01a\x12\x00",
        b"\x0a\x01b\x12\x00",
        b"\x0a\x01c\x12\x00",
    ];
    for (rule, pair) in pairs.iter().enumerate() {
        let mut known = Known {
            decision: Decision::dropped(rule as u16),
            key_dirty: false,
            at: None,
        };
        memo.put(tag, &pair[..3], &mut known);
        memo.clean(rule as u16, pair);
    }
    let field = |pair: &[u8]| [&[0x4a, pair.len() as u8], pair].concat();
    let first = field(pairs[0]).len();
    let fields: Vec<u8> = pairs.iter().flat_map(|pair| field(pair)).collect();
    assert!(memo.find(tag, &pairs[0][..3]).is_some());
    let not_asked = |_: &[u8]| panic!("no text is looked into");
    let none_goes = |_, _, _, _: &[u8]| panic!("nothing is to be dropped");
    let (kept, behind) = memo.settled(tag, 0x4a, &fields[first..], not_asked, none_goes);
    assert_eq!((kept, behind), (2 * first, NOWHERE));
    assert!(memo.find(tag, &pairs[0][..3]).is_some());
    let two_values = field(b"\x0a\x01b\x12\x00\x12\x00");
    let (kept, behind) = memo.settled(tag, 0x4a, &two_values, not_asked, none_goes);
    let (known, end) = memo.known(behind).expect("the entry of `b`");
    assert_eq!((kept, end), (0, 3));
    assert_eq!((known.decision.kind, known.decision.rule), (Kind::Drop, 1));
    for pair in [pairs[0], pairs[1], pairs[2], pairs[0]] {
        assert!(memo.find(tag, &pair[..3]).is_some());
    }
    let other_value = field(b"\x0a\x01b\x12\x02\x10\x01");
    let row = [&other_value[..], &field(pairs[2])].concat();
    let mut gone = Vec::new();
    let (settled, behind) = memo.settled(tag, 0x4a, &row, not_asked, |rule, start, end, pair| {
        gone.push((rule, start, end, pair.to_vec()));
    });
    assert_eq!((settled, behind), (row.len(), NOWHERE));
    let expected = (1, 0, other_value.len(), other_value[2..].to_vec());
    assert_eq!(gone, [expected], "the one with a value not seen clean");
    for unexpected in [&b"\x0a\x01x\x12\x00"[..], b""] {
        let (kept, behind) = memo.settled(tag, 0x4a, &field(unexpected), not_asked, none_goes);
        assert_eq!((kept, behind), (0, NOWHERE), "an empty pair is not kept");
    }
}
