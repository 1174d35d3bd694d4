//! Metrics and their data points.

use super::Attributes;
use super::nested::{Body, Nested};
use crate::wire::{self, Fields, Raw};

/// A metric.
#[derive(Clone, Copy, Debug)]
pub struct Metric<'a>(pub(super) Body<'a>);

/// The kind of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are OTLP's own")]
pub enum MetricKind {
    Gauge,
    Sum,
    Histogram,
    ExponentialHistogram,
    Summary,
}

impl<'a> Metric<'a> {
    /// A view of the body of a `Metric` message.
    pub fn new(body: &'a [u8]) -> Self {
        Metric(Body(body))
    }

    /// The name.
    pub fn name(&self) -> &'a str {
        self.0.text(1)
    }

    /// What it measures.
    pub fn description(&self) -> &'a str {
        self.0.text(2)
    }

    /// The unit, in UCUM.
    pub fn unit(&self) -> &'a str {
        self.0.text(3)
    }

    /// What a translation from another format wants to keep.
    pub fn metadata(&self) -> Attributes<'a> {
        Attributes::new(Nested::new(self.0.0, [12]))
    }

    /// Its kind; `None` for a metric without data.
    pub fn kind(&self) -> Option<MetricKind> {
        self.data().map(|(kind, _)| kind)
    }

    /// The number of its aggregation temporality: 1 delta, 2 cumulative, 0 where it has none.
    pub fn aggregation_temporality(&self) -> i32 {
        match self.data() {
            Some((MetricKind::Gauge | MetricKind::Summary, _)) | None => 0,
            Some((_, field)) => self.0.nested_number(field, 2) as i32,
        }
    }

    /// Whether a sum only grows.
    pub fn is_monotonic(&self) -> bool {
        match self.data() {
            Some((MetricKind::Sum, field)) => self.0.nested_number(field, 3) != 0,
            _ => false,
        }
    }

    /// Its data points.
    pub fn points(&self) -> impl Iterator<Item = Point<'a>> + Clone + use<'a> {
        let (kind, field) = self.data().unwrap_or((MetricKind::Gauge, 5));
        Nested::new(self.0.0, [field, 1]).map(move |body| Point {
            kind,
            body: Body(body),
        })
    }

    fn data(&self) -> Option<(MetricKind, u32)> {
        Fields::new(self.0.0)
            .filter_map(|field| {
                let kind = match field.number {
                    5 => MetricKind::Gauge,
                    7 => MetricKind::Sum,
                    9 => MetricKind::Histogram,
                    10 => MetricKind::ExponentialHistogram,
                    11 => MetricKind::Summary,
                    _ => return None,
                };
                Some((kind, field.number))
            })
            .last()
    }
}

/// A number that is whole or not.
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(missing_docs, reason = "the names are OTLP's own")]
pub enum Number {
    Int(i64),
    Double(f64),
}

/// A data point of any kind of metric. What its kind does not have reads as missing.
#[derive(Clone, Copy, Debug)]
pub struct Point<'a> {
    kind: MetricKind,
    body: Body<'a>,
}

impl<'a> Point<'a> {
    /// The kind of its metric.
    pub fn kind(&self) -> MetricKind {
        self.kind
    }

