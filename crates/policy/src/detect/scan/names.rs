//! The names that secrets are assigned to, compared without case and separators: `clientSecret`,
//! `client_secret` and `CLIENT-SECRET` are one name.

use super::assign::MAX_KEY;
use super::bytes::{ALNUM, LOWER, UPPER, is, steps};

/// How sure a name makes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Strength {
    /// Nothing but passwords is called so: short ones count too.
    Password,
    /// `pass` as a word of its own: counts are called so as well.
    Component,
    /// Keys, tokens, secrets.
    Secret,
}

const PASSWORDS: &[&[u8]] = &[b"password", b"passwd", b"passphrase", b"pwd"];

const SECRETS: &[&[u8]] = &[
    b"secret",
    b"token",
    b"apikey",
    b"accesskey",
    b"secretkey",
    b"privatekey",
    b"encryptionkey",
    b"signingkey",
    b"accountkey",
    b"masterkey",
    b"authkey",
    b"sessionkey",
    b"credential",
    b"credentials",
];

/// Where a listing goes on.
const PAGES: &[&[u8]] = &[
    b"nexttoken",
    b"pagetoken",
    b"continuetoken",
    b"continuationtoken",
];

pub(super) const AWS_SECRETS: &[&[u8]] = &[
    b"secretaccesskey",
    b"awssecretkey",
    b"awssecret",
    b"secretkey",
];

pub(super) const AZURE: &[&[u8]] = &[b"accountkey", b"sharedaccesskey"];

pub(super) const QUERY: &[&[u8]] = &[
    b"token",
    b"accesstoken",
    b"idtoken",
    b"refreshtoken",
    b"authtoken",
    b"apitoken",
    b"sig",
    b"signature",
    b"xamzsignature",
    b"xamzcredential",
    b"xamzsecuritytoken",
    b"xgoogsignature",
    b"xgoogcredential",
    b"awsaccesskeyid",
    b"key",
    b"apikey",
    b"accesskey",
    b"auth",
    b"password",
    b"passwd",
    b"pwd",
    b"pass",
    b"secret",
    b"clientsecret",
    b"session",
    b"sessionid",
    b"jwt",
    b"sharedaccesssignature",
    b"credential",
];

const PLACEHOLDERS: &[&[u8]] = &[
    b"null",
    b"none",
    b"nil",
    b"undefined",
    b"true",
    b"false",
    b"redacted",
    b"masked",
    b"hidden",
    b"empty",
    b"required",
    b"missing",
    b"invalid",
    b"expired",
    b"unset",
    b"string",
];

const PLACEHOLDER_BEGINNINGS: &[&[u8]] = &[
    b"***", b"<", b"[", b"{", b"(", b"${", b"$(", b"%s", b"%v", b"%q", b"xxxx", b"...",
];

/// A name without separators, in small letters.
pub(super) struct Name {
    bytes: [u8; MAX_KEY],
    len: usize,
    /// Its last word is "pass" and nothing longer.
    ends_in_pass: bool,
}

impl Name {
    /// `None` of what holds no letter and no digit.
    pub(super) fn new(text: &[u8]) -> Option<Name> {
        let (mut bytes, mut len) = ([0; MAX_KEY], 0);
        for &byte in text.iter().filter(|&&b| is(b, ALNUM)).take(MAX_KEY) {
            bytes[len] = byte.to_ascii_lowercase();
            len += 1;
        }
        steps(text.len());
        (len > 0).then(|| Name {
            bytes,
            len,
            ends_in_pass: ends_in_pass(text),
        })
    }

    fn text(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    pub(super) fn ends_with(&self, names: &[&[u8]]) -> bool {
        names.iter().any(|name| self.text().ends_with(name))
    }

    pub(super) fn is_one_of(&self, names: &[&[u8]]) -> bool {
        names.contains(&self.text())
    }
}

fn ends_in_pass(text: &[u8]) -> bool {
    let Some((rest, last)) = text.split_last_chunk::<4>() else {
        return false;
    };
    let bound = match rest.last() {
        None => true,
        Some(&b) => !is(b, ALNUM) || (is(b, LOWER) && is(last[0], UPPER)),
    };
    bound && last.eq_ignore_ascii_case(b"pass")
}

/// How sure the name makes that a secret follows; `None` if it says nothing.
pub(super) fn strength(name: &Name) -> Option<Strength> {
    if name.ends_with(PASSWORDS) {
        Some(Strength::Password)
    } else if name.ends_in_pass {
        Some(Strength::Component)
    } else if name.ends_with(SECRETS) && !name.ends_with(PAGES) {
        Some(Strength::Secret)
    } else {
        None
    }
}

/// Whether a value stands for one that is not there.
pub(super) fn is_placeholder(value: &[u8]) -> bool {
    PLACEHOLDER_BEGINNINGS
        .iter()
        .any(|beginning| value.starts_with(beginning))
        || PLACEHOLDERS
            .iter()
            .any(|word| word.eq_ignore_ascii_case(value))
}
