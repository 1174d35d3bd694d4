//! Which attributes are of interest, and what is asked about their values.

use otlp::view::{KeyValue, Value};
use regex::bytes::RegexSet;

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
    /// One of these texts, which are sorted.
    Text(Vec<Box<[u8]>>),
    /// A text that one of these matches somewhere.
    Pattern(RegexSet),
    /// This truth value.
    Bool(bool),
    /// Any text but the empty one.
    AnyText,
}

/// A value as far as questions ask about it.
#[derive(Clone, Copy)]
enum Asked<'a> {
    Int(i64),
    Bool(bool),
    Text(&'a [u8]),
    Other,
}

impl<'a> Asked<'a> {
    fn of(attribute: KeyValue<'a>, key_len: usize) -> Self {
        // At a glance: a text or whole number shorter than 128 bytes, and nothing after it.
        let body = attribute.body();
        if let Some([0x12, value_len, value @ ..]) = body.get(2 + key_len..)
            && usize::from(*value_len) == value.len()
            && *value_len < 0x80
            && let [0x0a, text_len, text @ ..] = value
            && usize::from(*text_len) == text.len()
        {
            return Asked::Text(text);
        }
        match attribute.value() {
            Value::Int(number) => Asked::Int(number),
            Value::Bool(truth) => Asked::Bool(truth),
            Value::String(text) => Asked::Text(text.as_bytes()),
            _ => Asked::Other,
        }
    }
}

impl Question {
    fn answer(&self, value: Asked<'_>) -> bool {
        match (self, value) {
            (Question::Int(least, most), Asked::Int(number)) => (*least..=*most).contains(&number),
            (Question::Bool(wanted), Asked::Bool(truth)) => *wanted == truth,
            (_, Asked::Text([])) => false,
            (Question::Text(texts), Asked::Text(text)) => {
                texts.binary_search_by(|known| (**known).cmp(text)).is_ok()
            }
            (Question::Pattern(patterns), Asked::Text(text)) => patterns.is_match(text),
            (Question::AnyText, Asked::Text(_)) => true,
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

    /// The bits that an attribute sets, given the body of its message.
    #[inline]
    pub(crate) fn bits(&self, pair: &[u8]) -> u64 {
        // At a glance: a key that is none of interest, a short value, and nothing after it.
        if let [0x0a, length, rest @ ..] = pair
            && *length < 0x80
            && let Some((key, [0x12, value_len, value @ ..])) =
                rest.split_at_checked(usize::from(*length))
            && *value_len < 0x80
            && usize::from(*value_len) == value.len()
            && !self.has(key)
        {
            return 0;
        }
        self.slow_bits(KeyValue::new(pair))
    }

    /// Whether it is a key of interest.
    #[inline]
    fn has(&self, key: &[u8]) -> bool {
        let Some(first) = self.first.get(key.len()) else {
            return false;
        };
        let of_length = self.keys.get(usize::from(*first)..).unwrap_or_default();
        let mut of_length = of_length.iter().take_while(|(k, _)| k.len() == key.len());
        of_length.any(|(known, _)| **known == *key)
    }

    fn slow_bits(&self, attribute: KeyValue<'_>) -> u64 {
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
                return answers(tests, Asked::of(attribute, key.len()));
            }
        }
        0
    }
}

fn answers(tests: &[Test], value: Asked<'_>) -> u64 {
    tests
        .iter()
        .filter(|test| test.question.answer(value))
        .fold(0, |bits, test| bits | test.bit)
}
