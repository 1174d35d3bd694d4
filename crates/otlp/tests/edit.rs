//! The editor, against dynamic messages of prost-reflect being changed in the same way.
#![allow(clippy::expect_used, clippy::panic, reason = "this is a test")]

mod common;

use common::dynamic::{decode, decode_request, with_unknown_fields};
use common::{Random, Request, examples};
use opentelemetry_proto::tonic::common::v1::{AnyValue, any_value};
use otlp::edit::{
    AttributeChange, BytesChange, Edited, Editor, End, NewValue, NumberChange, Place, Row, Sight,
    Text, TextChange, UnknownChange, ValueChange, Visit, edit, retain,
};
use otlp::schema::{self, Field, Kind, MESSAGES, Message, MessageId};
use otlp::view::KeyValue;
use otlp::{Signal, check, wire};
use proptest::prelude::*;
use prost::Message as _;
use prost_reflect::{DynamicMessage, FieldDescriptor, ReflectMessage, Value};
use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};

fn run(signal: Signal, wire: &[u8], editor: &mut impl Editor) -> Option<Vec<u8>> {
    let mut out = b"left over from the last time".to_vec();
    match edit(signal, wire, editor, &mut out).expect("a good request") {
        Edited::Changed => Some(out),
        Edited::Unchanged => {
            assert!(out.is_empty());
            None
        }
    }
}

/// What happens to a thing: follows from a seed, the field and the content, so that the editor and
/// the oracle need not look at things in the same order.
fn fate(seed: u64, field: &str, content: &[u8], of: u64) -> u64 {
    let mut hasher = DefaultHasher::new();
    (seed, field, content).hash(&mut hasher);
    hasher.finish() % of
}

/// Decides at random about everything.
struct AtRandom {
    seed: u64,
    text: String,
    bytes: Vec<u8>,
    /// The fates of open messages, drawn from their content before it changed.
    open: Vec<u64>,
}

/// The text that a text becomes: longer by more than a byte of length, or shorter.
fn other_text(seed: u64, text: &[u8]) -> String {
    match fate(seed, "other text", text, 3) {
        0 => String::new(),
        1 => "[REDACTED]".to_owned(),
        _ => "longer ".repeat(40),
    }
}

/// A message's bytes, whatever the order of its fields was.
fn canonical(message: &Message, body: &[u8]) -> Vec<u8> {
    decode(message.name, body).encode_to_vec()
}

