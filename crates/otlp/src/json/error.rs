//! Why a JSON document is refused, and where.
//!
//! The texts name fields and places and never repeat any content of the document, so they may be
//! logged (REDACT-FIRST).

use super::{MAX_JSON_BYTES, MAX_JSON_DEPTH, MAX_VALUE_DEPTH};

/// The first fault of a document. The fault is the sender's; the same bytes will fail again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{kind} (line {line}, column {column}, byte {offset})", Place(path))]
pub struct JsonError {
    path: String,
    offset: usize,
    line: usize,
    column: usize,
    kind: JsonErrorKind,
}

struct Place<'a>(&'a str);

impl std::fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0.is_empty() {
            return Ok(());
        }
        write!(f, "{}: ", self.0)
    }
}

impl JsonError {
    /// The fields on the way to the fault by their JSON names, such as
    /// `resourceSpans[0].scopeSpans[0].spans[2].traceId`; empty where the fault is in no field.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Where the fault is, in bytes from the beginning of the document.
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// The line of the fault, from 1. Lines end in `\n`.
    pub fn line(&self) -> usize {
        self.line
    }

    /// The column of the fault in its line, in characters from 1.
    pub fn column(&self) -> usize {
        self.column
    }

    /// What is wrong.
    pub fn kind(&self) -> &JsonErrorKind {
        &self.kind
    }
}

/// What can be wrong with a document.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JsonErrorKind {
    /// The document ends before it is complete.
    #[error("the document ends too early")]
    UnexpectedEnd,
    /// Something else stands where the grammar of JSON wants this.
    #[error("expected {0}")]
    Expected(&'static str),
    /// There is more than one JSON value.
    #[error("something follows the end of the document")]
    TrailingData,
    /// A byte that is not part of UTF-8.
    #[error("the document is not UTF-8")]
    InvalidUtf8,
    /// A character below U+0020 that is not escaped.
    #[error("a control character in a string must be escaped")]
    ControlCharacter,
    /// A backslash followed by something that JSON does not know.
    #[error("not an escape sequence of JSON")]
    InvalidEscape,
    /// Half of a surrogate pair; it stands for no character.
    #[error("half of a surrogate pair")]
    LoneSurrogate,
    /// Not a number by the grammar of JSON.
    #[error("not a JSON number")]
    InvalidNumber,
    /// A value of another type than the field's.
    #[error("expected {expected}, found {found}")]
    WrongType {
        /// What the field takes.
        expected: &'static str,
        /// What stands there.
        found: &'static str,
    },
    /// A string that is no number, for a field that is one.
    #[error("expected {0}, found a string that is none")]
    NotANumber(&'static str),
    /// A fraction, for a field that takes integers.
    #[error("expected {0}, found a fraction")]
    NotIntegral(&'static str),
    /// A number beyond the field's range.
    #[error("the number is out of range for {0}")]
    OutOfRange(&'static str),
    /// An id of another length than its own.
    #[error("expected {expected} hex digits, found {found} characters")]
    IdLength {
        /// 32 for a trace id, 16 for a span id.
        expected: usize,
        /// Characters found.
        found: usize,
    },
    /// A character that is no hex digit in an id.
    #[error("not a hex digit")]
    InvalidHex,
    /// A string that is not base64, neither the standard nor the URL-safe one.
    #[error("not base64")]
    InvalidBase64,
    /// A string for an enum that is not one of its names.
    #[error("not a name of this enum; write its number")]
    UnknownEnumName,
    /// The same field twice in one object, maybe once by each of its names.
    #[error("the field appears twice in its object")]
    Duplicate,
    /// Two fields that exclude each other.
    #[error("`{0}` is set already, and only one of the two may be")]
    OneofTwice(&'static str),
    /// A value nested deeper than [`MAX_VALUE_DEPTH`].
    #[error("values nest deeper than {MAX_VALUE_DEPTH}")]
    ValueTooDeep,
    /// Objects and arrays nested deeper than [`MAX_JSON_DEPTH`].
    #[error("objects and arrays nest deeper than {MAX_JSON_DEPTH}")]
    TooDeep,
    /// A document longer than [`MAX_JSON_BYTES`].
    #[error("the document is longer than {MAX_JSON_BYTES} bytes")]
    TooLarge,
}

/// A fault on its way out: the path grows from the inside.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) offset: usize,
    pub(super) kind: JsonErrorKind,
    pub(super) path: Vec<(&'static str, Option<usize>)>,
}

pub(super) type Outcome<T> = Result<T, Box<Fault>>;

#[cold]
pub(super) fn fault<T>(offset: usize, kind: JsonErrorKind) -> Outcome<T> {
    Err(Box::new(Fault {
        offset,
        kind,
        path: Vec::new(),
    }))
}

impl Fault {
    /// Adds the field that the fault is in, and which of its elements.
    #[cold]
    pub(super) fn within(
        mut self: Box<Self>,
        field: &'static str,
        index: Option<usize>,
    ) -> Box<Self> {
        self.path.push((field, index));
        self
    }

    /// The error to show, with the place in `json` told in lines and columns.
    pub(super) fn explain(self, json: &[u8]) -> JsonError {
        let mut path = String::new();
        for (field, index) in self.path.iter().rev() {
            if !path.is_empty() {
                path.push('.');
            }
            path.push_str(field);
            if let Some(index) = index {
                path.push_str(&format!("[{index}]"));
            }
        }
        let before = json.get(..self.offset).unwrap_or(json);
        let line_start = memchr::memrchr(b'\n', before).map_or(0, |at| at + 1);
        // Continuation bytes of UTF-8 begin no character.
        let column = before[line_start..]
            .iter()
            .filter(|byte| **byte & 0xc0 != 0x80)
            .count();
        JsonError {
            path,
            offset: self.offset,
            line: memchr::memchr_iter(b'\n', before).count() + 1,
            column: column + 1,
            kind: self.kind,
        }
    }
}
