//! Which telemetry an incident is about.

use std::fmt;
use std::str::FromStr;

use ident::TenantId;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The most attributes in a scope.
pub const MAX_ATTRIBUTES: usize = 8;
/// The longest service name, attribute key or value, in bytes.
const MAX_WORD: usize = 256;

/// What has all of this; with nothing said, everything.
///
/// Written `service=scanner,tenant=acme,attr.key=value`, and `all` for everything. A comma or a
/// backslash in a value has a backslash before it. It prints in one order, whatever the order in
/// which it was written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Scope {
    /// Of this tenant.
    pub tenant: Option<TenantId>,
    /// With this `service.name`.
    pub service: Option<String>,
    /// With all of these attributes, by key.
    pub attributes: Vec<(String, String)>,
}

/// A text that is no scope.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseScopeError {
    /// No text at all.
    #[error("a scope is empty\nhint: write `all` for everything, or `service=NAME`")]
    Empty,
    /// A part without `=`.
    #[error(
        "part {0} of the scope is no `key=value`\nhint: write it as `service=scanner,tenant=acme,attr.key=value`"
    )]
    NotAPair(usize),
    /// A key that is not known.
    #[error(
        "part {0} of the scope has an unknown key\nhint: the keys are `service`, `tenant` and `attr.NAME`"
    )]
    UnknownKey(usize),
    /// A key that was there before.
    #[error("part {0} of the scope says the same key a second time\nhint: each key stands once")]
    Twice(usize),
    /// A value that is empty, too long, or has control characters.
    #[error(
        "part {0} of the scope has a name or value that is empty, longer than 256 bytes or not printable"
    )]
    BadWord(usize),
    /// A tenant's name that is none.
    #[error("part {at} of the scope: {why}")]
    Tenant {
        /// Which part, counted from 1.
        at: usize,
        /// What is wrong with the name.
        why: String,
    },
    /// More attributes than have room.
    #[error("the scope has {0} attributes\nhint: at most 8 have room")]
    TooMany(usize),
}

impl Scope {
    /// Everything.
    pub fn all() -> Self {
        Scope::default()
    }

    /// Whether nothing is left out.
    pub fn is_all(&self) -> bool {
        *self == Scope::default()
    }

    /// Whether everything in `other` is in it.
    pub fn covers(&self, other: &Scope) -> bool {
        let same = |own: Option<&str>, theirs: Option<&str>| own.is_none() || own == theirs;
        let (own, theirs) = (self.tenant.as_ref(), other.tenant.as_ref());
        same(own.map(TenantId::as_str), theirs.map(TenantId::as_str))
            && same(self.service.as_deref(), other.service.as_deref())
            && self
                .attributes
                .iter()
                .all(|pair| other.attributes.contains(pair))
    }

    /// Whether spans of this service may be in it. Tenant and attributes are not asked.
    pub fn may_have_service(&self, service: &str) -> bool {
        self.service.as_deref().is_none_or(|own| own == service)
    }
}

/// A value as it is written in a scope: what separates has a backslash before it.
pub(crate) fn escaped(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    // Writing to a text does not fail.
    let _ = escape(&mut text, value);
    text
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_all() {
            return f.write_str("all");
        }
        let mut first = true;
        let mut part = |f: &mut fmt::Formatter<'_>, prefix: &str, key: &str, value: &str| {
            if !std::mem::take(&mut first) {
                f.write_str(",")?;
            }
            f.write_str(prefix)?;
            escape(f, key)?;
            f.write_str("=")?;
            escape(f, value)
        };
        if let Some(service) = &self.service {
            part(f, "", "service", service)?;
        }
        if let Some(tenant) = &self.tenant {
            part(f, "", "tenant", tenant.as_str())?;
        }
        for (key, value) in &self.attributes {
            part(f, "attr.", key, value)?;
        }
        Ok(())
    }
}

fn escape(f: &mut impl fmt::Write, text: &str) -> fmt::Result {
    for c in text.chars() {
        if matches!(c, ',' | '\\' | '=') {
            f.write_char('\\')?;
        }
        f.write_char(c)?;
    }
    Ok(())
}

impl FromStr for Scope {
    type Err = ParseScopeError;

    fn from_str(text: &str) -> Result<Self, ParseScopeError> {
        let text = text.trim();
        match text {
            "" => return Err(ParseScopeError::Empty),
            "all" => return Ok(Scope::all()),
            _ => {}
        }
        let mut scope = Scope::default();
        for (at, part) in parts(text).into_iter().enumerate() {
            let at = at + 1;
            let [key, value] = part.as_slice() else {
                return Err(ParseScopeError::NotAPair(at));
            };
            let (key, value) = (key.trim(), value.trim());
            if !is_word(key) || !is_word(value) {
                return Err(ParseScopeError::BadWord(at));
            }
            match (key, key.strip_prefix("attr.")) {
                ("service", _) if scope.service.is_none() => scope.service = Some(value.to_owned()),
                ("tenant", _) if scope.tenant.is_none() => {
                    let tenant = value.parse().map_err(|why: ident::ParseTenantError| {
                        let why = why.to_string();
                        ParseScopeError::Tenant { at, why }
                    })?;
                    scope.tenant = Some(tenant);
                }
                ("service" | "tenant", _) => return Err(ParseScopeError::Twice(at)),
                (_, Some("")) => return Err(ParseScopeError::BadWord(at)),
                (_, Some(name)) if scope.attributes.iter().any(|(key, _)| key == name) => {
                    return Err(ParseScopeError::Twice(at));
                }
                (_, Some(name)) => scope.attributes.push((name.to_owned(), value.to_owned())),
                _ => return Err(ParseScopeError::UnknownKey(at)),
            }
        }
        if scope.attributes.len() > MAX_ATTRIBUTES {
            return Err(ParseScopeError::TooMany(scope.attributes.len()));
        }
        scope.attributes.sort();
        Ok(scope)
    }
}

/// The parts between commas, each split at its first `=`; a backslash takes the next character as
/// it is.
fn parts(text: &str) -> Vec<Vec<String>> {
    let mut parts = vec![vec![String::new()]];
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        let Some(part) = parts.last_mut() else { break };
        match c {
            ',' => parts.push(vec![String::new()]),
            '=' if part.len() == 1 => part.push(String::new()),
            _ => {
                let c = if c == '\\' { chars.next() } else { Some(c) };
                if let (Some(c), Some(word)) = (c, part.last_mut()) {
                    word.push(c);
                }
            }
        }
    }
    parts
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.len() <= MAX_WORD && !text.chars().any(char::is_control)
}

impl Serialize for Scope {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Scope {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}
