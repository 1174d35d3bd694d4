//! The names that secrets are assigned to, compared without case and separators: `clientSecret`,
//! `client_secret` and `CLIENT-SECRET` are one name.

use super::bytes::{ALNUM, LOWER, UPPER, is};

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

/// Whether a name ends with one of these, which are in small letters and without separators.
pub(super) fn ends_with(name: &[u8], ends: &[&[u8]]) -> bool {
    ends.iter().any(|end| rest_before(name, end).is_some())
}

/// Whether a name is one of these.
pub(super) fn is_one_of(name: &[u8], names: &[&[u8]]) -> bool {
    names
        .iter()
        .any(|one| rest_before(name, one).is_some_and(|rest| rest.iter().all(|&b| !is(b, ALNUM))))
}

/// What stands before this end of a name.
fn rest_before<'a>(name: &'a [u8], end: &[u8]) -> Option<&'a [u8]> {
    let mut rest = name;
    for &want in end.iter().rev() {
        loop {
            let (&last, before) = rest.split_last()?;
            rest = before;
            if last.to_ascii_lowercase() == want {
                break;
            }
            if is(last, ALNUM) {
                return None;
            }
        }
    }
    Some(rest)
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
pub(super) fn strength(name: &[u8]) -> Option<Strength> {
    if ends_with(name, PASSWORDS) {
        Some(Strength::Password)
    } else if ends_in_pass(name) {
        Some(Strength::Component)
    } else if ends_with(name, SECRETS) && !ends_with(name, PAGES) {
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
