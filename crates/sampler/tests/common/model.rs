//! A naive sampler: decodes everything with prost, keeps every span in memory, and follows the
//! documentation to the letter. It is never restarted.
//!
//! It shares no code with the crate but the configuration's types.

use std::collections::{BTreeMap, HashMap, HashSet};

use journal::Block;
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value::Value};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use sampler::Override;
use sampler::config::{Policy, PolicyType, Sampling, StatusCodeName, Untracked};

type Key = (String, Vec<u8>);

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Keep(String),
    Leave(String),
}

#[derive(Clone)]
struct OneSpan {
    resource: Vec<KeyValue>,
    span: Span,
    bytes: u64,
    /// The rare policies, by path, for which it was rare.
    rare: HashSet<String>,
    scope: Option<u8>,
}

struct Trace {
    key: Key,
    born: u64,
    /// When its root came, and after how many others.
    root: Option<(u64, u64)>,
    spans: Vec<OneSpan>,
    verdict: Option<Verdict>,
}

pub struct Model {
    config: Sampling,
    pub overrides: Vec<Override>,
    now: u64,
    /// Traces that began within the wait, oldest first, by number.
    young: BTreeMap<u64, Trace>,
    next: u64,
    roots: u64,
    /// Traces with spans in the epoch and in the one before: the number of the young trace, or
    /// how it was decided.
    known: [HashMap<Key, Known>; 2],
    epoch: u64,
    sightings: HashMap<(String, String, String), u32>,
    /// By tenant and policy path.
    buckets: HashMap<(String, String), (f64, u64)>,
    shares: HashMap<(String, String, String), (u64, u64)>,
    /// How many traces each policy decided.
    pub decided: HashMap<String, u64>,
}

#[derive(Clone)]
enum Known {
    Young(u64),
    Old(Verdict),
}

fn nanos(time: sampler::config::Time) -> u64 {
    time.0.as_nanos() as u64
}

impl Model {
    pub fn new(config: &Sampling) -> Self {
        Model {
            config: config.clone(),
            overrides: Vec::new(),
            now: 0,
            young: BTreeMap::new(),
            next: 0,
            roots: 0,
            known: Default::default(),
            epoch: 0,
            sightings: HashMap::new(),
            buckets: HashMap::new(),
            shares: HashMap::new(),
            decided: HashMap::new(),
        }
    }

    /// Does what is due up to `time`, always the earliest first.
    fn reach(&mut self, time: u64) {
        let (wait, remember) = (nanos(self.config.wait), nanos(self.config.remember));
        if self.now == 0 {
            self.epoch = time / remember;
        }
        loop {
            // Time, then what kind, then which.
            let mut due = vec![((self.epoch + 1) * remember, 0, 0, 0)];
            for (number, trace) in &self.young {
                due.push((trace.born + wait, 1, *number, *number));
                if let (Some((root, order)), Some(quiet), None) =
                    (trace.root, self.config.quiet, &trace.verdict)
                {
                    due.push((root + nanos(quiet), 2, order, *number));
                }
            }
            let (at, kind, _, number) = due.into_iter().min().expect("one at least");
            if at > time {
                break;
            }
            self.now = at;
            match kind {
                0 => {
                    self.epoch += 1;
                    self.known.swap(0, 1);
                    self.known[0].clear();
                    self.sightings.clear();
                }
                1 => {
                    self.decide(number);
                    self.young.remove(&number);
                }
                _ => self.decide(number),
            }
        }
        self.now = time;
    }

    pub fn observe(&mut self, block: &Block) {
        self.reach(block.appended_unix_nano);
        let tenant = block.tenant.as_str();
        let request = super::decode(&block.payload);
        // What has the same resource in a row is one group.
        let mut group_rare = HashSet::new();
        let mut group: Option<Vec<KeyValue>> = None;
        for (resource, span) in request {
            let service = string(&resource, "service.name").unwrap_or_default();
            if group.as_ref() != Some(&resource) {
                group_rare = self.sight(tenant, &service, "");
                group = Some(resource.clone());
            }
            let root = span.parent_span_id.iter().all(|b| *b == 0);
            let mut rare = group_rare.clone();
            if root || span.kind == 2 || span.kind == 5 {
                rare.extend(self.sight(tenant, &service, &format!("operation {}", span.name)));
            }
            let scope = self.scope(tenant, &resource, &span);
            let one = OneSpan {
                bytes: span.encoded_len() as u64,
                resource,
                span,
                rare,
                scope,
            };
            self.span(tenant, one, root);
        }
    }

