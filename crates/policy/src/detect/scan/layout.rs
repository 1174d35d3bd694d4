//! Numbers of a fixed layout and a check digit: the national identifiers.
//!
//! A layout is a text of one character a byte: `9` a digit, `A` a capital letter, `X` either,
//! anything else itself. Linear: at each beginning of a word a constant number of layouts of at
//! most [`MAX`] bytes is compared.

use super::Out;
use super::bytes::{DIGIT, UPPER, WORD, at, before, is, steps};
use crate::detect::validate::ids;

/// The longest layout.
const MAX: usize = 24;

/// Whether the digits and letters of a layout, without its separators, make an identifier.
type Valid = fn(&[u8]) -> bool;

pub(super) fn us_ssn(hay: &[u8], out: &mut Out<'_>) {
    laid_out(&[b"999-99-9999", b"999 99 9999"], ids::us_ssn, hay, out);
}

pub(super) fn de_steuer_id(hay: &[u8], out: &mut Out<'_>) {
    laid_out(
        &[b"99999999999", b"99 999 999 999"],
        ids::de_steuer_id,
        hay,
        out,
    );
}

pub(super) fn uk_nino(hay: &[u8], out: &mut Out<'_>) {
    laid_out(&[b"AA999999A", b"AA 99 99 99 A"], ids::uk_nino, hay, out);
}

pub(super) fn fr_nir(hay: &[u8], out: &mut Out<'_>) {
    let layouts: &[&[u8]] = &[b"999999X99999999", b"9 99 99 9X 999 999 99"];
    laid_out(layouts, ids::fr_nir, hay, out);
}

pub(super) fn es_dni(hay: &[u8], out: &mut Out<'_>) {
    let layouts: &[&[u8]] = &[b"99999999A", b"99999999-A", b"A9999999A", b"A-9999999-A"];
    laid_out(layouts, ids::es_dni, hay, out);
}

pub(super) fn it_cf(hay: &[u8], out: &mut Out<'_>) {
    laid_out(&[b"AAAAAAXXAXXAXXXA"], ids::it_cf, hay, out);
}

pub(super) fn pl_pesel(hay: &[u8], out: &mut Out<'_>) {
    laid_out(&[b"99999999999"], ids::pl_pesel, hay, out);
}

pub(super) fn nl_bsn(hay: &[u8], out: &mut Out<'_>) {
    laid_out(&[b"999999999", b"9999.99.999"], ids::nl_bsn, hay, out);
}

pub(super) fn br_cpf(hay: &[u8], out: &mut Out<'_>) {
    laid_out(&[b"999.999.999-99", b"99999999999"], ids::br_cpf, hay, out);
}

pub(super) fn in_aadhaar(hay: &[u8], out: &mut Out<'_>) {
    let layouts: &[&[u8]] = &[b"9999 9999 9999", b"9999-9999-9999", b"999999999999"];
    laid_out(layouts, ids::in_aadhaar, hay, out);
}

fn laid_out(layouts: &[&[u8]], valid: Valid, hay: &[u8], out: &mut Out<'_>) {
    let mut i = 0;
    while i < hay.len() {
        steps(1);
        let fits = is(hay[i], UPPER | DIGIT)
            && starts(hay, i)
            && layouts.iter().any(|layout| {
                let end = i + layout.len();
                let fits = matches(layout, valid, hay, i) && ends(hay, end);
                if fits {
                    out.push(i, end);
                    i = end;
                }
                fits
            });
        i += usize::from(!fits);
    }
}

fn matches(layout: &[u8], valid: Valid, hay: &[u8], start: usize) -> bool {
    let Some(text) = hay.get(start..start + layout.len()) else {
        return false;
    };
    let (mut kept, mut len) = ([0; MAX], 0);
    for (&want, &byte) in layout.iter().zip(text) {
        let class = match want {
            b'9' => DIGIT,
            b'A' => UPPER,
            b'X' => DIGIT | UPPER,
            literal if literal == byte => continue,
            _ => return false,
        };
        if !is(byte, class) {
            return false;
        }
        kept[len] = byte;
        len += 1;
    }
    valid(&kept[..len])
}

/// Not within a word, a fraction, a version or a longer number with separators.
fn starts(hay: &[u8], start: usize) -> bool {
    match before(hay, start) {
        b'.' | b'-' => !is(before(hay, start - 1), WORD),
        last => !is(last, WORD),
    }
}

fn ends(hay: &[u8], end: usize) -> bool {
    match at(hay, end) {
        b'.' | b'-' => !is(at(hay, end + 1), WORD),
        next => !is(next, WORD),
    }
}
