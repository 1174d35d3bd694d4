//! User and password in a URL, anchored at `://`.
//!
//! Linear: a URL's authority ends at the next slash, so that none is looked at twice.

use super::Out;
use super::bytes::{ALNUM, before, find_all, is, steps, while_end};

/// `user:password` in `scheme://user:password@host`. The password may hold an `@`: the last one
/// of the authority separates it from the host.
pub(super) fn url_credentials(hay: &[u8], out: &mut Out<'_>) {
    let mut from = 0;
    while let Some(mark) = find_all(b"://", hay, from) {
        let start = mark + 3;
        let authority = while_end(hay, start, in_authority);
        // An authority's last colon may be the next URL's.
        from = authority - 1;
        if !is(before(hay, mark), ALNUM) {
            continue;
        }
        let text = &hay[start..authority];
        steps(2 * text.len());
        let Some(user_info) = memchr::memrchr(b'@', text).map(|sign| &text[..sign]) else {
            continue;
        };
        if memchr::memchr(b':', user_info).is_some_and(|colon| colon + 1 < user_info.len()) {
            out.push(start, start + user_info.len());
        }
    }
}

fn in_authority(byte: u8) -> bool {
    byte > b' '
        && !matches!(
            byte,
            b'/' | b'?' | b'#' | b'"' | b'\'' | b'<' | b'>' | b'`' | b'\\'
        )
}
