//! What a policy's `keys:` match: a key, a prefix `http.*`, a glob such as `*.password`.

/// The longest pattern of a policy, in bytes.
pub(super) const MAX_PATTERN_BYTES: usize = 256;

/// One matcher of keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// This key alone.
    Exact(Box<[u8]>),
    /// Keys that begin so.
    Prefix(Box<[u8]>),
    /// `*` stands for any bytes, none as well; `?` for one character.
    Glob(Box<[u8]>),
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Pattern, &'static str> {
        if text.is_empty() {
            return Err("a key is empty");
        }
        if text.len() > MAX_PATTERN_BYTES {
            return Err("a key of a policy has at most 256 bytes");
        }
        let bytes = text.as_bytes();
        let first = bytes.iter().position(|b| matches!(b, b'*' | b'?'));
        Ok(match first {
            None => Pattern::Exact(bytes.into()),
            Some(at) if at + 1 == bytes.len() && bytes[at] == b'*' && at > 0 => {
                Pattern::Prefix(bytes[..at].into())
            }
            Some(_) => Pattern::Glob(bytes.into()),
        })
    }

    /// Whether a key matches. In time at most the product of the pattern's length, 256 bytes at
    /// the most, and the key's.
    pub fn matches(&self, key: &[u8]) -> bool {
        match self {
            Pattern::Exact(text) => **text == *key,
            Pattern::Prefix(text) => key.starts_with(text),
            Pattern::Glob(text) => glob(text, key),
        }
    }

    /// The byte that every key begins with which this matches; `None` if that can be any.
    pub(super) fn first_byte(&self) -> Option<u8> {
        match self {
            Pattern::Exact(text) | Pattern::Prefix(text) | Pattern::Glob(text) => {
                text.first().copied().filter(|b| !matches!(b, b'*' | b'?'))
            }
        }
    }

    /// Whether it matches every key.
    pub(super) fn matches_all(&self) -> bool {
        matches!(self, Pattern::Glob(text) if text.iter().all(|b| *b == b'*'))
    }

    /// The pattern written as a glob.
    fn as_glob(&self) -> Vec<u8> {
        match self {
            Pattern::Exact(text) | Pattern::Glob(text) => text.to_vec(),
            Pattern::Prefix(text) => [text, &b"*"[..]].concat(),
        }
    }

    /// Whether it surely matches every key that `other` matches. May say no where the answer is
    /// yes, never the other way round.
    pub(super) fn covers(&self, other: &Pattern) -> bool {
        match (self, other) {
            (_, Pattern::Exact(key)) => self.matches(key),
            (Pattern::Exact(_), _) => false,
            // A `*` of the other can be taken only by a `*` of ours, a `?` by a `*` or a `?`; as
            // bytes of a key they are taken by just these, unless ours has them literally, which
            // a pattern cannot.
            (Pattern::Prefix(text), other) => other.as_glob().starts_with(text),
            (Pattern::Glob(text), other) => glob_over(text, &other.as_glob()),
        }
    }

    /// Whether some key is matched by both; a `?` is taken as one byte.
    pub(super) fn overlaps(&self, other: &Pattern) -> bool {
        let (a, b) = (self.as_glob(), other.as_glob());
        // reach[j]: the first i tokens of `a` and the first j of `b` have a common text.
        let mut reach = vec![false; b.len() + 1];
        reach[0] = true;
        for j in 0..b.len() {
            reach[j + 1] = reach[j] && b[j] == b'*';
        }
        for &x in &a {
            let mut next = vec![false; b.len() + 1];
            next[0] = reach[0] && x == b'*';
            for j in 0..b.len() {
                let y = b[j];
                next[j + 1] = if x == b'*' || y == b'*' {
                    // A star ends, or takes one more of the other side's tokens.
                    next[j] || reach[j + 1]
                } else {
                    reach[j] && (x == y || x == b'?' || y == b'?')
                };
            }
            reach = next;
        }
        reach[b.len()]
    }
}

impl std::fmt::Display for Pattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.as_glob()))
    }
}

