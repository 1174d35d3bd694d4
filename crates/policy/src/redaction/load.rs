//! From names of policies to one list of rules: what a policy `extends` comes after its own.

use super::document::{Document, Mode, RuleText, SitePattern, Unseen, VERSION};
use super::error::PolicyError;

/// The largest text of a policy.
const MAX_BYTES: u64 = 1 << 20;

/// The most policies that may extend each other in a row.
const MAX_CHAIN: usize = 16;

/// The text of a document with the name that errors call it by.
#[derive(Clone, Debug)]
pub(super) struct Source {
    pub(super) name: String,
    pub(super) text: String,
}

impl Source {
    /// An error at a located value of this document.
    pub(super) fn error<T>(
        &self,
        at: &document::Located<T>,
        length: usize,
        message: String,
        hint: impl Into<String>,
    ) -> PolicyError {
        let hint = Some(hint.into());
        PolicyError::from(match document::place_of(at) {
            Some(place) => {
                document::Error::at(&self.name, &self.text, place, length, message, hint)
            }
            None => document::Error::whole(&self.name, message, hint),
        })
    }
}

/// A rule with the document that it stands in.
#[derive(Clone, Debug)]
pub(super) struct Sourced<T> {
    pub(super) source: usize,
    pub(super) value: T,
}

/// A policy joined with all that it extends.
#[derive(Clone, Debug, Default)]
pub(super) struct Joined {
    pub(super) sources: Vec<Source>,
    pub(super) mode: Option<Sourced<document::Located<Mode>>>,
    pub(super) unknown_fields: Option<Sourced<document::Located<Unseen>>>,
    pub(super) binary: Option<Sourced<document::Located<Unseen>>>,
    pub(super) annotate: Option<bool>,
    pub(super) mask: Option<String>,
    pub(super) patterns: Vec<Sourced<SitePattern>>,
    pub(super) rules: Vec<Sourced<RuleText>>,
}

fn read(name: &str, text: &str) -> Result<(Document, Source), PolicyError> {
    let document: Document = document::parse_within(MAX_BYTES, "policy", name, text)?;
    let source = Source {
        name: name.to_owned(),
        text: text.to_owned(),
    };
    if document.version.value != VERSION {
        let message = format!("policies of version {} are unknown", document.version.value);
        let hint = format!("this version of stella reads `version: {VERSION}`");
        return Err(source.error(&document.version, 1, message, hint));
    }
    Ok((document, source))
}

/// Reads a policy and what it extends. `resolve` gives the text of a policy by its name.
pub(super) fn join(
    name: &str,
    text: &str,
    resolve: &dyn Fn(&str) -> Option<String>,
) -> Result<Joined, PolicyError> {
    let mut joined = Joined::default();
    let mut seen = vec![name.to_owned()];
    let mut next = Some(read(name, text)?);
    while let Some((document, source)) = next.take() {
        if let Some(extends) = &document.extends {
            let parent = extends.value.as_str();
            let fail = |message: String, hint: String| {
                Err(source.error(extends, parent.len(), message, hint))
            };
            if seen.iter().any(|name| name == parent) {
                seen.push(parent.to_owned());
                let message = format!("policies extend each other: {}", seen.join(" -> "));
                return fail(message, "let one of them extend nothing".to_owned());
            }
            if seen.len() >= MAX_CHAIN {
                let message = format!("more than {MAX_CHAIN} policies extend each other");
                return fail(message, "put rules of some into one policy".to_owned());
            }
            let Some(text) = resolve(parent) else {
                let hint = format!(
                    "shipped policies are {}",
                    document::known(&super::shipped::NAMES)
                );
                return fail(format!("there is no policy `{parent}` to extend"), hint);
            };
            next = Some(read(parent, &text)?);
            seen.push(parent.to_owned());
        }
        joined.add(document, source);
    }
    Ok(joined)
}

impl Joined {
    /// Adds what a policy extends: it comes after what is there.
    fn add(&mut self, document: Document, source: Source) {
        let at = self.sources.len();
        self.sources.push(source);
        fn sourced<T>(source: usize) -> impl Fn(T) -> Sourced<T> {
            move |value| Sourced { source, value }
        }
        self.mode = self.mode.take().or(document.mode.map(sourced(at)));
        self.unknown_fields = self
            .unknown_fields
            .take()
            .or(document.unknown_fields.map(sourced(at)));
        self.binary = self.binary.take().or(document.binary.map(sourced(at)));
        self.annotate = self.annotate.or(document.annotate);
        self.mask = self.mask.take().or(document.mask);
        self.patterns
            .extend(document.patterns.into_iter().map(sourced(at)));
        self.rules
            .extend(document.rules.into_iter().map(sourced(at)));
    }
}