    /// Its attributes.
    pub fn attributes(&self) -> Attributes<'a> {
        let field = match self.kind {
            MetricKind::Gauge | MetricKind::Sum | MetricKind::Summary => 7,
            MetricKind::Histogram => 9,
            MetricKind::ExponentialHistogram => 1,
        };
        Attributes::new(Nested::new(self.body.0, [field]))
    }

    /// When its interval began, in nanoseconds since the Unix epoch.
    pub fn start_time_unix_nano(&self) -> u64 {
        self.body.number(2)
    }

    /// When it was measured, in nanoseconds since the Unix epoch.
    pub fn time_unix_nano(&self) -> u64 {
        self.body.number(3)
    }

    /// The value of a gauge or sum.
    pub fn value(&self) -> Option<Number> {
        match self.kind {
            MetricKind::Gauge | MetricKind::Sum => number(self.body, 4, 6),
            _ => None,
        }
    }

    /// How many observations a histogram or summary has.
    pub fn count(&self) -> Option<u64> {
        self.distribution().then(|| self.body.number(4))
    }

    /// The sum of the observations of a histogram or summary.
    pub fn sum(&self) -> Option<f64> {
        let sum = self.distribution().then(|| self.body.double(5)).flatten();
        match self.kind {
            MetricKind::Summary => Some(sum.unwrap_or_default()),
            _ => sum,
        }
    }

    /// The least observation of a histogram.
    pub fn min(&self) -> Option<f64> {
        match self.kind {
            MetricKind::Histogram => self.body.double(11),
            MetricKind::ExponentialHistogram => self.body.double(12),
            _ => None,
        }
    }

    /// The greatest observation of a histogram.
    pub fn max(&self) -> Option<f64> {
        match self.kind {
            MetricKind::Histogram => self.body.double(12),
            MetricKind::ExponentialHistogram => self.body.double(13),
            _ => None,
        }
    }

    /// The counts of a histogram's buckets.
    pub fn bucket_counts(&self) -> Numbers<'a> {
        let has = self.kind == MetricKind::Histogram;
        Numbers::new(if has { self.body.0 } else { &[] }, 6, true)
    }

    /// The upper bounds of a histogram's buckets but the last.
    pub fn explicit_bounds(&self) -> impl Iterator<Item = f64> + Clone + use<'a> {
        let has = self.kind == MetricKind::Histogram;
        Numbers::new(if has { self.body.0 } else { &[] }, 7, true).map(f64::from_bits)
    }

    /// The scale of an exponential histogram.
    pub fn scale(&self) -> i32 {
        match self.kind {
            MetricKind::ExponentialHistogram => zigzag(self.body.number(6)),
            _ => 0,
        }
    }

    /// How many observations of an exponential histogram are zero, or nearly.
    pub fn zero_count(&self) -> u64 {
        match self.kind {
            MetricKind::ExponentialHistogram => self.body.number(7),
            _ => 0,
        }
    }

    /// The width of what an exponential histogram takes for zero.
    pub fn zero_threshold(&self) -> f64 {
        match self.kind {
            MetricKind::ExponentialHistogram => self.body.double(14).unwrap_or_default(),
            _ => 0.0,
        }
    }

    /// The buckets of an exponential histogram's positive observations.
    pub fn positive(&self) -> Buckets<'a> {
        self.buckets(8)
    }

    /// The buckets of an exponential histogram's negative observations.
    pub fn negative(&self) -> Buckets<'a> {
        self.buckets(9)
    }

    /// The quantiles of a summary.
    pub fn quantiles(&self) -> impl Iterator<Item = Quantile> + Clone + use<'a> {
        let has = self.kind == MetricKind::Summary;
        Nested::new(if has { self.body.0 } else { &[] }, [6]).map(|body| Quantile {
            quantile: Body(body).double(1).unwrap_or_default(),
            value: Body(body).double(2).unwrap_or_default(),
        })
    }

    /// Example observations.
    pub fn exemplars(&self) -> impl Iterator<Item = Exemplar<'a>> + Clone + use<'a> {
        let (body, field) = match self.kind {
            MetricKind::Gauge | MetricKind::Sum => (self.body.0, 5),
            MetricKind::Histogram => (self.body.0, 8),
            MetricKind::ExponentialHistogram => (self.body.0, 11),
            MetricKind::Summary => (&[][..], 1),
        };
        Nested::new(body, [field]).map(|body| Exemplar(Body(body)))
    }

    /// `DataPointFlags`: bit 0 says that there is no value.
    pub fn flags(&self) -> u32 {
        let field = match self.kind {
            MetricKind::Gauge | MetricKind::Sum | MetricKind::Summary => 8,
            MetricKind::Histogram | MetricKind::ExponentialHistogram => 10,
        };
        self.body.number(field) as u32
    }

    fn distribution(&self) -> bool {
        !matches!(self.kind, MetricKind::Gauge | MetricKind::Sum)
    }

    fn buckets(&self, field: u32) -> Buckets<'a> {
        let has = self.kind == MetricKind::ExponentialHistogram;
        Buckets {
            body: Body(if has { self.body.0 } else { &[] }),
            field,
        }
    }
}

