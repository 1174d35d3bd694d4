//! Redaction done naively on prost's types: the oracle. Shares no code with what it checks.

use super::common::Request;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, InstrumentationScope, KeyValue, any_value::Value,
};
use opentelemetry_proto::tonic::metrics::v1::{Exemplar, metric::Data};
use opentelemetry_proto::tonic::resource::v1::Resource;
use regex::Regex;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

/// What a rule does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Does {
    Keep,
    Drop,
    Mask(&'static str),
    Truncate(usize),
}

/// A rule as the oracle knows it.
#[derive(Clone, Debug)]
pub struct Rule {
    pub name: &'static str,
    /// Globs.
    pub keys: Vec<&'static str>,
    pub fields: Vec<&'static str>,
    pub signals: Vec<&'static str>,
    pub places: Vec<&'static str>,
    pub detect: bool,
    pub does: Does,
}

impl Rule {
    /// The rule in the words of a policy.
    pub fn yaml(&self) -> String {
        let list = |name: &str, words: &[&str]| match words {
            [] => String::new(),
            words => format!(", {name}: {words:?}"),
        };
        let action = match self.does {
            Does::Keep => "keep".to_owned(),
            Does::Drop => "drop".to_owned(),
            Does::Mask(mask) => format!("mask, mask: {mask:?}"),
            Does::Truncate(length) => format!("truncate, length: {length}"),
        };
        let detect: &[&str] = if self.detect { &["site"] } else { &[] };
        format!(
            "  - {{ name: {}{}{}{}{}{}, action: {action} }}\n",
            self.name,
            list("keys", &self.keys),
            list("fields", &self.fields),
            list("signals", &self.signals),
            list("places", &self.places),
            list("detect", detect),
        )
    }
}

/// A policy of the oracle.
pub struct Naive {
    pub allow: bool,
    pub rules: Vec<Rule>,
    pub detector: Regex,
    pub counts: BTreeMap<&'static str, u64>,
    pub signal: &'static str,
}

/// What holds for a value: the rules that look into it, and the one that decides.
#[derive(Clone, Debug, Default)]
struct Said {
    active: BTreeSet<usize>,
    end: Option<usize>,
    not_listed: bool,
}

/// What becomes of a text.
enum Fate {
    Same,
    Gone,
    Text(String),
}

/// Globs are compiled once.
fn glob(pattern: &'static str) -> Regex {
    thread_local! {
        static GLOBS: RefCell<BTreeMap<&'static str, Regex>> = RefCell::default();
    }
    GLOBS.with_borrow_mut(|globs| {
        let compile = || {
            let text = regex::escape(&pattern.to_lowercase());
            let text = text.replace(r"\*", "(?s:.*)").replace(r"\?", "(?s:.)");
            Regex::new(&format!("^{text}$")).expect("a glob")
        };
        globs.entry(pattern).or_insert_with(compile).clone()
    })
}

impl Naive {
    fn key(&self, place: &str, own: &str, path: &str) -> Said {
        let names = [own.to_ascii_lowercase(), path.to_ascii_lowercase()];
        let matches = |rule: &Rule| {
            let keyed = rule
                .keys
                .iter()
                .any(|key| names.iter().any(|name| glob(key).is_match(name)));
            let everywhere = rule.keys.is_empty() && rule.fields.is_empty();
            (keyed || everywhere)
                && (rule.places.is_empty() || rule.places.contains(&place))
                && (rule.signals.is_empty() || rule.signals.contains(&self.signal))
        };
        let mut said = self.ask(matches);
        said.not_listed = self.allow && said.end.is_none();
        said
    }

    fn field(&self, field: &str) -> Said {
        self.ask(|rule| {
            let everywhere =
                rule.keys.is_empty() && rule.fields.is_empty() && rule.places.is_empty();
            (everywhere || rule.fields.contains(&field))
                && (rule.signals.is_empty() || rule.signals.contains(&self.signal))
        })
    }

    fn ask(&self, matches: impl Fn(&Rule) -> bool) -> Said {
        let mut said = Said::default();
        for (index, rule) in self
            .rules
            .iter()
            .enumerate()
            .filter(|(_, rule)| matches(rule))
        {
            if !rule.detect {
                said.end = Some(index);
                break;
            }
            said.active.insert(index);
        }
        said
    }

