//! Tokens that carry their kind as a prefix, and JSON Web Tokens.
//!
//! Linear: at each beginning of a word a constant number of prefixes is compared; the run of
//! token bytes behind a prefix is looked at once, since no prefix within it begins a word.

use super::Out;
use super::bytes::{
    ALNUM, BASE64URL, DASH, DIGIT, PLUS_SLASH, UPPER, WORD, at, before, find_all, is, run_end,
    steps,
};

/// A kind of token: what it begins with, what it goes on with, and how long that is.
struct Shape {
    prefixes: &'static [&'static [u8]],
    body: u8,
    min: usize,
    max: usize,
}

const AWS_ACCESS_KEY: &[Shape] = &[Shape {
    prefixes: &[b"AKIA", b"ASIA", b"ABIA", b"ACCA"],
    body: UPPER | DIGIT,
    min: 16,
    max: 16,
}];

const GCP_API_KEY: &[Shape] = &[Shape {
    prefixes: &[b"AIza"],
    body: BASE64URL,
    min: 35,
    max: 35,
}];

// The lower bounds are below what is issued: values are cut off at attribute length limits, and
// a cut off token is still most of a secret.
const GITHUB_TOKEN: &[Shape] = &[
    Shape {
        prefixes: &[b"ghp_", b"gho_", b"ghu_", b"ghs_", b"ghr_"],
        body: ALNUM,
        min: 16,
        max: 255,
    },
    Shape {
        prefixes: &[b"github_pat_"],
        body: WORD,
        min: 16,
        max: 255,
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
    max: 512,
}];

const SLACK_TOKEN: &[Shape] = &[
    Shape {
        prefixes: &[
            b"xoxa-", b"xoxb-", b"xoxe-", b"xoxo-", b"xoxp-", b"xoxr-", b"xoxs-", b"xapp-",
        ],
        body: ALNUM | DASH,
        min: 10,
        max: 512,
    },
    Shape {
        prefixes: &[
            b"hooks.slack.com/services/",
            b"hooks.slack.com/workflows/",
            b"hooks.slack.com/triggers/",
        ],
        body: BASE64URL | PLUS_SLASH,
        min: 16,
        max: 512,
    },
];

const STRIPE_KEY: &[Shape] = &[
    Shape {
        prefixes: &[b"sk_live_", b"sk_test_", b"rk_live_", b"rk_test_"],
        body: ALNUM,
        min: 16,
        max: 255,
    },
    Shape {
        prefixes: &[b"whsec_"],
        body: ALNUM | PLUS_SLASH,
        min: 16,
        max: 255,
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
    let mut i = 0;
    while i < hay.len() {
        steps(1);
        let end = if is(before(hay, i), WORD) {
            None
        } else {
            shapes.iter().find_map(|shape| shape_end(shape, hay, i))
        };
        match end {
            Some((end, true)) => {
                out.push(i, end);
                i = end;
            }
            // Measured and of the wrong length: behind it, no shorter one begins.
            Some((end, false)) => i = end,
            None => i += 1,
        }
    }
}

/// The end of what follows one of the prefixes at `i`, and whether its length is right.
fn shape_end(shape: &Shape, hay: &[u8], i: usize) -> Option<(usize, bool)> {
    let rest = &hay[i..];
    let prefix = shape
        .prefixes
        .iter()
        .find(|prefix| rest.starts_with(prefix))?;
    let body = i + prefix.len();
    let end = run_end(hay, body, shape.body);
    Some((
        end,
        (shape.min..=shape.max).contains(&(end - body)) && !is(at(hay, end), ALNUM),
    ))
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
        if let Some(end) = jwt_end(hay, header) {
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
