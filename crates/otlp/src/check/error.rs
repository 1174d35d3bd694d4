//! Why a request is refused, and where.

use super::MAX_VALUE_DEPTH;

/// The first fault of a request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{kind} (byte {offset})", Place(path))]
pub struct CheckError {
    path: String,
    offset: usize,
    kind: ErrorKind,
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

impl CheckError {
    pub(crate) fn new(path: String, offset: usize, kind: ErrorKind) -> Self {
        CheckError { path, offset, kind }
    }

    /// The fields on the way to the fault, such as
    /// `resource_spans[0].scope_spans[2].spans[17].attributes[3].value`; empty where not even the
    /// first field could be told.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Where the faulty field begins, in bytes from the beginning of the request.
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// What is wrong.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }
}

/// What can be wrong with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The field announces more bytes than its message has, or a varint does not end within ten
    /// bytes or does not fit 64 bits.
    #[error("the field is cut off or has a bad length")]
    Truncated,
    /// Field number 0, or a wire type that does not exist.
    #[error("not a protobuf field")]
    BadTag,
    /// A group, which proto3 does not have.
    #[error("groups are not allowed")]
    Group,
    /// A field of OTLP in a wire type that is not its own.
    #[error("the field has the wrong wire type")]
    WrongWireType,
    /// A string that is not UTF-8.
    #[error("the string is not UTF-8")]
    InvalidUtf8,
    /// A trace id of another length than 0 or 16.
    #[error("a trace id has 16 bytes, this one has {0}")]
    TraceIdLength(usize),
    /// A span id of another length than 0 or 8.
    #[error("a span id has 8 bytes, this one has {0}")]
    SpanIdLength(usize),
    /// A value nested deeper than [`MAX_VALUE_DEPTH`].
    #[error("values nest deeper than {MAX_VALUE_DEPTH}")]
    TooDeep,
    /// A metric that is of two kinds at once. Parsers would keep the last and forget the data
    /// points of the others, so what is counted, redacted and delivered could differ.
    #[error("the metric has two kinds of data")]
    TwoKindsOfData,
    /// The parts of a split would together be too large (see [`crate::split`]).
    #[error("what each part must repeat makes the parts too large together")]
    SplitTooLarge,
}