/// A quantile of a summary.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quantile {
    /// Between 0 and 1.
    pub quantile: f64,
    /// The value at it.
    pub value: f64,
}

/// A range of buckets of an exponential histogram.
#[derive(Clone, Copy, Debug)]
pub struct Buckets<'a> {
    body: Body<'a>,
    field: u32,
}

impl<'a> Buckets<'a> {
    /// The index of the first bucket.
    pub fn offset(&self) -> i32 {
        zigzag(self.body.nested_number(self.field, 1))
    }

    /// The counts from the first bucket on.
    pub fn bucket_counts(&self) -> impl Iterator<Item = u64> + Clone + use<'a> {
        Nested::new(self.body.0, [self.field]).flat_map(|body| Numbers::new(body, 2, false))
    }
}

/// An example observation.
#[derive(Clone, Copy, Debug)]
pub struct Exemplar<'a>(Body<'a>);

impl<'a> Exemplar<'a> {
    /// The attributes that the data point does not have.
    pub fn filtered_attributes(&self) -> Attributes<'a> {
        Attributes::new(Nested::new(self.0.0, [7]))
    }

    /// When, in nanoseconds since the Unix epoch.
    pub fn time_unix_nano(&self) -> u64 {
        self.0.number(2)
    }

    /// What was observed.
    pub fn value(&self) -> Option<Number> {
        number(self.0, 3, 6)
    }

    /// The span id: 8 bytes, or none.
    pub fn span_id(&self) -> &'a [u8] {
        self.0.bytes(4)
    }

    /// The trace id: 16 bytes, or none.
    pub fn trace_id(&self) -> &'a [u8] {
        self.0.bytes(5)
    }
}

fn number(body: Body<'_>, double: u32, int: u32) -> Option<Number> {
    Fields::new(body.0)
        .filter_map(|field| match field.value {
            Raw::Fixed64(bits) if field.number == double => {
                Some(Number::Double(f64::from_bits(bits)))
            }
            Raw::Fixed64(bits) if field.number == int => Some(Number::Int(bits as i64)),
            _ => None,
        })
        .last()
}

fn zigzag(bits: u64) -> i32 {
    let bits = bits as u32;
    (bits >> 1) as i32 ^ -((bits & 1) as i32)
}

/// Repeated numbers, packed or not.
#[derive(Clone, Debug)]
pub struct Numbers<'a> {
    fields: Fields<'a>,
    packed: &'a [u8],
    number: u32,
    fixed: bool,
}

impl<'a> Numbers<'a> {
    fn new(body: &'a [u8], number: u32, fixed: bool) -> Self {
        Numbers {
            fields: Fields::new(body),
            packed: &[],
            number,
            fixed,
        }
    }
}

impl Iterator for Numbers<'_> {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        loop {
            let read = if self.fixed {
                wire::fixed64(self.packed)
            } else {
                wire::varint(self.packed)
            };
            if let Some((value, rest)) = read {
                self.packed = rest;
                return Some(value);
            }
            let number = self.number;
            match self.fields.find(|field| field.number == number)?.value {
                Raw::Bytes(packed) => self.packed = packed,
                Raw::Varint(value) | Raw::Fixed64(value) => return Some(value),
                Raw::Fixed32(_) => {}
            }
        }
    }
}