    fn span(&mut self, tenant: &str, one: OneSpan, root: bool) {
        if one.span.trace_id.len() != 16 {
            return;
        }
        let key = (tenant.to_owned(), one.span.trace_id.clone());
        let room = self.known[0].len() < self.config.remember_traces;
        let before = self.known[0].get(&key).or(self.known[1].get(&key)).cloned();
        let state = match before {
            Some(state) => state,
            None if !room => return,
            None => {
                if self.young.len() == self.config.max_traces {
                    let oldest = *self.young.keys().next().expect("not empty");
                    self.decide(oldest);
                    self.young.remove(&oldest);
                }
                self.young.insert(
                    self.next,
                    Trace {
                        key: key.clone(),
                        born: self.now,
                        root: None,
                        spans: Vec::new(),
                        verdict: None,
                    },
                );
                self.next += 1;
                Known::Young(self.next - 1)
            }
        };
        if room || self.known[0].contains_key(&key) {
            self.known[0].insert(key.clone(), state.clone());
        }
        match state {
            Known::Young(number) if self.young[&number].verdict.is_none() => {
                let trace = self.young.get_mut(&number).expect("young");
                if root && trace.root.is_none() {
                    trace.root = Some((self.now, self.roots));
                    self.roots += 1;
                }
                trace.spans.push(one);
            }
            Known::Young(_) => self.late(&key, &one),
            Known::Old(_) => self.late(&key, &one),
        }
    }

    fn late(&mut self, key: &Key, one: &OneSpan) {
        let Some(number) = one.scope else { return };
        if matches!(self.verdict(key), Some(Verdict::Leave(_))) {
            self.settle(key, Verdict::Keep(format!("override {number}")));
        }
    }

    fn settle(&mut self, key: &Key, verdict: Verdict) {
        for known in &mut self.known {
            if let Some(state) = known.get_mut(key) {
                *state = Known::Old(verdict.clone());
            }
        }
    }

    fn verdict(&self, key: &Key) -> Option<Verdict> {
        let known = self.known[0].get(key).or(self.known[1].get(key));
        match known {
            Some(Known::Old(verdict)) => Some(verdict.clone()),
            _ => None,
        }
    }

    /// The ids of the spans that stay of a block.
    pub fn cut(&mut self, block: &Block) -> Vec<Vec<u8>> {
        self.reach(block.appended_unix_nano + nanos(self.config.wait));
        let spans = super::decode(&block.payload).into_iter();
        let kept = spans.filter(|(_, span)| {
            let key = (block.tenant.as_str().to_owned(), span.trace_id.clone());
            match self.verdict(&key).filter(|_| span.trace_id.len() == 16) {
                Some(Verdict::Keep(_)) => true,
                Some(Verdict::Leave(_)) => false,
                None => self.config.untracked == Untracked::Keep,
            }
        });
        kept.map(|(_, span)| span.span_id).collect()
    }

    fn scope(&self, tenant: &str, resource: &[KeyValue], span: &Span) -> Option<u8> {
        let found = self.overrides.iter().find(|known| {
            let scope = &known.scope;
            let has = |key: &str, text: &str, pairs: &[KeyValue]| {
                pairs
                    .iter()
                    .any(|pair| pair.key == key && as_text(pair).as_deref() == Some(text))
            };
            (known.from_unix_nano..known.to_unix_nano).contains(&self.now)
                && scope.tenant.as_ref().is_none_or(|name| name == tenant)
                && scope
                    .service
                    .as_ref()
                    .is_none_or(|name| has("service.name", name, resource))
                && scope
                    .attributes
                    .iter()
                    .all(|(key, text)| has(key, text, resource) || has(key, text, &span.attributes))
        });
        found.map(|known| known.number)
    }

