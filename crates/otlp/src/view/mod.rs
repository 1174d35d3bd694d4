//! Borrowed views: resource → scope → item → attribute, without allocation.
//!
//! A view is a slice of the request. Reading a field of it walks its fields once, so read what you
//! need and keep it. Where a singular field comes more than once, the last one counts, and messages
//! merge, as with protobuf's parsers; iterators over attributes and the like see all of them.
//!
//! Views are for checked bytes. On others they end early and never panic; text that is not UTF-8
//! reads as empty.

mod logs;
mod metrics;
mod nested;
mod trace;
mod value;

use crate::Signal;
pub use logs::LogRecord;
pub use metrics::{Buckets, Exemplar, Metric, MetricKind, Number, Numbers, Point, Quantile};
use nested::{Body, Nested};
pub use trace::{Event, Link, Span};
pub use value::{Attributes, KeyValue, Value, Values};

use crate::wire::bodies;

/// The resources of a request, each with what it observed.
pub fn resources(signal: Signal, bytes: &[u8]) -> impl Iterator<Item = ResourceGroup<'_>> + Clone {
    Nested::new(bytes, [1]).map(move |body| ResourceGroup {
        signal,
        body: Body(body),
    })
}

/// `ResourceSpans`, `ResourceMetrics` or `ResourceLogs`.
#[derive(Clone, Copy, Debug)]
pub struct ResourceGroup<'a> {
    signal: Signal,
    body: Body<'a>,
}

impl<'a> ResourceGroup<'a> {
    /// The resource's attributes.
    pub fn attributes(&self) -> Attributes<'a> {
        Attributes::new(Nested::new(self.body.0, [1, 1]))
    }

    /// Its `service.name`, if it has one that is a string.
    pub fn service_name(&self) -> Option<&'a str> {
        match self.attributes().get("service.name") {
            Some(Value::String(name)) => Some(name),
            _ => None,
        }
    }

    /// How many attributes the sender left out.
    pub fn dropped_attributes_count(&self) -> u32 {
        self.body.nested_number(1, 2) as u32
    }

    /// The entities that the resource's attributes describe.
    pub fn entity_refs(&self) -> impl Iterator<Item = EntityRef<'a>> + Clone + use<'a> {
        Nested::new(self.body.0, [1, 3]).map(|body| EntityRef(Body(body)))
    }

    /// The schema of the resource.
    pub fn schema_url(&self) -> &'a str {
        self.body.text(3)
    }

    /// What each instrumentation scope observed.
    pub fn scopes(&self) -> impl Iterator<Item = ScopeGroup<'a>> + Clone + use<'a> {
        let signal = self.signal;
        Nested::new(self.body.0, [2]).map(move |body| ScopeGroup {
            signal,
            body: Body(body),
        })
    }
}

/// A reference to an entity: which of the resource's attributes tell what it is.
#[derive(Clone, Copy, Debug)]
pub struct EntityRef<'a>(Body<'a>);

impl<'a> EntityRef<'a> {
    /// The schema of the entity.
    pub fn schema_url(&self) -> &'a str {
        self.0.text(1)
    }

    /// Its type, such as `service` or `host`.
    pub fn entity_type(&self) -> &'a str {
        self.0.text(2)
    }

    /// The keys of the attributes that identify it.
    pub fn id_keys(&self) -> impl Iterator<Item = &'a str> + Clone + use<'a> {
        self.keys(3)
    }

    /// The keys of the attributes that describe it.
    pub fn description_keys(&self) -> impl Iterator<Item = &'a str> + Clone + use<'a> {
        self.keys(4)
    }

    fn keys(&self, number: u32) -> impl Iterator<Item = &'a str> + Clone + use<'a> {
        Nested::new(self.0.0, [number]).map(|key| std::str::from_utf8(key).unwrap_or_default())
    }
}

/// `ScopeSpans`, `ScopeMetrics` or `ScopeLogs`.
#[derive(Clone, Copy, Debug)]
pub struct ScopeGroup<'a> {
    signal: Signal,
    body: Body<'a>,
}

impl<'a> ScopeGroup<'a> {
    /// The scope's name.
    pub fn name(&self) -> &'a str {
        self.body.nested_text(1, 1)
    }

    /// The scope's version.
    pub fn version(&self) -> &'a str {
        self.body.nested_text(1, 2)
    }

    /// The scope's attributes.
    pub fn attributes(&self) -> Attributes<'a> {
        Attributes::new(Nested::new(self.body.0, [1, 3]))
    }

    /// How many attributes the sender left out.
    pub fn dropped_attributes_count(&self) -> u32 {
        self.body.nested_number(1, 4) as u32
    }

    /// The schema of the scope and its items.
    pub fn schema_url(&self) -> &'a str {
        self.body.text(3)
    }

    /// The spans; none in a request of another signal.
    pub fn spans(&self) -> impl Iterator<Item = Span<'a>> + Clone + use<'a> {
        self.children(Signal::Traces).map(Span)
    }

    /// The metrics; none in a request of another signal.
    pub fn metrics(&self) -> impl Iterator<Item = Metric<'a>> + Clone + use<'a> {
        self.children(Signal::Metrics).map(Metric)
    }

    /// The log records; none in a request of another signal.
    pub fn log_records(&self) -> impl Iterator<Item = LogRecord<'a>> + Clone + use<'a> {
        self.children(Signal::Logs).map(LogRecord)
    }

    fn children(&self, signal: Signal) -> impl Iterator<Item = Body<'a>> + Clone + use<'a> {
        let body = if signal == self.signal {
            self.body.0
        } else {
            &[]
        };
        Nested::new(body, [2]).map(Body)
    }
}

/// The attributes of the resource of a `ResourceSpans`, `ResourceMetrics` or `ResourceLogs`.
#[inline]
pub fn resource_attributes(group: &[u8]) -> impl Iterator<Item = KeyValue<'_>> {
    let pairs = bodies(group, 1).flat_map(|resource| bodies(resource, 1));
    pairs.map(KeyValue::new)
}
