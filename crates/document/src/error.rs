//! What is wrong with a document, and where.

use miette::{Diagnostic, LabeledSpan, NamedSource, SourceCode, SourceOffset, SourceSpan};

/// Why a document was not taken. Its text is `file:line:column: what`; rendered as a
/// [`Diagnostic`] it shows the lines around the place.
#[derive(Debug, thiserror::Error)]
#[error("{}{message}", self.place())]
pub struct Error {
    name: String,
    message: String,
    hint: Option<String>,
    /// Line and column, from 1.
    at: Option<(usize, usize)>,
    source_code: Option<Box<NamedSource<String>>>,
    span: Option<SourceSpan>,
}

impl Error {
    /// An error about the document `name` as a whole.
    pub fn whole(name: &str, message: String, hint: Option<String>) -> Self {
        Error {
            name: name.to_owned(),
            message,
            hint,
            at: None,
            source_code: None,
            span: None,
        }
    }

    /// An error about `length` bytes at a line and column, both from 1, of `text`.
    pub fn at(
        name: &str,
        text: &str,
        (line, column): (usize, usize),
        length: usize,
        message: String,
        hint: Option<String>,
    ) -> Self {
        let start = SourceOffset::from_location(text, line, column);
        Error {
            name: name.to_owned(),
            message,
            hint,
            at: Some((line, column)),
            source_code: Some(Box::new(
                NamedSource::new(name, text.to_owned()).with_language("yaml"),
            )),
            span: Some(SourceSpan::new(start, length.max(1))),
        }
    }

    /// What the person could do about it.
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// The line and the column, both from 1, where there is one.
    pub fn line_and_column(&self) -> Option<(usize, usize)> {
        self.at
    }

    fn place(&self) -> String {
        match self.at {
            Some((line, column)) => format!("{}:{line}:{column}: ", self.name),
            None => format!("{}: ", self.name),
        }
    }
}

impl Diagnostic for Error {
    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.source_code
            .as_deref()
            .map(|code| code as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let span = self.span?;
        Some(Box::new(std::iter::once(LabeledSpan::new_with_span(
            Some("here".to_owned()),
            span,
        ))))
    }
}
