//! Why a set of detectors cannot be compiled.

/// What is wrong with a set of detectors. The fault is always the profile's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CompileError {
    /// The expression is not one.
    #[error(
        "pattern {name:?}: line {line}, column {column}: {reason}\nhint: the syntax is that of the Rust regex crate, without look-around and backreferences; a literal . ( [ or \\ needs a backslash before it"
    )]
    Syntax {
        /// The pattern's name.
        name: String,
        /// Where in the expression, from 1.
        line: usize,
        /// Where in the line, in characters from 1.
        column: usize,
        /// What the parser says.
        reason: String,
    },
    /// The expression also matches the empty text, or nothing at all.
    #[error(
        "pattern {name:?}: must match at least one character, and can match something\nhint: replace * by + in what it consists of"
    )]
    MatchesNothing {
        /// The pattern's name.
        name: String,
    },
    /// The expression's text is too long.
    #[error(
        "pattern {name:?}: {len} bytes long, over the limit of {limit}\nhint: split it into several patterns"
    )]
    TooLong {
        /// The pattern's name.
        name: String,
        /// Its length in bytes.
        len: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// The expression grows too large when compiled.
    #[error(
        "pattern {name:?}: takes more than {limit} bytes when compiled\nhint: make counted repetitions like {{1,1000}} smaller, or \\w and \\d ASCII with (?-u)"
    )]
    TooLarge {
        /// The pattern's name.
        name: String,
        /// The limit in bytes.
        limit: usize,
    },
    /// Each expression is small enough, but not all together.
    #[error(
        "{patterns} patterns together take more than {limit} bytes when compiled\nhint: make \\w and \\d ASCII with (?-u), or leave some patterns out"
    )]
    SetTooLarge {
        /// How many there are.
        patterns: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// Too many detectors.
    #[error("{count} detectors, over the limit of {limit}\nhint: join patterns with |")]
    TooMany {
        /// How many there are.
        count: usize,
        /// The limit.
        limit: usize,
    },
    /// Two detectors of one name.
    #[error(
        "detector {name:?} is named twice\nhint: findings are counted by name; rename or remove one"
    )]
    Duplicate {
        /// The name.
        name: String,
    },
}

impl CompileError {
    pub(super) fn syntax(name: &str, error: &regex_syntax::Error) -> CompileError {
        let (reason, span) = match error {
            regex_syntax::Error::Parse(error) => (error.kind().to_string(), Some(*error.span())),
            regex_syntax::Error::Translate(error) => {
                (error.kind().to_string(), Some(*error.span()))
            }
            other => (other.to_string(), None),
        };
        CompileError::Syntax {
            name: name.to_owned(),
            line: span.map_or(1, |span| span.start.line),
            column: span.map_or(1, |span| span.start.column),
            reason,
        }
    }
}