    fn sight(&mut self, tenant: &str, service: &str, operation: &str) -> HashSet<String> {
        let mut rares = Vec::new();
        for policy in &self.config.policies {
            collect_rare(policy, &policy.name, &mut rares);
        }
        if rares.is_empty() {
            return HashSet::new();
        }
        let limit = rares.iter().map(|(_, _, most)| *most).max().unwrap_or(0);
        let key = (tenant.to_owned(), service.to_owned(), operation.to_owned());
        if !self.sightings.contains_key(&key) && self.sightings.len() >= limit {
            return HashSet::new();
        }
        let count = self.sightings.entry(key).or_default();
        *count += 1;
        let count = *count;
        let rare = rares
            .into_iter()
            .filter(|(_, minimum, _)| count <= *minimum);
        rare.map(|(path, _, _)| path).collect()
    }

    fn decide(&mut self, number: u64) {
        let Some(trace) = self.young.get_mut(&number) else {
            return;
        };
        if trace.verdict.is_some() {
            return;
        }
        trace.verdict = Some(Verdict::Leave(String::new()));
        let key = trace.key.clone();
        let known = self.known[0].get(&key).or(self.known[1].get(&key));
        if !matches!(known, Some(Known::Young(n)) if *n == number) {
            // Forgotten before its time: nothing can ask for it any more.
            return;
        }
        let spans = std::mem::take(&mut self.young.get_mut(&number).expect("young").spans);
        let verdict = self.ask_all(&key, &spans);
        let (Verdict::Keep(by) | Verdict::Leave(by)) = &verdict;
        *self.decided.entry(by.clone()).or_default() += 1;
        self.settle(&key, verdict);
    }

    fn ask_all(&mut self, key: &Key, spans: &[OneSpan]) -> Verdict {
        let policies = self.config.policies.clone();
        let (drops, others): (Vec<_>, Vec<_>) = policies
            .iter()
            .partition(|policy| policy.kind == PolicyType::Drop);
        let mut verdict = None;
        for policy in drops {
            if self.ask(policy, &policy.name, key, spans) {
                verdict = Some(Verdict::Leave(policy.name.clone()));
                break;
            }
        }
        if verdict.is_none() {
            for policy in others {
                let sampled = self.ask(policy, &policy.name, key, spans);
                if sampled && verdict.is_none() {
                    verdict = Some(Verdict::Keep(policy.name.clone()));
                    if self.config.sample_on_first_match {
                        break;
                    }
                }
            }
        }
        let verdict = verdict.unwrap_or(Verdict::Leave("no policy".to_owned()));
        let scope = spans.iter().find_map(|one| one.scope);
        match (&verdict, scope) {
            (Verdict::Leave(_), Some(number)) => Verdict::Keep(format!("override {number}")),
            _ => verdict,
        }
    }

