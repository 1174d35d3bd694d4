//! A site's own expressions, by the `regex` crate: its automata are linear in the value for each
//! search, and their size is limited.
//!
//! All expressions are first asked at once whether any of them matches; only then each looks for
//! its ranges. Searching again behind each match may read what follows more than once, so that
//! the number of searches is limited too: see [`MAX_MATCHES`].

use super::{CompileError, Found};
use regex::{Regex, RegexBuilder, RegexSet, RegexSetBuilder};

/// The longest expression in bytes.
const MAX_TEXT: usize = 4 << 10;
/// The largest compiled form in bytes, of one expression and of all together.
const SIZE_LIMIT: usize = 1 << 20;
const SET_SIZE_LIMIT: usize = 16 << 20;
/// What one thread's cache of states may take in bytes.
const CACHE_LIMIT: usize = 1 << 20;
const NEST_LIMIT: u32 = 64;

/// The matches of one expression in one value. If there are more, all from the last on is taken
/// as found: rather too much than too little, and the work stays linear.
const MAX_MATCHES: usize = 256;

/// The compiled expressions of a set.
#[derive(Debug, Clone)]
pub(super) struct Patterns {
    all: RegexSet,
    each: Vec<(u16, Regex)>,
}

impl Patterns {
    /// Compiles expressions, each with the index of its detector.
    pub(super) fn compile(sources: &[(u16, &str, &str)]) -> Result<Option<Patterns>, CompileError> {
        if sources.is_empty() {
            return Ok(None);
        }
        let mut each = Vec::with_capacity(sources.len());
        for &(detector, name, regex) in sources {
            each.push((detector, compile_one(name, regex)?));
        }
        let all = RegexSetBuilder::new(sources.iter().map(|&(_, _, regex)| regex))
            .size_limit(SET_SIZE_LIMIT)
            .dfa_size_limit(CACHE_LIMIT)
            .nest_limit(NEST_LIMIT)
            .build()
            .map_err(|_| CompileError::SetTooLarge {
                patterns: sources.len(),
                limit: SET_SIZE_LIMIT,
            })?;
        Ok(Some(Patterns { all, each }))
    }

    /// Appends each expression's matches, in the order of the expressions.
    pub(super) fn scan(&self, value: &str, found: &mut Vec<Found>) {
        if !self.all.is_match(value) {
            return;
        }
        for (detector, regex) in &self.each {
            for (n, one) in regex.find_iter(value).take(MAX_MATCHES).enumerate() {
                let last = n + 1 == MAX_MATCHES;
                found.push(Found {
                    start: one.start(),
                    end: if last { value.len() } else { one.end() },
                    detector: *detector,
                });
            }
        }
    }
}

fn compile_one(name: &str, text: &str) -> Result<Regex, CompileError> {
    if text.len() > MAX_TEXT {
        return Err(CompileError::TooLong {
            name: name.to_owned(),
            len: text.len(),
            limit: MAX_TEXT,
        });
    }
    let parsed = regex_syntax::ParserBuilder::new()
        .nest_limit(NEST_LIMIT)
        .build()
        .parse(text)
        .map_err(|error| CompileError::syntax(name, &error))?;
    if parsed.properties().minimum_len().is_none_or(|len| len == 0) {
        return Err(CompileError::MatchesNothing {
            name: name.to_owned(),
        });
    }
    RegexBuilder::new(text)
        .size_limit(SIZE_LIMIT)
        .dfa_size_limit(CACHE_LIMIT)
        .nest_limit(NEST_LIMIT)
        .build()
        .map_err(|_| CompileError::TooLarge {
            name: name.to_owned(),
            limit: SIZE_LIMIT,
        })
}
