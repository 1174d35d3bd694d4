//! The words of a message: a subject and a text for each type of event.
//!
//! Templates are Jinja's (minijinja). BOUNDED: what one may do (fuel), nest and write is limited;
//! whatever comes of it, a subject is one line and neither holds control characters, so that
//! neither can break out of a header. A template that fails on an event never stops the event: the
//! built-in words are used, and the failure is logged.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::Arc;

use jiff::Timestamp;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{Environment, UndefinedBehavior, context};
use serde_json::{Map, json};

use crate::Event;

/// About so many steps may one template take.
const FUEL: u64 = 50_000;
/// How deep may it nest.
const MAX_DEPTH: usize = 50;
/// The longest template.
const MAX_TEMPLATE_BYTES: usize = 16 << 10;
/// The longest subject and the longest text that come of one; more is cut off.
const MAX_TITLE_BYTES: usize = 200;
const MAX_TEXT_BYTES: usize = 16 << 10;

/// The words for whatever has none of its own.
const ANY_SUBJECT: &str = "{{ event.type }}: {{ event.subject }}";
const ANY_TEXT: &str = "\
{{ event.type }}, about {{ event.subject }}, at {{ event.time }}{% if event.tenant %}, tenant {{ event.tenant }}{% endif %}
{% for key, value in event.data|items %}{{ key }}: {{ value }}
{% endfor %}";

/// What the incidents' texts have in common.
const DETAILS: &str = "\
{% if event.data.scope %}Scope:      {{ event.data.scope }}
{% endif %}{% if event.tenant %}Tenant:     {{ event.tenant }}
{% endif %}{% if event.data.opened_by %}Opened by:  {{ event.data.opened_by }}
{% endif %}{% if event.data.approved_by %}Approved:   {{ event.data.approved_by }}
{% endif %}{% if event.data.opened_at %}Opened at:  {{ event.data.opened_at }}
{% endif %}{% if event.data.expires_at and not ended %}Ends at:    {{ event.data.expires_at }}
{% endif %}{% if event.data.lookback and not ended %}Look-back:  {{ event.data.lookback }}
{% endif %}{% if event.data.estimate and not ended %}Estimate:   {{ event.data.estimate }}
{% endif %}{% if event.data.closed_by %}Closed by:  {{ event.data.closed_by }}
{% endif %}{% if event.data.ended_because %}Ended:      {{ event.data.ended_because }}
{% endif %}{% if event.data.kept is mapping %}Kept:       {% for key, value in event.data.kept|items %}{{ value }} {{ key }}{% if not loop.last %}, {% endif %}{% endfor %}
{% endif %}Event:      {{ event.id }} at {{ event.time }}
";

/// The built-in words: type, subject, and the first lines of the text, before the details.
const DEFAULTS: [(&str, &str, &str); 5] = [
    (
        "stella.incident.opened",
        "[incident] {{ event.subject }} opened{% if event.data.reason %}: {{ event.data.reason }}{% endif %}",
        "Incident {{ event.subject }} was opened{% if event.data.reason %}: {{ event.data.reason }}{% endif %}\n\nEverything in its scope is kept from now on, and what the window still holds from before.\n\n",
    ),
    (
        "stella.incident.extended",
        "[incident] {{ event.subject }} extended{% if event.data.expires_at %} to {{ event.data.expires_at }}{% endif %}",
        "Incident {{ event.subject }} was extended.\n\n",
    ),
    (
        "stella.incident.closed",
        "[incident] {{ event.subject }} closed{% if event.data.reason %}: {{ event.data.reason }}{% endif %}",
        "{% set ended = true %}Incident {{ event.subject }} was closed. Sampling and retention are as before.\n\n",
    ),
    (
        "stella.incident.expired",
        "[incident] {{ event.subject }} has ended by itself",
        "{% set ended = true %}Incident {{ event.subject }} has reached its end. Sampling and retention are as before.\n\n",
    ),
    (
        "stella.notify.test",
        "[test] StellaOps notifications reach you",
        "This is a test that somebody asked for with `stella telemetry notify test`. Nothing has happened.\n\n",
    ),
];

/// The words of a site.
#[derive(Clone)]
pub struct Templates {
    environment: Arc<Environment<'static>>,
}

impl std::fmt::Debug for Templates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Templates")
    }
}

/// The words that a site has for a type of event; what is not there stays as built in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Words {
    /// The subject's template.
    pub subject: Option<String>,
    /// The text's template.
    pub text: Option<String>,
}

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The subject.
    Subject,
    /// The text.
    Text,
}

impl Part {
    /// Its key.
    pub const fn as_str(self) -> &'static str {
        match self {
            Part::Subject => "subject",
            Part::Text => "text",
        }
    }
}

/// Why a template cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the {} for `{kind}`, line {line}: {what}\nhint: templates are Jinja's; they see `event.id`, `.type`, `.time`, `.subject`, `.tenant`, `.data`", .part.as_str())]
pub struct TemplateError {
    /// The type of event.
    pub kind: String,
    /// Which of its templates.
    pub part: Part,
    /// The line of the template, from 1.
    pub line: usize,
    what: String,
}

impl Default for Templates {
    fn default() -> Self {
        // The built-in ones are tested.
        Self::new(&BTreeMap::new()).unwrap_or_else(|_| Templates {
            environment: Arc::new(environment()),
        })
    }
}