fn child(field: &'static Field) -> &'static Message {
    match field.kind {
        Kind::Message(message) => message,
        _ => panic!("{} is no message", field.name),
    }
}

impl Editor for AtRandom {
    fn message(&mut self, place: Place, body: &[u8]) -> Visit<'_> {
        let body = canonical(child(place.field), body);
        match fate(self.seed, place.field.name, &body, 40) {
            0 => Visit::Drop,
            1 => Visit::Keep,
            2 => {
                self.bytes.clear();
                Visit::Replace(&self.bytes)
            }
            fate => {
                self.open.push(fate);
                Visit::Walk
            }
        }
    }

    fn leave(&mut self, _: Place, end: &mut End<'_>) {
        match self.open.pop().expect("one for each walk") {
            3 => end.drop_message(),
            4 | 5 => {
                end.add_attribute("added", NewValue::Int(-7));
            }
            _ => {}
        }
    }

    fn attribute(&mut self, place: Place, attribute: KeyValue<'_>) -> AttributeChange<'_> {
        let body = canonical(&schema::KEY_VALUE, attribute.body());
        match fate(self.seed, place.field.name, &body, 12) {
            0 => AttributeChange::Drop,
            1 => AttributeChange::Keep,
            2 => {
                self.text = other_text(self.seed, &body);
                AttributeChange::Value(NewValue::String(&self.text))
            }
            3 => {
                self.bytes.clear();
                AttributeChange::Replace(&self.bytes)
            }
            _ => AttributeChange::Walk,
        }
    }

    fn value(&mut self, place: Place, body: &[u8]) -> ValueChange<'_> {
        let body = canonical(&schema::ANY_VALUE, body);
        match fate(self.seed, place.field.name, &body, 12) {
            0 => ValueChange::Drop,
            1 => ValueChange::Keep,
            2 => ValueChange::Replace(NewValue::Double(0.5)),
            _ => ValueChange::Walk,
        }
    }

    fn text(&mut self, place: Place, text: Text<'_>) -> TextChange<'_> {
        match fate(self.seed, place.field.name, text.as_bytes(), 6) {
            0 => TextChange::Drop,
            1 | 2 => {
                self.text = other_text(self.seed, text.as_bytes());
                TextChange::Replace(&self.text)
            }
            _ => TextChange::Keep,
        }
    }

    fn bytes(&mut self, place: Place, bytes: &[u8]) -> BytesChange<'_> {
        match fate(self.seed, place.field.name, bytes, 6) {
            0 => BytesChange::Drop,
            1 => {
                self.bytes = bytes.iter().rev().copied().collect();
                BytesChange::Replace(&self.bytes)
            }
            _ => BytesChange::Keep,
        }
    }

    fn number(&mut self, place: Place, number: u64) -> NumberChange {
        match fate(self.seed, place.field.name, &[], 6) {
            0 => NumberChange::Drop,
            // 1 is a fine value of every type in every encoding.
            1 => NumberChange::Replace(1),
            _ => {
                let _ = number;
                NumberChange::Keep
            }
        }
    }

    fn packed(&mut self, place: Place, packed: &[u8]) -> BytesChange<'_> {
        match fate(self.seed, place.field.name, &[], 4) {
            0 => BytesChange::Drop,
            1 => {
                self.bytes = packed.repeat(2);
                BytesChange::Replace(&self.bytes)
            }
            _ => BytesChange::Keep,
        }
    }

    fn unknown(&mut self, _: &'static Message, field: wire::Field<'_>) -> UnknownChange {
        match fate(self.seed, "unknown", field.bytes, 5) {
            0 => UnknownChange::Drop,
            _ => UnknownChange::Keep,
        }
    }
}

/// The same as [`AtRandom`], done to a dynamic message.
struct Oracle(u64);

impl Oracle {
    fn fields(&self, message: &mut DynamicMessage) {
        let fields: Vec<(FieldDescriptor, Value)> = message
            .fields()
            .map(|(field, value)| (field, value.clone()))
            .collect();
        for (field, value) in fields {
            if let Value::List(list) = value {
                if matches!(list[0], Value::U64(_) | Value::F64(_)) {
                    match fate(self.0, field.name(), &[], 4) {
                        0 => message.clear_field(&field),
                        1 => message.set_field(&field, Value::List([list.clone(), list].concat())),
                        _ => {}
                    }
                    continue;
                }
                let list = list
                    .into_iter()
                    .filter_map(|value| self.value(&field, value));
                message.set_field(&field, Value::List(list.collect()));
            } else {
                match self.value(&field, value) {
                    Some(value) => message.set_field(&field, value),
                    None => message.clear_field(&field),
                }
            }
        }
        let unknown: Vec<_> = message.take_unknown_fields().collect();
        let mut kept = Vec::new();
        for field in unknown {
            let mut wire = Vec::new();
            field.encode(&mut wire);
            if fate(self.0, "unknown", &wire, 5) != 0 {
                kept.extend_from_slice(&wire);
            }
        }
        message.merge(kept.as_slice()).expect("unknown fields");
    }

