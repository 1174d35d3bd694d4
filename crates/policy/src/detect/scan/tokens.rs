//! Tokens that carry their kind as a prefix, and JSON Web Tokens.
//!
//! Linear: at each beginning of a word a constant number of prefixes is compared. After a prefix
//! the run of token bytes is either taken, and the search goes on behind it, or it is shorter than
//! its least length, or it is looked at no further than its greatest.

use super::Out;
use super::bytes::{
    ALNUM, BASE64URL, DASH, DIGIT, PLUS_SLASH, UPPER, WORD, at, before, find_all, is, run_end,
    run_end_within, steps,
};

/// A kind of token: what it begins with, what it goes on with, and how long that is.
struct Shape {
    prefixes: &'static [&'static [u8]],
    body: u8,
    min: usize,
    max: usize,
    /// What tells a token from words.
    coded: Coded,
}

/// How much of a token, its prefix included, is no small letter. Random ones always have that
/// much; what has less is a name, and is dismissed at a glance before it comes here.
#[derive(Clone, Copy)]
enum Coded {
    /// Four capitals or digits.
    Some,
    /// As well, and a capital.
    Capital,
    /// Ten digits.
    Digits,
}

fn is_coded(token: &[u8], coded: Coded) -> bool {
    let count = |classes| token.iter().filter(|&&b| is(b, classes)).count();
    match coded {
        Coded::Some => count(DIGIT | UPPER) >= 4,
        Coded::Capital => count(DIGIT | UPPER) >= 4 && count(UPPER) > 0,
        Coded::Digits => count(DIGIT) >= 10,
    }
}

const AWS_ACCESS_KEY: &[Shape] = &[Shape {
    prefixes: &[b"AKIA", b"ASIA", b"ABIA", b"ACCA"],
    body: UPPER | DIGIT,
    min: 16,
    max: 16,
    coded: Coded::Capital,
}];

const GCP_API_KEY: &[Shape] = &[Shape {
    prefixes: &[b"AIza"],
    body: BASE64URL,
    min: 35,
    max: 35,
    coded: Coded::Capital,
}];

// The lower bounds are below what is issued: values are cut off at attribute length limits, and
// a cut off token is still most of a secret.
const GITHUB_TOKEN: &[Shape] = &[
    Shape {
        prefixes: &[b"ghp_", b"gho_", b"ghu_", b"ghs_", b"ghr_"],
        body: ALNUM,
        min: 16,
        max: usize::MAX,
        coded: Coded::Some,
    },
    Shape {
        prefixes: &[b"github_pat_"],
        body: WORD,
        min: 16,
        max: usize::MAX,
        coded: Coded::Some,
    },
];

const GITLAB_TOKEN: &[Shape] = &[Shape {
    prefixes: &[
        b"glpat-",
        b"glptt-",
        b"gldt-",
        b"glrt-",
        b"glsoat-",
        b"glcbt-",
        b"glft-",
        b"glimt-",
        b"glagent-",
        b"gloas-",
    ],
    body: BASE64URL,
    min: 16,
    max: usize::MAX,
    coded: Coded::Capital,
}];

const SLACK_TOKEN: &[Shape] = &[
    Shape {
        prefixes: &[
            b"xoxa-", b"xoxb-", b"xoxe-", b"xoxo-", b"xoxp-", b"xoxr-", b"xoxs-",
        ],
        body: ALNUM | DASH,
        min: 10,
        max: usize::MAX,
        coded: Coded::Digits,
    },
    Shape {
        prefixes: &[b"xapp-"],
        body: ALNUM | DASH,
        min: 10,
        max: usize::MAX,
        coded: Coded::Capital,
    },
    Shape {
        prefixes: &[
            b"hooks.slack.com/services/",
            b"hooks.slack.com/workflows/",
            b"hooks.slack.com/triggers/",
        ],
        body: BASE64URL | PLUS_SLASH,
        min: 16,
        max: usize::MAX,
        coded: Coded::Capital,
    },
];

