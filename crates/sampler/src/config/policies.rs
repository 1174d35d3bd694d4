//! The policies as they are written.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One policy: a name, a type, and the block of that type's name if the type needs one.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// Its name, which stands in metrics and explanations.
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: PolicyType,
    /// For `latency`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency: Option<Latency>,
    /// For `status_code`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status_code: Option<StatusCode>,
    /// For `numeric_attribute`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub numeric_attribute: Option<NumericAttribute>,
    /// For `string_attribute`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub string_attribute: Option<StringAttribute>,
    /// For `boolean_attribute`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boolean_attribute: Option<BooleanAttribute>,
    /// For `probabilistic`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probabilistic: Option<Probabilistic>,
    /// For `rate_limiting`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_limiting: Option<RateLimiting>,
    /// For `bytes_limiting`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes_limiting: Option<BytesLimiting>,
    /// For `span_count`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub span_count: Option<SpanCount>,
    /// For `trace_state`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace_state: Option<TraceState>,
    /// For `root_duration`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root_duration: Option<RootDuration>,
    /// For `rare`; it may be left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rare: Option<Rare>,
    /// For `and`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub and: Option<And>,
    /// For `not`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not: Option<Box<Not>>,
    /// For `drop`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drop: Option<Drop>,
    /// For `composite`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub composite: Option<Composite>,
}

/// What a policy looks at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PolicyType {
    /// Samples every trace.
    #[default]
    AlwaysSample,
    /// Samples by the time from the earliest start to the latest end.
    Latency,
    /// Samples traces with a span of some status.
    StatusCode,
    /// Samples traces in which something failed: a span with status ERROR or with an attribute
    /// `error.type`.
    Error,
    /// Samples by a whole number in an attribute of a span or resource.
    NumericAttribute,
    /// Samples by a text in an attribute of a span or resource.
    StringAttribute,
    /// Samples by a truth value in an attribute of a span or resource.
    BooleanAttribute,
    /// Samples a percentage of traces.
    Probabilistic,
    /// Samples as long as a tenant's traces have no more than some spans a second.
    RateLimiting,
    /// Samples as long as a tenant's traces have no more than some bytes a second.
    BytesLimiting,
    /// Samples by the number of spans.
    SpanCount,
    /// Samples by a member of the W3C trace state.
    TraceState,
    /// Samples by the duration of the span that has no parent.
    RootDuration,
    /// Samples traces of services and operations that are seldom seen.
    Rare,
    /// Samples what all of its policies sample.
    And,
    /// Samples what its policy does not sample.
    Not,
    /// Lets traces go, whatever other policies say, that all of its policies sample.
    Drop,
    /// Samples what the first of its policies samples, within that policy's share of a rate.
    Composite,
}

/// By duration of the trace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Latency {
    /// Traces that take at least this; with an upper threshold, more than this.
    pub threshold_ms: u64,
    /// Traces that take at most this; 0 is no limit.
    #[serde(default)]
    pub upper_threshold_ms: u64,
}

/// By status of spans.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StatusCode {
    /// Any of these.
    pub status_codes: Vec<StatusCodeName>,
}

/// A span's status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum StatusCodeName {
    /// None was set.
    Unset,
    /// It went well.
    Ok,
    /// It failed.
    Error,
}

/// By a whole number.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NumericAttribute {
    /// The attribute's key.
    pub key: String,
    /// The least that matches. At least one of the two bounds must be set.
    #[serde(default)]
    pub min_value: Option<i64>,
    /// The greatest that matches.
    #[serde(default)]
    pub max_value: Option<i64>,
    /// Sample traces in which nothing matches.
    #[serde(default)]
    pub invert_match: bool,
}

