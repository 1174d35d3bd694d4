//! Values on a terminal: what goes is struck, what is long is shortened, and nothing in a value can
//! rewrite the terminal.

use std::fmt::Write;
use std::ops::Range;

use anstyle::{AnsiColor, Style};

/// The most characters that are shown of what stays between two marks, and of what goes.
const RUN_CHARS: usize = 160;

/// How values are marked.
#[derive(Clone, Copy, Debug)]
pub struct Marker {
    /// With colours; without, `[-` and `-]` stand around what goes.
    pub coloured: bool,
}

impl Marker {
    /// A value with the parts struck that go.
    pub fn struck(self, text: &str, parts: impl Iterator<Item = Range<usize>>) -> String {
        let mut out = String::new();
        let mut done = 0;
        for part in joined(parts) {
            let (Some(kept), Some(gone)) = (text.get(done..part.start), text.get(part.clone()))
            else {
                continue;
            };
            shorten(kept, &mut out);
            let style = AnsiColor::Red.on_default().strikethrough();
            self.around(style, ("[-", "-]"), gone, &mut out);
            done = part.end;
        }
        shorten(text.get(done..).unwrap_or_default(), &mut out);
        out
    }

    /// What a value becomes.
    pub fn added(self, text: &str) -> String {
        let mut out = String::new();
        let style = AnsiColor::Green.on_default();
        self.around(style, ("", ""), text, &mut out);
        out
    }

    fn around(self, style: Style, plain: (&str, &str), text: &str, out: &mut String) {
        // Writing to a string does not fail.
        let _ = if self.coloured {
            write!(out, "{style}")
        } else {
            write!(out, "{}", plain.0)
        };
        shorten(text, out);
        let _ = if self.coloured {
            write!(out, "{style:#}")
        } else {
            write!(out, "{}", plain.1)
        };
    }
}

/// The ranges in order, those that touch or overlap as one.
fn joined(parts: impl Iterator<Item = Range<usize>>) -> Vec<Range<usize>> {
    let mut parts: Vec<_> = parts.filter(|part| !part.is_empty()).collect();
    parts.sort_by_key(|part| part.start);
    let mut joined: Vec<Range<usize>> = Vec::new();
    for part in parts {
        match joined.last_mut() {
            Some(last) if part.start <= last.end => last.end = last.end.max(part.end),
            _ => joined.push(part),
        }
    }
    joined
}

/// Appends a text, without its middle if it is long.
fn shorten(text: &str, out: &mut String) {
    let chars = text.chars().count();
    if chars <= RUN_CHARS {
        return printable(text.chars(), out);
    }
    printable(text.chars().take(RUN_CHARS / 2), out);
    let _ = write!(out, "…({} more)…", chars - RUN_CHARS);
    printable(text.chars().skip(chars - RUN_CHARS / 2), out);
}

/// A text without what could act on the terminal.
pub fn safe(text: &str) -> String {
    let mut out = String::new();
    printable(text.chars(), &mut out);
    out
}

/// Appends characters; those that are not seen but act, such as line breaks, terminal escapes and
/// changes of direction, as their escapes.
fn printable(text: impl Iterator<Item = char>, out: &mut String) {
    for c in text {
        match c {
            '\'' | '"' | '\\' => out.push(c),
            c => out.extend(c.escape_debug()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: &str, parts: &[Range<usize>]) -> String {
        Marker { coloured: false }.struck(text, parts.iter().cloned())
    }

    #[test]
    fn what_goes_is_marked_once() {
        assert_eq!(plain("abcdef", &[]), "abcdef");
        assert_eq!(plain("abcdef", &[1..2, 4..6]), "a[-b-]cd[-ef-]");
        assert_eq!(plain("abcdef", &[4..6, 3..5, 0..1]), "[-a-]bc[-def-]");
        assert_eq!(plain("éa", &[0..1, 2..3]), "é[-a-]");
        let coloured = Marker { coloured: true }.struck("ab", std::iter::once(1..2));
        assert_eq!(coloured, "a\u{1b}[9m\u{1b}[31mb\u{1b}[0m");
    }

    #[test]
    fn nothing_in_a_value_acts_on_the_terminal() {
        let shown = plain("a\u{1b}[2J\r\n\u{202e}\"é\\", &[]);
        assert_eq!(shown, "a\\u{1b}[2J\\r\\n\\u{202e}\"é\\");
    }

    #[test]
    fn what_is_long_is_shortened() {
        let long = "é".repeat(RUN_CHARS + 7);
        let half = "é".repeat(RUN_CHARS / 2);
        assert_eq!(plain(&long, &[]), format!("{half}…(7 more)…{half}"));
        let parts = [0..4, 4..long.len()];
        assert_eq!(plain(&long, &parts), format!("[-{half}…(7 more)…{half}-]"));
    }
}