    fn value(&self, field: &FieldDescriptor, value: Value) -> Option<Value> {
        let name = field.name();
        match value {
            Value::Message(message) => self.message(name, message).map(Value::Message),
            Value::String(text) => match fate(self.0, name, text.as_bytes(), 6) {
                0 => None,
                1 | 2 => Some(Value::String(other_text(self.0, text.as_bytes()))),
                _ => Some(Value::String(text)),
            },
            Value::Bytes(bytes) => match fate(self.0, name, &bytes, 6) {
                0 => None,
                1 => Some(Value::Bytes(bytes.iter().rev().copied().collect())),
                _ => Some(Value::Bytes(bytes)),
            },
            number => match fate(self.0, name, &[], 6) {
                0 => None,
                1 => Some(one(&number, field)),
                _ => Some(number),
            },
        }
    }

    fn message(&self, name: &str, mut message: DynamicMessage) -> Option<DynamicMessage> {
        let body = message.encode_to_vec();
        let kind = message.descriptor().name().to_owned();
        let empty = DynamicMessage::new(message.descriptor());
        match kind.as_str() {
            "KeyValue" => match fate(self.0, name, &body, 12) {
                0 => return None,
                1 => return Some(message),
                2 => {
                    let text = Value::String(other_text(self.0, &body));
                    let value = any_value("string_value", text);
                    message.set_field_by_name("value", Value::Message(value));
                    return Some(message);
                }
                3 => return Some(empty),
                _ => {}
            },
            "AnyValue" => match fate(self.0, name, &body, 12) {
                0 => return None,
                1 => return Some(message),
                2 => return Some(any_value("double_value", Value::F64(0.5))),
                _ => {}
            },
            "ArrayValue" | "KeyValueList" => {}
            _ => match fate(self.0, name, &body, 40) {
                0 | 3 => return None,
                1 => return Some(message),
                2 => return Some(empty),
                fate => {
                    self.fields(&mut message);
                    if let (4 | 5, Some(field)) = (fate, attributes_of(&message)) {
                        let mut added = decode("opentelemetry.proto.common.v1.KeyValue", &[]);
                        added.set_field_by_name("key", Value::String("added".to_owned()));
                        let value = any_value("int_value", Value::I64(-7));
                        added.set_field_by_name("value", Value::Message(value));
                        if let Value::List(list) = message.get_field_mut(&field) {
                            list.push(Value::Message(added));
                        }
                    }
                    return Some(message);
                }
            },
        }
        self.fields(&mut message);
        Some(message)
    }
}

fn attributes_of(message: &DynamicMessage) -> Option<FieldDescriptor> {
    message.descriptor().fields().find(
        |field| matches!(field.kind(), prost_reflect::Kind::Message(m) if m.name() == "KeyValue"),
    )
}

fn any_value(member: &str, value: Value) -> DynamicMessage {
    let mut any = decode("opentelemetry.proto.common.v1.AnyValue", &[]);
    any.set_field_by_name(member, value);
    any
}

/// What the bits of 1 mean in the encoding of a field.
fn one(like: &Value, field: &FieldDescriptor) -> Value {
    match like {
        Value::Bool(_) => Value::Bool(true),
        // In zigzag, 1 is -1.
        Value::I32(_) if field.kind() == prost_reflect::Kind::Sint32 => Value::I32(-1),
        Value::I32(_) => Value::I32(1),
        Value::I64(_) => Value::I64(1),
        Value::U32(_) => Value::U32(1),
        Value::U64(_) => Value::U64(1),
        Value::F64(_) => Value::F64(f64::from_bits(1)),
        Value::EnumNumber(_) => Value::EnumNumber(1),
        other => panic!("not a number: {other:?}"),
    }
}

fn edits_like_prost(seed: u64, signal: Signal, wire: &[u8]) {
    let mut editor = AtRandom {
        seed,
        text: String::new(),
        bytes: Vec::new(),
        open: Vec::new(),
    };
    let edited = run(signal, wire, &mut editor);
    let found = decode_request(signal, edited.as_deref().unwrap_or(wire));
    let mut expected = decode_request(signal, wire);
    Oracle(seed).fields(&mut expected);
    if found != expected {
        // Through the wire, for what is the same there.
        let expected = expected.encode_to_vec();
        let found = found.encode_to_vec();
        assert!(
            found == expected,
            "{signal}: another result than prost's, seed {seed}"
        );
    }
}