/// Whether a glob matches a key. In time at most the product of both lengths, and both are
/// limited: the pattern by [`MAX_PATTERN_BYTES`], the key by what the policy looks up.
fn glob(pattern: &[u8], key: &[u8]) -> bool {
    let one = |p: u8, rest: &[u8]| match (p, rest.first()) {
        (_, None) => 0,
        (b'?', Some(&byte)) => char_len(byte).min(rest.len()),
        (p, Some(&byte)) => usize::from(p == byte),
    };
    run(pattern, key, one)
}

/// Whether a glob matches every text that another glob matches, with wildcards of the other taken
/// as characters that only wildcards match.
fn glob_over(pattern: &[u8], other: &[u8]) -> bool {
    let one = |p: u8, rest: &[u8]| match (p, rest.first()) {
        (_, None) | (b'?', Some(b'*')) => 0,
        (b'?', Some(&byte)) => char_len(byte).min(rest.len()),
        (p, Some(&byte)) => usize::from(p == byte),
    };
    run(pattern, other, one)
}

/// Matches with one point of return, which is enough for `*`. `one` says how many bytes a token
/// takes that is no `*`; 0 if it does not match.
fn run(pattern: &[u8], key: &[u8], one: impl Fn(u8, &[u8]) -> usize) -> bool {
    let (mut p, mut k) = (0, 0);
    let mut back = None;
    loop {
        match pattern.get(p) {
            Some(b'*') => {
                back = Some((p, k));
                p += 1;
                continue;
            }
            Some(&token) => {
                let taken = one(token, &key[k..]);
                if taken > 0 {
                    p += 1;
                    k += taken;
                    continue;
                }
            }
            None if k == key.len() => return true,
            None => {}
        }
        let Some((star, from)) = back else {
            return false;
        };
        if from >= key.len() {
            return false;
        }
        back = Some((star, from + 1));
        p = star + 1;
        k = from + 1;
    }
}

fn char_len(first: u8) -> usize {
    match first {
        0xf0.. => 4,
        0xe0.. => 3,
        0xc0.. => 2,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn p(text: &str) -> Pattern {
        Pattern::parse(text).unwrap()
    }

    #[test]
    fn matches_exactly_by_prefix_and_by_glob() {
        assert!(matches!(p("user.id"), Pattern::Exact(_)));
        assert!(matches!(p("http.*"), Pattern::Prefix(_)));
        assert!(matches!(p("*"), Pattern::Glob(_)));
        for (pattern, key, yes) in [
            ("user.id", "user.id", true),
            ("user.id", "user.idx", false),
            ("http.*", "http.", true),
            ("http.*", "http", false),
            ("*.password", "db.password", true),
            ("*.password", ".password", true),
            ("*.password", "password", false),
            ("*password*", "passpassword", true),
            ("a?c", "abc", true),
            ("a?c", "a\u{e9}c", true),
            ("a?c", "ac", false),
            ("*a*b*c", "xaxbxbxc", true),
            ("*a*b*c", "xaxbxbxcd", false),
            ("*", "", true),
            ("?", "", false),
        ] {
            assert_eq!(p(pattern).matches(key.as_bytes()), yes, "{pattern} {key}");
        }
    }

    #[test]
    fn covers_and_overlaps() {
        for (a, b, covers, overlaps) in [
            ("user.*", "user.id", true, true),
            ("user.id", "user.*", false, true),
            ("*.id", "user.*", false, true),
            ("user.*", "user.id.*", true, true),
            ("*", "x.*", true, true),
            ("http.*", "url.*", false, false),
            ("*.a", "*.b", false, false),
            ("a*c", "ab?c", true, true),
            ("a?c", "a*c", false, true),
            ("*x*", "yx*", true, true),
        ] {
            assert_eq!(p(a).covers(&p(b)), covers, "{a} covers {b}");
            assert_eq!(p(a).overlaps(&p(b)), overlaps, "{a} overlaps {b}");
            assert_eq!(p(b).overlaps(&p(a)), overlaps, "{b} overlaps {a}");
        }
    }
}