const STRIPE_KEY: &[Shape] = &[
    Shape {
        prefixes: &[b"sk_live_", b"sk_test_", b"rk_live_", b"rk_test_"],
        body: ALNUM,
        min: 16,
        max: usize::MAX,
        coded: Coded::Some,
    },
    Shape {
        prefixes: &[b"whsec_"],
        body: ALNUM | PLUS_SLASH,
        min: 16,
        max: usize::MAX,
        coded: Coded::Some,
    },
];

pub(super) fn aws_access_key(hay: &[u8], out: &mut Out<'_>) {
    shaped(AWS_ACCESS_KEY, hay, out);
}

pub(super) fn gcp_api_key(hay: &[u8], out: &mut Out<'_>) {
    shaped(GCP_API_KEY, hay, out);
}

pub(super) fn github_token(hay: &[u8], out: &mut Out<'_>) {
    shaped(GITHUB_TOKEN, hay, out);
}

pub(super) fn gitlab_token(hay: &[u8], out: &mut Out<'_>) {
    shaped(GITLAB_TOKEN, hay, out);
}

pub(super) fn slack_token(hay: &[u8], out: &mut Out<'_>) {
    shaped(SLACK_TOKEN, hay, out);
}

pub(super) fn stripe_key(hay: &[u8], out: &mut Out<'_>) {
    shaped(STRIPE_KEY, hay, out);
}

fn shaped(shapes: &[Shape], hay: &[u8], out: &mut Out<'_>) {
    for shape in shapes {
        let mut i = 0;
        while i < hay.len() {
            steps(1);
            i = match shape_end(shape, hay, i) {
                Some(end) if is_coded(&hay[i..end], shape.coded) => {
                    out.push(i, end);
                    end
                }
                // What begins within ends at the same place and is coded even less.
                Some(end) => end,
                None => i + 1,
            };
        }
    }
}

/// The end of a token of the right length at `i`.
fn shape_end(shape: &Shape, hay: &[u8], i: usize) -> Option<usize> {
    if is(before(hay, i), WORD) {
        return None;
    }
    let rest = &hay[i..];
    let prefix = shape
        .prefixes
        .iter()
        .find(|prefix| rest.starts_with(prefix))?;
    let body = i + prefix.len();
    let end = run_end_within(hay, body, shape.body, shape.max.saturating_add(1));
    let right = (shape.min..=shape.max).contains(&(end - body)) && !is(at(hay, end), ALNUM);
    right.then_some(end)
}

/// `header.payload.signature` (RFC 7519), the five parts of an encrypted one, and what is left of
/// one that was cut off within its payload. The header is a JSON object, so it begins with `eyJ`.
pub(super) fn jwt(hay: &[u8], out: &mut Out<'_>) {
    let mut from = 0;
    while let Some(start) = find_all(b"eyJ", hay, from) {
        let header = run_end(hay, start, BASE64URL);
        from = header;
        if is(before(hay, start), BASE64URL) || header - start < 10 {
            continue;
        }
        if let Some(end) = jwt_end(hay, header)
            && is_coded(&hay[start..end], Coded::Capital)
        {
            out.push(start, end);
            from = end;
        }
    }
}

fn jwt_end(hay: &[u8], header: usize) -> Option<usize> {
    if at(hay, header) != b'.' {
        return None;
    }
    // An encrypted one with a direct key has an empty second part.
    let body = header + 1 + usize::from(at(hay, header + 1) == b'.');
    let mut end = run_end(hay, body, BASE64URL);
    if end - body < 4 {
        return None;
    }
    for _ in 0..3 {
        if at(hay, end) != b'.' {
            break;
        }
        let part = run_end(hay, end + 1, BASE64URL);
        if part == end + 1 {
            break;
        }
        end = part;
    }
    Some(end)
}