/// Replaces each text, bytes and number by itself.
#[derive(Default)]
struct Same(String, Vec<u8>);

impl Editor for Same {
    fn text(&mut self, _: Place, text: Text<'_>) -> TextChange<'_> {
        self.0 = text.as_str().expect("UTF-8").to_owned();
        TextChange::Replace(&self.0)
    }

    fn bytes(&mut self, _: Place, bytes: &[u8]) -> BytesChange<'_> {
        self.1 = bytes.to_vec();
        BytesChange::Replace(&self.1)
    }

    fn number(&mut self, _: Place, number: u64) -> NumberChange {
        NumberChange::Replace(number)
    }

    fn packed(&mut self, _: Place, packed: &[u8]) -> BytesChange<'_> {
        self.1 = packed.to_vec();
        BytesChange::Replace(&self.1)
    }
}

/// Asks everything and changes nothing.
struct Nothing;

impl Editor for Nothing {}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    /// Guarantees: dropping, replacing and adding of every kind of field, at every level, comes to
    /// what it comes to when done with prost; unknown fields stay.
    #[test]
    fn edits_random_requests_like_prost(
        bytes in prop::collection::vec(any::<u8>(), 0..2500),
        noise in prop::collection::vec(any::<u8>(), 0..400),
        seed in any::<u64>(),
    ) {
        for signal in Signal::ALL {
            let wire = Request::random(signal, &bytes).encode();
            let wire = with_unknown_fields(schema::request(signal), &wire, &mut Random(&noise));
            prop_assert!(check(signal, &wire).is_ok());
            edits_like_prost(seed, signal, &wire);
        }
    }

    /// Guarantees: what is replaced by itself gives the same bytes, and an editor that changes
    /// nothing copies nothing (SAME-BYTES).
    #[test]
    fn the_same_gives_the_same_bytes(
        bytes in prop::collection::vec(any::<u8>(), 0..2500),
        noise in prop::collection::vec(any::<u8>(), 0..400),
    ) {
        for signal in Signal::ALL {
            let wire = Request::random(signal, &bytes).encode();
            let wire = with_unknown_fields(schema::request(signal), &wire, &mut Random(&noise));
            prop_assert_eq!(run(signal, &wire, &mut Nothing), None);
            if let Some(same) = run(signal, &wire, &mut Same::default()) {
                prop_assert!(same == wire);
            }
        }
    }

    /// Guarantees: an edit of bytes that were not checked is refused or goes well, without panic.
    #[test]
    fn survives_unchecked_bytes(
        bytes in prop::collection::vec(any::<u8>(), 0..1000),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
    ) {
        struct Shout;
        impl Editor for Shout {
            fn text(&mut self, _: Place, _: Text<'_>) -> TextChange<'_> {
                TextChange::Replace("shout")
            }
        }
        for signal in Signal::ALL {
            let mut wire = Request::random(signal, &bytes).encode();
            for (at, byte) in &changes {
                if !wire.is_empty() {
                    let at = at.index(wire.len());
                    wire[at] = *byte;
                }
            }
            let good = check(signal, &wire).is_ok();
            let mut out = Vec::new();
            let edited = edit(signal, &wire, &mut Shout, &mut out);
            prop_assert!(edited.is_ok() || !good);
            if good && edited == Ok(Edited::Changed) {
                prop_assert!(check(signal, &out).is_ok());
            }
        }
    }

    /// Guarantees: items are kept as prost keeps them, and what thereby has none left goes.
    #[test]
    fn retains_like_prost(bytes in prop::collection::vec(any::<u8>(), 0..2500), seed in any::<u64>()) {
        let keep = |item: &[u8]| fate(seed, "item", item, 3) == 0;
        for signal in Signal::ALL {
            let request = Request::random(signal, &bytes);
            let wire = request.encode();
            let mut out = Vec::new();
            let edited = retain(signal, &wire, &mut out, keep).expect("a good request");
            let found = if edited == Edited::Changed { &out } else { &wire };
            let expected = retained(request, keep);
            prop_assert!(Request::decode(signal, found).is_ok_and(|found| found == expected));
        }
    }
}