    /// A rule that matches a key holds for what is in it too, but for `keep`; of two the stricter.
    fn inside(&self, mut own: Said, above: &Said) -> Said {
        let strictness = |end: Option<usize>| match end.map(|end| self.rules[end].does) {
            None | Some(Does::Keep) => 0,
            Some(Does::Truncate(length)) => 1000 - length,
            Some(Does::Mask(_)) => 2000,
            Some(Does::Drop) => 3000,
        };
        let before = own.end.unwrap_or(usize::MAX);
        own.active
            .extend(above.active.iter().filter(|rule| **rule < before));
        if !own.not_listed && strictness(above.end) > strictness(own.end) {
            own.end = above.end;
        }
        own
    }

    fn count(&mut self, rule: &'static str) {
        *self.counts.entry(rule).or_default() += 1;
    }

    /// What goes whatever it is.
    fn goes(&mut self, said: &Said) -> bool {
        if said.not_listed {
            self.count("(not listed)");
            return true;
        }
        let drops = said.end.filter(|end| self.rules[*end].does == Does::Drop);
        if let Some(rule) = drops {
            self.count(self.rules[rule].name);
        }
        drops.is_some()
    }

    fn text(&mut self, said: &Said, text: &str, only_look: bool) -> Fate {
        if !only_look && self.goes(said) {
            return Fate::Gone;
        }
        let end = said
            .end
            .filter(|_| !only_look)
            .map(|end| self.rules[end].clone());
        if let Some(Rule {
            name,
            does: Does::Mask(mask),
            ..
        }) = end
        {
            let drop = said
                .active
                .iter()
                .next()
                .map(|rule| self.rules[*rule].clone());
            if let Some(Rule {
                name,
                does: Does::Drop,
                ..
            }) = drop
                && self.detector.is_match(text)
            {
                self.count(name);
                return Fate::Gone;
            }
            self.count(name);
            return Fate::Text(mask.to_owned());
        }
        let mut now = text.to_owned();
        if let Some(first) = said.active.iter().next() {
            let Rule { name, does, .. } = self.rules[*first].clone();
            let parts = self.detector.find_iter(text).count() as u64;
            match does {
                Does::Drop if parts > 0 => {
                    self.count(name);
                    return Fate::Gone;
                }
                Does::Mask(mask) if parts > 0 => {
                    *self.counts.entry(name).or_default() += parts;
                    now = self
                        .detector
                        .replace_all(text, regex::NoExpand(mask))
                        .into_owned();
                }
                _ => {}
            }
        }
        if let Some(Rule {
            name,
            does: Does::Truncate(length),
            ..
        }) = end
            && now.chars().count() > length
        {
            self.count(name);
            now = now.chars().take(length).collect();
        }
        if now == text {
            Fate::Same
        } else {
            Fate::Text(now)
        }
    }

    fn plain(&mut self, field: &str, text: &mut String) {
        if text.is_empty() {
            return;
        }
        let said = self.field(field);
        match self.text(&said, text, false) {
            Fate::Same => {}
            Fate::Gone => text.clear(),
            Fate::Text(now) => *text = now,
        }
    }