impl Templates {
    /// The built-in words, with a site's own in their place.
    ///
    /// # Errors
    /// If a template cannot be read, or fails on an event of its type.
    pub fn new(own: &BTreeMap<String, Words>) -> Result<Templates, TemplateError> {
        let mut environment = environment();
        let mut add = |kind: &str, part: Part, source: &str| {
            let wrong = |error: minijinja::Error| TemplateError {
                kind: kind.to_owned(),
                part,
                line: error.line().unwrap_or(1),
                what: error.detail().map_or_else(
                    || error.kind().to_string(),
                    |detail| format!("{}: {detail}", error.kind()),
                ),
            };
            if source.len() > MAX_TEMPLATE_BYTES {
                let what = format!("it has more than {MAX_TEMPLATE_BYTES} bytes");
                return Err(TemplateError {
                    kind: kind.to_owned(),
                    part,
                    line: 1,
                    what,
                });
            }
            let name = name(kind, part);
            let added = environment.add_template_owned(name.clone(), source.to_owned());
            added.map_err(wrong)?;
            let Some(sample) = sample(kind) else {
                return Ok(());
            };
            // Filters and functions that do not exist show only now.
            let template = environment.get_template(&name).map_err(wrong)?;
            let rendered = template.render_captured_to(values(&sample), io::sink());
            rendered.map(drop).map_err(wrong)
        };
        add("*", Part::Subject, ANY_SUBJECT)?;
        add("*", Part::Text, ANY_TEXT)?;
        for (kind, subject, text) in DEFAULTS {
            add(kind, Part::Subject, subject)?;
            add(kind, Part::Text, &format!("{text}{DETAILS}"))?;
        }
        for (kind, words) in own {
            for (part, source) in [(Part::Subject, &words.subject), (Part::Text, &words.text)] {
                if let Some(source) = source {
                    add(kind, part, source)?;
                }
            }
        }
        Ok(Templates {
            environment: Arc::new(environment),
        })
    }

    /// The subject and the text for an event.
    pub fn render(&self, event: &Event) -> (String, String) {
        let title = self.part(event, Part::Subject, MAX_TITLE_BYTES);
        let text = self.part(event, Part::Text, MAX_TEXT_BYTES);
        (one_line(&title), lines(&text))
    }

    fn part(&self, event: &Event, part: Part, most: usize) -> String {
        let (own, any) = (name(event.kind(), part), name("*", part));
        for name in [own, any] {
            let Ok(template) = self.environment.get_template(&name) else {
                continue;
            };
            let mut out = Limited {
                bytes: Vec::new(),
                most,
            };
            match template.render_captured_to(values(event), &mut out) {
                Ok(_) => return cut(out.bytes, most),
                // It was long enough for its limit.
                Err(_) if out.bytes.len() >= most => return cut(out.bytes, most),
                Err(error) => {
                    tracing::error!(template = name, event = event.id(), %error, "a template failed; simpler words are used");
                }
            }
        }
        format!("{}: {}", event.kind(), event.subject())
    }
}

fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    // `include` and macros are not compiled in: a template is what it says.
    environment.set_fuel(Some(FUEL));
    environment.set_recursion_limit(MAX_DEPTH);
    environment.set_undefined_behavior(UndefinedBehavior::Chainable);
    environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    let syntax = SyntaxConfig::builder().keep_trailing_newline(true).build();
    // Only delimiters can be wrong in it, and they are as they were.
    environment.set_syntax(syntax.unwrap_or_default());
    environment
}

fn name(kind: &str, part: Part) -> String {
    format!("{kind}/{}", part.as_str())
}

/// What templates see.
fn values(event: &Event) -> minijinja::Value {
    context! { event => minijinja::Value::from(Serde(event)) }
}

/// An event to try a template on.
fn sample(kind: &str) -> Option<Event> {
    let mut data = Map::new();
    for key in [
        "reason",
        "scope",
        "opened_by",
        "opened_at",
        "expires_at",
        "closed_by",
    ] {
        data.insert(key.to_owned(), json!("x"));
    }
    data.insert("kept".to_owned(), json!({ "traces": 1 }));
    let kind = if kind == "*" { "stella.any" } else { kind };
    Event::new("sample", kind, Timestamp::UNIX_EPOCH, "sample", None, data).ok()
}

/// Takes so many bytes, and then fails.
struct Limited {
    bytes: Vec<u8>,
    most: usize,
}

impl Write for Limited {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = self.most.saturating_sub(self.bytes.len());
        if room == 0 && !bytes.is_empty() {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let taken = bytes.get(..room).unwrap_or(bytes);
        self.bytes.extend_from_slice(taken);
        Ok(taken.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// As text, with a mark where it was cut off.
fn cut(bytes: Vec<u8>, most: usize) -> String {
    let whole = bytes.len() < most;
    let mut text = match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let valid = error.utf8_error().valid_up_to();
            let bytes = error.into_bytes();
            String::from_utf8_lossy(bytes.get(..valid).unwrap_or_default()).into_owned()
        }
    };
    if !whole {
        text.push('…');
    }
    text
}

/// Without control characters and without what looks like one line and is two.
fn one_line(text: &str) -> String {
    let breaks = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    let words = text.split(|c: char| breaks(c) || c == ' ');
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    words.join(" ")
}

/// Without control characters but line breaks and tabs.
fn lines(text: &str) -> String {
    let text = text.replace("\r\n", "\n");
    let keep = |c: &char| !c.is_control() || matches!(c, '\n' | '\t');
    text.chars().filter(keep).collect()
}

#[cfg(test)]
mod tests;