/// What [`retain`] does, with prost's types.
fn retained(mut request: Request, keep: impl Fn(&[u8]) -> bool) -> Request {
    use opentelemetry_proto::tonic::metrics::v1::metric::Data;
    /// Keeps of a list what `f` says, and tells whether it got empty thereby.
    fn goes<T>(list: &mut Vec<T>, f: impl FnMut(&mut T) -> bool) -> bool {
        let before = list.len();
        list.retain_mut(f);
        list.is_empty() && before > 0
    }
    match &mut request {
        Request::Traces(r) => r.resource_spans.retain_mut(|r| {
            !goes(&mut r.scope_spans, |s| {
                !goes(&mut s.spans, |i| keep(&i.encode_to_vec()))
            })
        }),
        Request::Logs(r) => r.resource_logs.retain_mut(|r| {
            !goes(&mut r.scope_logs, |s| {
                !goes(&mut s.log_records, |i| keep(&i.encode_to_vec()))
            })
        }),
        Request::Metrics(r) => r.resource_metrics.retain_mut(|r| {
            !goes(&mut r.scope_metrics, |s| {
                !goes(&mut s.metrics, |metric| match &mut metric.data {
                    None => true,
                    Some(Data::Gauge(d)) => !goes(&mut d.data_points, |i| keep(&i.encode_to_vec())),
                    Some(Data::Sum(d)) => !goes(&mut d.data_points, |i| keep(&i.encode_to_vec())),
                    Some(Data::Histogram(d)) => {
                        !goes(&mut d.data_points, |i| keep(&i.encode_to_vec()))
                    }
                    Some(Data::ExponentialHistogram(d)) => {
                        !goes(&mut d.data_points, |i| keep(&i.encode_to_vec()))
                    }
                    Some(Data::Summary(d)) => {
                        !goes(&mut d.data_points, |i| keep(&i.encode_to_vec()))
                    }
                })
            })
        }),
    }
    request
}

/// Guarantees: the example files of opentelemetry-proto are edited like with prost.
#[test]
fn edits_the_examples_like_prost() {
    for (_, request) in examples() {
        for seed in 0..300 {
            edits_like_prost(seed, request.signal(), &request.encode());
        }
    }
}

/// A message with each of its fields, and each of theirs, down to some depth of values.
fn with_every_field(message: &'static Message, depth: u32) -> Vec<u8> {
    let mut out = Vec::new();
    for field in message.fields {
        let number = field.number;
        match field.kind {
            Kind::String | Kind::Bytes => common::put_field(&mut out, number, b"text"),
            Kind::TraceId => common::put_field(&mut out, number, &[7; 16]),
            Kind::SpanId => common::put_field(&mut out, number, &[7; 8]),
            Kind::Message(child) => {
                let depth = depth + u32::from(child.id == MessageId::AnyValue);
                if depth <= 3 {
                    common::put_field(&mut out, number, &with_every_field(child, depth));
                }
            }
            kind => {
                let width = [1, 8, 0, 0, 0, 4][usize::from(kind.wire_type())];
                prost::encoding::encode_varint(
                    u64::from(number << 3 | u32::from(kind.wire_type())),
                    &mut out,
                );
                out.extend(std::iter::repeat_n(1, width));
            }
        }
    }
    out
}