    /// Redacts a value; whether it goes.
    fn value(&mut self, place: &str, said: &Said, path: &str, value: &mut AnyValue) -> bool {
        let Some(kind) = &mut value.value else {
            return self.goes(said);
        };
        let looks = !said.active.is_empty();
        let whole = said.end.map(|end| self.rules[end].does);
        let text = match kind {
            Value::StringValue(text) => text.clone(),
            Value::IntValue(number) => number.to_string(),
            Value::DoubleValue(number) => number.to_string(),
            Value::BoolValue(truth) => match whole {
                Some(Does::Mask(_) | Does::Drop) => truth.to_string(),
                _ => return self.goes(said),
            },
            Value::BytesValue(bytes) => match String::from_utf8(bytes.clone()) {
                Ok(text) => text,
                Err(_) => match whole {
                    _ if self.goes(said) => return true,
                    Some(Does::Mask(mask)) => {
                        let rule = said.end.map(|end| self.rules[end].name);
                        self.count(rule.expect("a rule"));
                        *kind = Value::StringValue(mask.to_owned());
                        return false;
                    }
                    Some(Does::Truncate(_)) => {
                        self.count("(binary)");
                        return true;
                    }
                    _ if looks => {
                        self.count("(binary)");
                        return true;
                    }
                    _ => return false,
                },
            },
            Value::StringValueStrindex(_) => {
                if self.goes(said) {
                    return true;
                }
                if let Some(Does::Mask(mask)) = whole {
                    let rule = said.end.map(|end| self.rules[end].name);
                    self.count(rule.expect("a rule"));
                    *kind = Value::StringValue(mask.to_owned());
                }
                return false;
            }
            Value::ArrayValue(_) | Value::KvlistValue(_) => {
                if self.goes(said) {
                    return true;
                }
                if let Some(Does::Mask(mask)) = whole {
                    let rule = said.end.map(|end| self.rules[end].name);
                    self.count(rule.expect("a rule"));
                    *kind = Value::StringValue(mask.to_owned());
                    return false;
                }
                let inner = if place == "body" { "body" } else { "nested" };
                match kind {
                    Value::ArrayValue(list) => {
                        let values = std::mem::take(&mut list.values);
                        list.values = values
                            .into_iter()
                            .filter_map(|mut value| {
                                (!self.value(place, said, path, &mut value)).then_some(value)
                            })
                            .collect();
                    }
                    Value::KvlistValue(map) => {
                        self.pairs(inner, &mut map.values, Some((said, path)));
                    }
                    _ => {}
                }
                return false;
            }
        };
        match self.text(said, &text, false) {
            Fate::Same => false,
            Fate::Gone => true,
            Fate::Text(now) => {
                *kind = Value::StringValue(now);
                false
            }
        }
    }

    fn pairs(&mut self, place: &str, pairs: &mut Vec<KeyValue>, inside: Option<(&Said, &str)>) {
        let before = std::mem::take(pairs);
        for mut pair in before {
            let path = match inside {
                Some((_, path)) if !path.is_empty() => format!("{path}.{}", pair.key),
                _ => pair.key.clone(),
            };
            let mut said = self.key(place, &pair.key, &path);
            if path.len() > 512 {
                self.count("(key too long)");
                continue;
            }
            if let Some((above, _)) = inside {
                said = self.inside(said, above);
            }
            if self.goes(&said) {
                continue;
            }
            let key = pair.key.clone();
            match self.text(&said, &key, true) {
                Fate::Same => {}
                Fate::Gone => continue,
                Fate::Text(now) => pair.key = now,
            }
            let gone = pair
                .value
                .as_mut()
                .is_some_and(|value| self.value(place, &said, &path, value));
            if gone {
                // A pair that is more than a key and a value keeps the rest.
                if pair.key_strindex == 0 {
                    continue;
                }
                pair.value = None;
            }
            pairs.push(pair);
        }
    }

