//! Which attributes are of interest, and what is asked about their values.

use std::collections::HashSet;

use otlp::view::{KeyValue, Value};
use regex::RegexSet;

/// The longest key of interest in bytes.
pub(crate) const MAX_KEY_BYTES: usize = 255;

/// A question about a value, and the bit that yes sets.
#[derive(Debug)]
pub(crate) struct Test {
    pub bit: u64,
    pub question: Question,
}

#[derive(Debug)]
pub(crate) enum Question {
    /// A whole number within these.
    Int(i64, i64),
    /// One of these texts.
    Text(HashSet<Box<str>>),
    /// A text that one of these matches somewhere.
    Pattern(RegexSet),
    /// This truth value.
    Bool(bool),
    /// Any text but the empty one.
    AnyText,
}

impl Question {
    fn answer(&self, value: Value<'_>) -> bool {
        match (self, value) {
            (Question::Int(least, most), Value::Int(number)) => (*least..=*most).contains(&number),
            (Question::Bool(wanted), Value::Bool(truth)) => *wanted == truth,
            (_, Value::String("")) => false,
            (Question::Text(texts), Value::String(text)) => texts.contains(text),
            (Question::Pattern(patterns), Value::String(text)) => patterns.is_match(text),
            (Question::AnyText, Value::String(_)) => true,
            _ => false,
        }
    }
}

/// The keys of interest, found by length first: most attributes are dismissed by theirs.
#[derive(Debug)]
pub(crate) struct Keys {
    /// For each length, where its keys begin in `keys`; `keys.len()` for none.
    first: [u16; MAX_KEY_BYTES + 1],
    keys: Vec<(Box<[u8]>, Vec<Test>)>,
}

impl Default for Keys {
    fn default() -> Self {
        Keys {
            first: [0; MAX_KEY_BYTES + 1],
            keys: Vec::new(),
        }
    }
}

impl Keys {
    /// The caller has made sure that the key is no longer than [`MAX_KEY_BYTES`].
    pub(crate) fn add(&mut self, key: &str, test: Test) {
        let key = key.as_bytes();
        match self.keys.iter_mut().find(|(known, _)| **known == *key) {
            Some((_, tests)) => tests.push(test),
            None => self.keys.push((key.into(), vec![test])),
        }
        self.keys.sort_by_key(|(key, _)| key.len());
        for (length, first) in self.first.iter_mut().enumerate() {
            let at = self.keys.iter().position(|(key, _)| key.len() == length);
            *first = at.unwrap_or(self.keys.len()) as u16;
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The bits that an attribute sets.
    #[inline]
    pub(crate) fn bits(&self, attribute: KeyValue<'_>) -> u64 {
        let key = attribute.key_bytes();
        let Some(first) = self.first.get(key.len()) else {
            return 0;
        };
        let candidates = self.keys.get(usize::from(*first)..).unwrap_or_default();
        for (known, tests) in candidates {
            if known.len() != key.len() {
                return 0;
            }
            if **known == *key {
                return answers(tests, attribute.value());
            }
        }
        0
    }
}

fn answers(tests: &[Test], value: Value<'_>) -> u64 {
    tests
        .iter()
        .filter(|test| test.question.answer(value))
        .fold(0, |bits, test| bits | test.bit)
}