    fn ask(&mut self, policy: &Policy, path: &str, key: &Key, spans: &[OneSpan]) -> bool {
        let any = |test: &dyn Fn(&KeyValue) -> bool| {
            let mut pairs = spans
                .iter()
                .flat_map(|one| one.resource.iter().chain(&one.span.attributes));
            pairs.any(test)
        };
        let sub = |sub: &Policy| format!("{path}/{}", sub.name);
        match policy.kind {
            PolicyType::AlwaysSample => true,
            PolicyType::Latency => {
                let block = policy.latency.as_ref().expect("given");
                let timed = || {
                    spans
                        .iter()
                        .filter(|one| one.span.start_time_unix_nano != 0)
                };
                let start = timed().map(|one| one.span.start_time_unix_nano).min();
                let end = timed()
                    .map(|one| {
                        let Span {
                            start_time_unix_nano: start,
                            end_time_unix_nano: end,
                            ..
                        } = one.span;
                        start.max(end)
                    })
                    .max();
                let took = end.unwrap_or(0) - start.unwrap_or(0);
                between(took, block.threshold_ms, block.upper_threshold_ms)
            }
            PolicyType::RootDuration => {
                let block = policy.root_duration.as_ref().expect("given");
                spans.iter().any(|one| {
                    let span = &one.span;
                    let took = span
                        .end_time_unix_nano
                        .saturating_sub(span.start_time_unix_nano);
                    span.parent_span_id.iter().all(|b| *b == 0)
                        && span.start_time_unix_nano != 0
                        && between(took, block.threshold_ms, block.upper_threshold_ms)
                })
            }
            PolicyType::StatusCode => {
                let codes = &policy.status_code.as_ref().expect("given").status_codes;
                spans.iter().any(|one| {
                    let code = one.span.status.as_ref().map_or(0, |status| status.code);
                    codes.iter().any(|wanted| match wanted {
                        StatusCodeName::Unset => code == 0,
                        StatusCodeName::Ok => code == 1,
                        StatusCodeName::Error => code == 2,
                    })
                })
            }
            PolicyType::Error => {
                let status = spans
                    .iter()
                    .any(|one| one.span.status.as_ref().is_some_and(|s| s.code == 2));
                status
                    || any(&|pair| {
                        pair.key == "error.type" && as_text(pair).is_some_and(|t| !t.is_empty())
                    })
            }
            PolicyType::NumericAttribute => {
                let block = policy.numeric_attribute.as_ref().expect("given");
                let found = any(&|pair| {
                    pair.key == block.key
                        && as_int(pair).is_some_and(|number| {
                            block.min_value.is_none_or(|least| number >= least)
                                && block.max_value.is_none_or(|most| number <= most)
                        })
                });
                found != block.invert_match
            }
            PolicyType::StringAttribute => {
                let block = policy.string_attribute.as_ref().expect("given");
                let found = any(&|pair| {
                    pair.key == block.key
                        && as_text(pair).is_some_and(|text| {
                            !text.is_empty()
                                && block.values.iter().any(|value| {
                                    if block.enabled_regex_matching {
                                        // The generator writes only `^literal` and `literal`.
                                        match value.strip_prefix('^') {
                                            Some(prefix) => text.starts_with(prefix),
                                            None => text.contains(value.as_str()),
                                        }
                                    } else {
                                        *value == text
                                    }
                                })
                        })
                });
                found != block.invert_match
            }
            PolicyType::BooleanAttribute => {
                let block = policy.boolean_attribute.as_ref().expect("given");
                let found = any(&|pair| {
                    let value = pair.value.as_ref().and_then(|value| value.value.as_ref());
                    let is = matches!(value, Some(Value::BoolValue(is)) if *is == block.value);
                    pair.key == block.key && is
                });
                found != block.invert_match
            }
            PolicyType::Probabilistic => {
                let block = policy.probabilistic.as_ref().expect("given");
                // The generator gives every probabilistic policy a fraction with few bits.
                let share = block.sampling_percentage / 100.0;
                let threshold = (1u64 << 56) - (share * (1u64 << 56) as f64) as u64;
                let mut id = [0; 8];
                id.copy_from_slice(&key.1[8..]);
                let mut random = u64::from_be_bytes(id) & ((1 << 56) - 1);
                let states: Vec<_> = spans.iter().map(|one| ot(&one.span.trace_state)).collect();
                if let Some(rv) = states.iter().filter_map(|(rv, _)| *rv).max() {
                    random = rv;
                }
                let applied = states.iter().filter_map(|(_, th)| *th).max().unwrap_or(0);
                share > 0.0 && (random >= threshold || applied > threshold)
            }
            PolicyType::RateLimiting => {
                let block = policy.rate_limiting.as_ref().expect("given");
                let rate = (block.spans_per_second, block.burst_capacity);
                self.bucket(&key.0, path, rate, spans.len() as u64)
            }
            PolicyType::BytesLimiting => {
                let block = policy.bytes_limiting.as_ref().expect("given");
                let rate = (block.bytes_per_second, block.burst_capacity);
                let bytes = spans.iter().map(|one| one.bytes).sum();
                self.bucket(&key.0, path, rate, bytes)
            }
            PolicyType::SpanCount => {
                let block = policy.span_count.as_ref().expect("given");
                let count = spans.len() as u32;
                count >= block.min_spans && (block.max_spans == 0 || count <= block.max_spans)
            }
            PolicyType::TraceState => {
                let block = policy.trace_state.as_ref().expect("given");
                spans.iter().any(|one| {
                    let mut members = one.span.trace_state.split(',').map(str::trim);
                    let found = members.find_map(|member| {
                        let (key, value) = member.split_once('=')?;
                        (key == block.key).then_some(value)
                    });
                    found.is_some_and(|value| block.values.iter().any(|wanted| wanted == value))
                })
            }
            PolicyType::Rare => spans.iter().any(|one| one.rare.contains(path)),
            PolicyType::And => {
                let block = policy.and.clone().expect("given");
                let mut all = block.and_sub_policy.iter();
                all.all(|policy| self.ask(policy, &sub(policy), key, spans))
            }
            PolicyType::Drop => {
                let block = policy.drop.clone().expect("given");
                let mut all = block.drop_sub_policy.iter();
                all.all(|policy| self.ask(policy, &sub(policy), key, spans))
            }
            PolicyType::Not => {
                let block = policy.not.clone().expect("given");
                let inner = &block.not_sub_policy;
                !self.ask(inner, &sub(inner), key, spans)
            }
            PolicyType::Composite => {
                let block = policy.composite.clone().expect("given");
                for name in &block.policy_order {
                    let mut subs = block.composite_sub_policy.iter();
                    let inner = subs.find(|sub| sub.name == *name).expect("in it");
                    if !self.ask(inner, &sub(inner), key, spans) {
                        continue;
                    }
                    let mut shares = block.rate_allocation.iter();
                    let share = shares.find(|share| share.policy == *name).expect("has one");
                    let most = block.max_total_spans_per_second * u64::from(share.percent) / 100;
                    let second = self.now / super::SECOND;
                    let id = (key.0.clone(), path.to_owned(), name.clone());
                    let used = self.shares.entry(id).or_default();
                    if used.0 != second {
                        *used = (second, 0);
                    }
                    let fits = used.1 + spans.len() as u64 <= most;
                    if fits {
                        used.1 += spans.len() as u64;
                    }
                    return fits;
                }
                false
            }
        }
    }