    fn resource(&mut self, resource: Option<&mut Resource>) {
        let Some(resource) = resource else { return };
        self.pairs("resource", &mut resource.attributes, None);
        for entity in &mut resource.entity_refs {
            self.plain("entity.schema_url", &mut entity.schema_url);
            self.plain("entity.type", &mut entity.r#type);
            self.entity_keys("entity.id_keys", &mut entity.id_keys);
            self.entity_keys("entity.description_keys", &mut entity.description_keys);
        }
    }

    fn entity_keys(&mut self, field: &str, keys: &mut Vec<String>) {
        for key in std::mem::take(keys) {
            if key.len() > 512 {
                self.count("(key too long)");
                continue;
            }
            let listed = self.key("resource", &key, &key);
            if self.goes(&listed) {
                continue;
            }
            let said = self.field(field);
            match self.text(&said, &key, false) {
                Fate::Same => keys.push(key),
                Fate::Gone => {}
                Fate::Text(now) => keys.push(now),
            }
        }
    }

    fn scope(&mut self, scope: Option<&mut InstrumentationScope>) {
        let Some(scope) = scope else { return };
        self.plain("scope.name", &mut scope.name);
        self.plain("scope.version", &mut scope.version);
        self.pairs("scope", &mut scope.attributes, None);
    }

    fn exemplars(&mut self, exemplars: &mut [Exemplar]) {
        for exemplar in exemplars {
            self.pairs("exemplar", &mut exemplar.filtered_attributes, None);
        }
    }

    fn data(&mut self, data: &mut Data) {
        match data {
            Data::Gauge(data) => {
                for point in &mut data.data_points {
                    self.pairs("point", &mut point.attributes, None);
                    self.exemplars(&mut point.exemplars);
                }
            }
            Data::Sum(data) => {
                for point in &mut data.data_points {
                    self.pairs("point", &mut point.attributes, None);
                    self.exemplars(&mut point.exemplars);
                }
            }
            Data::Histogram(data) => {
                for point in &mut data.data_points {
                    self.pairs("point", &mut point.attributes, None);
                    self.exemplars(&mut point.exemplars);
                }
            }
            Data::ExponentialHistogram(data) => {
                for point in &mut data.data_points {
                    self.pairs("point", &mut point.attributes, None);
                    self.exemplars(&mut point.exemplars);
                }
            }
            Data::Summary(data) => {
                for point in &mut data.data_points {
                    self.pairs("point", &mut point.attributes, None);
                }
            }
        }
    }

    /// Redacts a request.
    pub fn redact(&mut self, request: &mut Request) {
        match request {
            Request::Traces(request) => {
                for group in &mut request.resource_spans {
                    self.resource(group.resource.as_mut());
                    self.plain("resource.schema_url", &mut group.schema_url);
                    for scope in &mut group.scope_spans {
                        self.scope(scope.scope.as_mut());
                        self.plain("scope.schema_url", &mut scope.schema_url);
                        for span in &mut scope.spans {
                            self.plain("span.name", &mut span.name);
                            self.plain("span.trace_state", &mut span.trace_state);
                            self.pairs("item", &mut span.attributes, None);
                            for event in &mut span.events {
                                self.plain("event.name", &mut event.name);
                                self.pairs("event", &mut event.attributes, None);
                            }
                            for link in &mut span.links {
                                self.plain("link.trace_state", &mut link.trace_state);
                                self.pairs("link", &mut link.attributes, None);
                            }
                            if let Some(status) = &mut span.status {
                                self.plain("span.status_message", &mut status.message);
                            }
                        }
                    }
                }
            }
            Request::Metrics(request) => {
                for group in &mut request.resource_metrics {
                    self.resource(group.resource.as_mut());
                    self.plain("resource.schema_url", &mut group.schema_url);
                    for scope in &mut group.scope_metrics {
                        self.scope(scope.scope.as_mut());
                        self.plain("scope.schema_url", &mut scope.schema_url);
                        for metric in &mut scope.metrics {
                            self.plain("metric.name", &mut metric.name);
                            self.plain("metric.description", &mut metric.description);
                            self.plain("metric.unit", &mut metric.unit);
                            self.pairs("metric", &mut metric.metadata, None);
                            if let Some(data) = &mut metric.data {
                                self.data(data);
                            }
                        }
                    }
                }
            }
            Request::Logs(request) => {
                for group in &mut request.resource_logs {
                    self.resource(group.resource.as_mut());
                    self.plain("resource.schema_url", &mut group.schema_url);
                    for scope in &mut group.scope_logs {
                        self.scope(scope.scope.as_mut());
                        self.plain("scope.schema_url", &mut scope.schema_url);
                        for record in &mut scope.log_records {
                            self.plain("log.severity_text", &mut record.severity_text);
                            self.plain("log.event_name", &mut record.event_name);
                            self.pairs("item", &mut record.attributes, None);
                            let said = self.field("log.body");
                            if let Some(body) = &mut record.body
                                && self.value("body", &said, "", body)
                            {
                                record.body = None;
                            }
                        }
                    }
                }
            }
        }
    }
}

/// The keys of all attributes, with their values as they print: what passed.
pub fn items(request: &Request) -> BTreeSet<String> {
    let text = format!("{request:?}");
    let key = Regex::new(r#"key: "((?:[^"\\]|\\.)*)""#).expect("a regex");
    key.captures_iter(&text)
        .map(|found| found[1].to_owned())
        .collect()
}
