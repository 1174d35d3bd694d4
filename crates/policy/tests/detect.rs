//! What each detector finds and what it leaves, and how a set of them behaves.
#![allow(clippy::unwrap_used)]

use policy::detect::{Builtin, CompileError, Detectors, Found, Spec};

mod detect_corpus;

use detect_corpus::{CLEAN, OPT_IN_CLEAN, positives};

fn defaults() -> Detectors {
    let specs: Vec<Spec> = Builtin::ALL
        .iter()
        .filter(|builtin| builtin.default_on())
        .map(|&builtin| Spec::Builtin(builtin))
        .collect();
    Detectors::compile(&specs).unwrap()
}

fn all() -> Detectors {
    let specs: Vec<Spec> = Builtin::ALL.iter().map(|&b| Spec::Builtin(b)).collect();
    Detectors::compile(&specs).unwrap()
}

fn only(builtin: Builtin) -> Detectors {
    Detectors::compile(&[Spec::Builtin(builtin)]).unwrap()
}

fn scan(set: &Detectors, value: &str) -> Vec<Found> {
    let mut found = Vec::new();
    assert_eq!(set.scan(value, &mut found), !found.is_empty());
    found
}

/// The value without its marks «», and the ranges that they mark.
fn unmark(marked: &str) -> (String, Vec<(usize, usize)>) {
    let (mut value, mut ranges, mut start) = (String::new(), Vec::new(), 0);
    for c in marked.chars() {
        match c {
            '«' => start = value.len(),
            '»' => ranges.push((start, value.len())),
            c => value.push(c),
        }
    }
    (value, ranges)
}