    /// Tokens in a floating-point number, as golang.org/x/time/rate has them. The generator's
    /// times and rates are such that it is exact.
    fn bucket(&mut self, tenant: &str, path: &str, (rate, burst): (u64, u64), units: u64) -> bool {
        let burst = if burst == 0 { rate * 2 } else { burst } as f64;
        let id = (tenant.to_owned(), path.to_owned());
        let (tokens, last) = self.buckets.entry(id).or_insert((burst, self.now));
        let elapsed = (self.now - *last) as f64 / super::SECOND as f64;
        *tokens = (*tokens + elapsed * rate as f64).min(burst);
        *last = self.now;
        let fits = units as f64 <= *tokens;
        if fits {
            *tokens -= units as f64;
        }
        fits
    }
}

fn collect_rare(policy: &Policy, path: &str, out: &mut Vec<(String, u32, usize)>) {
    if policy.kind == PolicyType::Rare {
        let block = policy.rare.clone().unwrap_or_default();
        out.push((path.to_owned(), block.minimum, block.max_operations));
    }
    let and = policy.and.iter().flat_map(|and| &and.and_sub_policy);
    for sub in and {
        collect_rare(sub, &format!("{path}/{}", sub.name), out);
    }
}

fn between(took: u64, threshold: u64, upper: u64) -> bool {
    let ms = took / 1_000_000;
    if upper == 0 {
        ms >= threshold
    } else {
        threshold < ms && ms <= upper
    }
}

fn as_text(pair: &KeyValue) -> Option<String> {
    match &pair.value.as_ref()?.value {
        Some(Value::StringValue(text)) => Some(text.clone()),
        _ => None,
    }
}

fn as_int(pair: &KeyValue) -> Option<i64> {
    match &pair.value.as_ref()?.value {
        Some(Value::IntValue(number)) => Some(*number),
        _ => None,
    }
}

fn string(pairs: &[KeyValue], key: &str) -> Option<String> {
    pairs.iter().find(|pair| pair.key == key).and_then(as_text)
}

fn ot(state: &str) -> (Option<u64>, Option<u64>) {
    let list = state
        .split(',')
        .find_map(|member| member.trim().strip_prefix("ot="));
    let get = |key: &str| {
        let value = list?.split(';').find_map(|pair| pair.strip_prefix(key))?;
        u64::from_str_radix(&format!("{value:0<14}"), 16).ok()
    };
    (get("rv:"), get("th:"))
}