/// Guarantees: REDACT-FIRST can rest on the editor: every field of the schema that bears text or
/// bytes is asked about, wherever it occurs; texts are also asked about deep in values.
#[test]
fn redact_first_every_text_is_asked_about() {
    #[derive(Default)]
    struct Seen(BTreeSet<(MessageId, u32)>, BTreeSet<(MessageId, u32)>);
    impl Editor for Seen {
        fn text(&mut self, place: Place, _: Text<'_>) -> TextChange<'_> {
            self.0.insert((place.message.id, place.field.number));
            self.1.insert((place.owner.id, place.depth));
            TextChange::Drop
        }
        fn bytes(&mut self, place: Place, _: &[u8]) -> BytesChange<'_> {
            self.0.insert((place.message.id, place.field.number));
            BytesChange::Drop
        }
    }
    let mut seen = Seen::default();
    for signal in Signal::ALL {
        let mut wire = with_every_field(schema::request(signal), 0);
        if signal == Signal::Metrics {
            // A metric has one kind of data: to see all, let the walk go where check would not.
            assert!(check(signal, &wire).is_err());
        } else {
            assert!(check(signal, &wire).is_ok());
        }
        wire = run(signal, &wire, &mut seen).expect("changes");
        // What is gone is gone: a second look finds nothing.
        let mut again = Seen::default();
        assert_eq!(run(signal, &wire, &mut again), None);
        assert!(again.0.is_empty());
        assert!(!wire.windows(4).any(|bytes| bytes == b"text"));
    }
    let expected: BTreeSet<_> = MESSAGES
        .iter()
        .flat_map(|message| message.fields.iter().map(|field| (message.id, field)))
        .filter(|(_, field)| {
            matches!(
                field.kind,
                Kind::String | Kind::Bytes | Kind::TraceId | Kind::SpanId
            )
        })
        .map(|(id, field)| (id, field.number))
        .collect();
    assert_eq!(seen.0, expected);
    for id in [
        MessageId::Resource,
        MessageId::Scope,
        MessageId::Span,
        MessageId::Event,
        MessageId::Link,
        MessageId::Metric,
        MessageId::NumberDataPoint,
        MessageId::HistogramDataPoint,
        MessageId::ExponentialHistogramDataPoint,
        MessageId::SummaryDataPoint,
        MessageId::Exemplar,
        MessageId::LogRecord,
    ] {
        assert!((1..=3).all(|depth| seen.1.contains(&(id, depth))), "{id:?}");
    }
}