/// Guarantees: each detector alone finds just the marked ranges of its true positives, and there
/// are some for every detector.
#[test]
fn finds_what_is_marked() {
    let mut wrong = Vec::new();
    for &builtin in Builtin::ALL {
        let (set, marked) = (only(builtin), positives(builtin));
        assert!(
            marked.iter().any(|m| m.contains('«')),
            "{builtin:?} is tested"
        );
        for marked in marked {
            let (value, expected) = unmark(&marked);
            let found: Vec<_> = scan(&set, &value)
                .iter()
                .map(|f| (f.start, f.end))
                .collect();
            if found != expected {
                let texts: Vec<_> = found
                    .iter()
                    .map(|&(start, end)| &value[start..end])
                    .collect();
                wrong.push(format!("{builtin:?} in {marked:?}: {texts:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Guarantees: with all detectors together no marked byte stays uncovered, whatever overlaps.
#[test]
fn together_they_cover_what_each_finds() {
    let set = all();
    for &builtin in Builtin::ALL {
        for marked in positives(builtin) {
            let (value, expected) = unmark(&marked);
            let found = scan(&set, &value);
            assert!(found.windows(2).all(|two| two[0].end <= two[1].start));
            for (start, end) in expected {
                assert!(
                    found.iter().any(|f| f.start <= start && end <= f.end),
                    "{builtin:?} in {value:?}: {found:?}"
                );
            }
        }
    }
}

/// The detectors that find something in clean values, and where.
fn wrongly_found(set: &Detectors, values: &[&str]) -> Vec<String> {
    let mut wrong = Vec::new();
    for value in values {
        for f in scan(set, value) {
            wrong.push(format!(
                "{} in {value:?}: {:?}",
                set.name(f.detector),
                &value[f.start..f.end]
            ));
        }
    }
    wrong
}

/// Guarantees: ids, times, versions, digests, paths, class names, routes, encoded data and the
/// like are left by the default detectors.
#[test]
fn leaves_what_is_clean() {
    let wrong = wrongly_found(&defaults(), CLEAN);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Guarantees: numbers with a wrong check digit, and those within longer ids, are left by the
/// national packs.
#[test]
fn national_packs_check() {
    let wrong = wrongly_found(&all(), OPT_IN_CLEAN);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Guarantees: names are unique, parse back, and only national identifiers are opt-in.
#[test]
fn names() {
    for &builtin in Builtin::ALL {
        assert_eq!(Builtin::parse(builtin.name()), Some(builtin));
        assert!(!builtin.description().is_empty());
        assert_eq!(
            builtin.default_on(),
            !builtin.name().starts_with("national_id_")
        );
    }
    assert_eq!(Builtin::parse("Email"), None);
    assert_eq!(all().len(), Builtin::ALL.len());
}

fn pattern(name: &str, regex: &str) -> Spec {
    Spec::Pattern {
        name: name.to_owned(),
        regex: regex.to_owned(),
    }
}

/// Guarantees: where matches of a set overlap, one range covers them all and carries the
/// leftmost's detector, of equals the longest's, of equals the first's; touching ranges stay two;
/// what `found` held before stays as it was.
#[test]
fn overlaps() {
    let set = Detectors::compile(&[
        pattern("middle", "cde"),
        pattern("left", "abc"),
        pattern("longer", "abcd"),
        pattern("same", "abcd"),
        pattern("next", "fg"),
    ])
    .unwrap();
    let mut found = vec![Found {
        start: 0,
        end: 9,
        detector: 7,
    }];
    assert!(set.scan("_abcdefg abc", &mut found));
    let found: Vec<_> = found
        .iter()
        .map(|f| (f.start, f.end, set.name(f.detector)))
        .collect();
    assert_eq!(
        found,
        [
            (0, 9, ""),
            (1, 6, "longer"),
            (6, 8, "next"),
            (9, 12, "left")
        ]
    );
}

/// Guarantees: patterns find ranges on character boundaries, in Unicode too.
#[test]
fn patterns_are_unicode() {
    let set =
        Detectors::compile(&[pattern("case", r"Fall-\d+"), pattern("name", "Mü.ler")]).unwrap();
    let value = "über Fall-42: Müßler";
    let found: Vec<_> = scan(&set, value)
        .iter()
        .map(|f| &value[f.start..f.end])
        .collect();
    assert_eq!(found, ["Fall-42", "Müßler"]);
}

/// Guarantees: of more matches than the limit nothing stays uncovered (BOUNDED).
#[test]
fn many_matches_are_covered() {
    let set = Detectors::compile(&[pattern("digit", "[0-9]")]).unwrap();
    let value = "7 ".repeat(1000);
    let found = scan(&set, &value);
    assert_eq!(found.len(), 256);
    for (i, _) in value.match_indices('7') {
        assert!(found.iter().any(|f| f.start <= i && i < f.end), "at {i}");
    }
}

/// Guarantees: the empty set finds nothing.
#[test]
fn none() {
    let set = Detectors::none();
    assert!(set.is_empty());
    assert!(scan(&set, "mail bob@example.com").is_empty());
    assert_eq!(set.name(0), "");
}

/// The error of a bad set, which must end with a hint.
fn refused(specs: &[Spec]) -> CompileError {
    let error = Detectors::compile(specs).unwrap_err();
    assert!(error.to_string().contains("\nhint: "), "{error}");
    error
}

/// Guarantees: a bad set is refused with the pattern's name, the place and a hint.
#[test]
fn errors() {
    let bad = refused(&[pattern("order", "a\n(b|c")]);
    let text = bad.to_string();
    assert!(
        matches!(
            bad,
            CompileError::Syntax {
                line: 2,
                column: 1,
                ..
            }
        ),
        "{bad:?}"
    );
    assert!(
        text.contains("\"order\"") && text.contains("line 2"),
        "{text}"
    );

    for empty in ["a*", "", "(a|b?)", r"\b", "^", r"[a&&b]"] {
        let bad = refused(&[pattern("p", empty)]);
        assert!(
            matches!(bad, CompileError::MatchesNothing { .. }),
            "{empty:?}: {bad:?}"
        );
    }
    let bad = refused(&[pattern("p", r"\w{1,900}")]);
    assert!(matches!(bad, CompileError::TooLarge { .. }), "{bad:?}");
    let bad = refused(&[pattern("p", &"a".repeat(5000))]);
    assert!(matches!(bad, CompileError::TooLong { .. }), "{bad:?}");
    let bad = refused(&[pattern(
        "p",
        &format!("{}a{}", "(".repeat(100), ")".repeat(100)),
    )]);
    assert!(matches!(bad, CompileError::Syntax { .. }), "{bad:?}");
    let bad = refused(&vec![pattern("p", "a"); 600]);
    assert!(
        matches!(bad, CompileError::TooMany { count: 600, .. }),
        "{bad:?}"
    );
    for twice in [
        [pattern("p", "a"), pattern("p", "b")],
        [pattern("email", "a"), Spec::Builtin(Builtin::Email)],
        [Spec::Builtin(Builtin::Email), Spec::Builtin(Builtin::Email)],
    ] {
        assert!(matches!(refused(&twice), CompileError::Duplicate { .. }));
    }
}

/// Guarantees: what stands in for an assignment does not matter to the signs that a signature of
/// Azure is looked for by.
#[test]
fn an_azure_signature_may_follow_a_colon() {
    let set = Detectors::compile(&[Spec::Builtin(Builtin::AzureKey)]).unwrap();
    for value in ["sig:abcdefghijklmnopqrst", "SIG=abcdefghijklmnopqrst"] {
        let mut found = Vec::new();
        assert!(set.scan(value, &mut found), "{value}");
        assert_eq!((found[0].start, found[0].end), (4, 24), "{value}");
    }
}