/// By a text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StringAttribute {
    /// The attribute's key.
    pub key: String,
    /// Any of these: whole values or, with `enabled_regex_matching`, regular expressions, which
    /// match anywhere in the value unless anchored. An empty value never matches.
    pub values: Vec<String>,
    /// `values` are regular expressions.
    #[serde(default)]
    pub enabled_regex_matching: bool,
    /// Upstream's cache of results. Taken, and without effect: matching takes linear time here.
    #[serde(default)]
    pub cache_max_size: u64,
    /// Sample traces in which nothing matches.
    #[serde(default)]
    pub invert_match: bool,
}

/// By a truth value.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BooleanAttribute {
    /// The attribute's key.
    pub key: String,
    /// The value that matches.
    pub value: bool,
    /// Sample traces in which nothing matches.
    #[serde(default)]
    pub invert_match: bool,
}

/// A percentage of traces.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Probabilistic {
    /// 0 samples nothing, 100 and more everything.
    pub sampling_percentage: f64,
    /// Not set: OpenTelemetry's consistent sampling, by `rv` and `th` of the trace state or by the
    /// trace id's last 7 bytes. Set: upstream's hash of this salt and the trace id, for senders
    /// whose trace ids are not random.
    #[serde(default)]
    pub hash_salt: String,
}

/// A rate of spans, for each tenant.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RateLimiting {
    /// Spans a second in the long run.
    pub spans_per_second: u64,
    /// The most spans at once, twice `spans_per_second` unless set. A larger trace never passes.
    #[serde(default)]
    pub burst_capacity: u64,
}

/// A rate of bytes, for each tenant.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BytesLimiting {
    /// Bytes of serialized spans a second in the long run.
    pub bytes_per_second: u64,
    /// The most bytes at once, twice `bytes_per_second` unless set. A larger trace never passes.
    #[serde(default)]
    pub burst_capacity: u64,
}

/// By number of spans.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SpanCount {
    /// At least so many.
    #[serde(default)]
    pub min_spans: u32,
    /// At most so many; 0 is no limit.
    #[serde(default)]
    pub max_spans: u32,
}

/// By trace state.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TraceState {
    /// The member's key.
    pub key: String,
    /// Any of these.
    pub values: Vec<String>,
}

/// By duration of the span that has no parent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RootDuration {
    /// As in `latency`.
    pub threshold_ms: u64,
    /// As in `latency`.
    #[serde(default)]
    pub upper_threshold_ms: u64,
}

/// What is seldom seen. A service is seen with each of its groups of spans in a request; an
/// operation (a service and a span's name) with each span that has no parent or that is of kind
/// SERVER or CONSUMER. Counting begins anew every `remember`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Rare {
    /// So many times in each `remember`, what is seen is rare.
    pub minimum: u32,
    /// The most services and operations that are counted. Beyond, none is rare.
    pub max_operations: usize,
}

impl Default for Rare {
    fn default() -> Self {
        Rare {
            minimum: 1,
            max_operations: 10_000,
        }
    }
}

/// All of these.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct And {
    /// In order; the first that does not sample ends it.
    pub and_sub_policy: Vec<Policy>,
}

/// Not this.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Not {
    /// The policy whose answer is turned round.
    pub not_sub_policy: Policy,
}

/// Never, if all of these.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Drop {
    /// In order; the first that does not sample ends it.
    pub drop_sub_policy: Vec<Policy>,
}

/// The first of these, within its share.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Composite {
    /// Spans of one tenant in a second of the log.
    pub max_total_spans_per_second: u64,
    /// The order in which the policies are asked. Those not named come after, as they stand.
    #[serde(default)]
    pub policy_order: Vec<String>,
    /// The policies.
    pub composite_sub_policy: Vec<Policy>,
    /// The shares. What is left of 100 % is divided evenly among policies without one.
    #[serde(default)]
    pub rate_allocation: Vec<RateAllocation>,
}

/// A policy's share.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RateAllocation {
    /// Its name.
    pub policy: String,
    /// Its share of `max_total_spans_per_second`.
    pub percent: u32,
}