/// Guarantees: a place names what an attribute or value belongs to, however deep it is.
#[test]
fn a_place_names_its_owner() {
    struct Body;
    impl Editor for Body {
        fn text(&mut self, place: Place, _: Text<'_>) -> TextChange<'_> {
            match (place.owner.id, place.origin.name, place.depth) {
                (MessageId::LogRecord, "body", 2) => TextChange::Replace("deep in the body"),
                (MessageId::LogRecord, "body", _) => TextChange::Replace("the body"),
                _ => TextChange::Keep,
            }
        }
    }
    use opentelemetry_proto::tonic::{common::v1::*, logs::v1::*};
    let text = |text: &str| AnyValue {
        value: Some(any_value::Value::StringValue(text.to_owned())),
    };
    let list = |values| AnyValue {
        value: Some(any_value::Value::ArrayValue(ArrayValue { values })),
    };
    let request = |body, attribute| {
        Request::Logs(common::Logs {
            resource_logs: vec![ResourceLogs {
                scope_logs: vec![ScopeLogs {
                    log_records: vec![LogRecord {
                        body: Some(list(vec![body])),
                        attributes: vec![KeyValue {
                            key: "key".to_owned(),
                            value: Some(list(vec![attribute])),
                            key_strindex: 0,
                        }],
                        ..LogRecord::default()
                    }],
                    ..ScopeLogs::default()
                }],
                ..ResourceLogs::default()
            }],
        })
    };
    let wire = request(text("secret"), text("kept")).encode();
    assert_eq!(
        run(Signal::Logs, &wire, &mut Body),
        Some(request(text("deep in the body"), text("kept")).encode())
    );
}

/// At first sight keeps, drops or replaces attributes by their key's length, or asks; then it drops
/// them. It would drop every number and replace every text that it is asked about.
struct FirstSight {
    /// Whether it keeps and drops attributes in a row where it can.
    settles: bool,
}

impl Editor for FirstSight {
    /// Of spans their names, and nothing else.
    fn asks_about(&self, message: &'static Message) -> u32 {
        u32::from(message.id == MessageId::Span) << 5
    }

    fn settled(
        &mut self,
        _: &'static Message,
        tag: u8,
        rest: &[u8],
        row: &mut Row<'_, '_, '_>,
    ) -> usize {
        let mut settled = 0;
        for field in wire::Fields::new(rest) {
            let wire::Raw::Bytes(pair) = field.value else {
                break;
            };
            if !self.settles || field.number != u32::from(tag >> 3) {
                break;
            }
            let end = settled + field.bytes.len();
            match KeyValue::new(pair).key().len() % 4 {
                1 => {}
                2 => row.drop_field(settled, end),
                _ => break,
            }
            settled = end;
        }
        settled
    }

    fn at_sight(&mut self, _: &'static Message, pair: &[u8]) -> Sight<'_> {
        if self.settles {
            let left = KeyValue::new(pair).key().len() % 4;
            assert!(matches!(left, 0 | 3), "settled in its row");
        }
        match KeyValue::new(pair).key().len() % 4 {
            0 => Sight::Ask,
            1 => Sight::Keep,
            2 => Sight::Drop,
            _ => Sight::Value(NewValue::String("at sight")),
        }
    }

    fn attribute(&mut self, place: Place, attribute: KeyValue<'_>) -> AttributeChange<'_> {
        assert_eq!(place.depth, 0, "nothing is walked");
        assert_eq!(attribute.key().len() % 4, 0, "answered at first sight");
        AttributeChange::Drop
    }

    fn text(&mut self, place: Place, _: Text<'_>) -> TextChange<'_> {
        assert_eq!(place.field.name, "name", "asked about");
        assert_eq!(place.owner.id, MessageId::Span, "asked about");
        TextChange::Replace("a name")
    }

    fn number(&mut self, place: Place, _: u64) -> NumberChange {
        assert!(place.depth > 0, "{} is in no value", place.field.name);
        NumberChange::Drop
    }

    fn bytes(&mut self, place: Place, _: &[u8]) -> BytesChange<'_> {
        assert!(place.depth > 0, "{} is in no value", place.field.name);
        BytesChange::Drop
    }

    fn packed(&mut self, _: Place, _: &[u8]) -> BytesChange<'_> {
        panic!("packed numbers are in no value")
    }

    fn value(&mut self, _: Place, _: &[u8]) -> ValueChange<'_> {
        ValueChange::Keep
    }
}

proptest! {
    /// Guarantees: what an editor says of an attribute at first sight, or of several in a row,
    /// happens to it, whatever stands around it; fields that are not asked about stay.
    #[test]
    fn first_sight_counts(
        seed in proptest::collection::vec(any::<u8>(), 0..2000),
        settles in any::<bool>(),
    ) {
        for signal in Signal::ALL {
            let mut request = Request::random(signal, &seed);
            let out = run(signal, &request.encode(), &mut FirstSight { settles });
            let out = out.unwrap_or_else(|| request.encode());
            common::change_attributes(&mut request, |pair| match pair.key.len() % 4 {
                0 | 2 => false,
                1 => true,
                _ => {
                    pair.value = Some(AnyValue {
                        value: Some(any_value::Value::StringValue("at sight".to_owned())),
                    });
                    true
                }
            });
            if let Request::Traces(traces) = &mut request {
                let scopes = traces.resource_spans.iter_mut().flat_map(|r| &mut r.scope_spans);
                for span in scopes.flat_map(|s| &mut s.spans).filter(|s| !s.name.is_empty()) {
                    span.name = "a name".to_owned();
                }
            }
            prop_assert_eq!(Request::decode(signal, &out).expect("decodes"), request);
        }
    }
}
