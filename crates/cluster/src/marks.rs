//! Which gateways have passed a span on: marks in the bytes of a request.
//!
//! A mark is a field of the request message that OTLP does not have (number 15001, a text): it
//! holds for all that follows, up to the next mark, and an empty one ends it. So requests can be
//! concatenated as before, in the journal and on their way; and who knows no marks steps over them
//! (protobuf's unknown fields). They go from member to member only: what senders bring is cleaned
//! before it is kept, and what goes to a destination too.

use otlp::wire::{Fields, Raw};

/// The field's number; a tag of three bytes.
const FIELD: u32 = 15_001;
/// Length-delimited.
const TAG: [u8; 3] = {
    let tag = FIELD << 3 | 2;
    [tag as u8 | 0x80, (tag >> 7) as u8 | 0x80, (tag >> 14) as u8]
};
/// The longest mark that is believed.
const MAX_MARK: usize = 16 << 10;

/// Bytes of a request between marks: a request of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region<'a> {
    /// The notes of those that have passed it on, with commas between; empty where a sender
    /// brought it.
    pub notes: &'a str,
    /// The bytes, without marks.
    pub bytes: &'a [u8],
}

/// The regions of a checked request, in order. Empty ones are left out.
pub fn regions(request: &[u8]) -> Regions<'_> {
    Regions { request, notes: "" }
}

/// See [`regions`].
#[derive(Clone, Debug)]
pub struct Regions<'a> {
    request: &'a [u8],
    notes: &'a str,
}

impl<'a> Iterator for Regions<'a> {
    type Item = Region<'a>;

    fn next(&mut self) -> Option<Region<'a>> {
        while !self.request.is_empty() {
            let whole = self.request;
            let mut fields = Fields::new(whole);
            let (mut length, mut mark) = (0, None);
            while let Some(field) = fields.next() {
                if let (FIELD, Raw::Bytes(names)) = (field.number, field.value) {
                    mark = Some(names);
                    break;
                }
                length = whole.len() - fields.rest().len();
            }
            let notes = self.notes;
            self.request = fields.rest();
            match mark {
                Some(names) => self.notes = text(names),
                // The end; or bytes that are no protobuf, which a checked request has none of.
                None => {
                    self.request = &[];
                    length = whole.len();
                }
            }
            if length > 0 {
                let bytes = whole.get(..length).unwrap_or_default();
                return Some(Region { notes, bytes });
            }
        }
        None
    }
}

fn text(names: &[u8]) -> &str {
    match names.len() {
        0..=MAX_MARK => std::str::from_utf8(names).unwrap_or_default(),
        _ => "",
    }
}

/// Whether a request has marks. Looks at its outermost fields alone.
pub fn is_marked(request: &[u8]) -> bool {
    Fields::new(request).any(|field| field.number == FIELD)
}

/// The request without its marks; `None` if it has none.
pub fn clean(request: &[u8]) -> Option<Vec<u8>> {
    if !is_marked(request) {
        return None;
    }
    let mut out = Vec::with_capacity(request.len());
    for field in Fields::new(request).filter(|field| field.number != FIELD) {
        out.extend_from_slice(field.bytes);
    }
    Some(out)
}

/// Bytes that senders brought here, and not members.
pub fn sent_bytes(request: &[u8]) -> usize {
    let sent = regions(request).filter(|region| region.notes.is_empty());
    sent.map(|region| region.bytes.len()).sum()
}

/// Appends a region.
pub fn put(out: &mut Vec<u8>, notes: &str, bytes: &[u8]) {
    mark(out, notes);
    out.extend_from_slice(bytes);
    mark(out, "");
}

fn mark(out: &mut Vec<u8>, notes: &str) {
    out.extend_from_slice(&TAG);
    let mut length = notes.len();
    while length >= 0x80 {
        out.push(length as u8 | 0x80);
        length >>= 7;
    }
    out.push(length as u8);
    out.extend_from_slice(notes.as_bytes());
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test")]

    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
    use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
    use prost::Message;

    use super::*;

    fn request(name: &str) -> Vec<u8> {
        let span = Span {
            name: name.to_owned(),
            ..Span::default()
        };
        let scope_spans = vec![ScopeSpans {
            spans: vec![span],
            ..ScopeSpans::default()
        }];
        let resource_spans = vec![ResourceSpans {
            scope_spans,
            ..ResourceSpans::default()
        }];
        ExportTraceServiceRequest { resource_spans }.encode_to_vec()
    }

    fn names(request: &[u8]) -> Vec<String> {
        let request = ExportTraceServiceRequest::decode(request).unwrap();
        let spans = request.resource_spans.into_iter();
        let spans = spans.flat_map(|r| r.scope_spans).flat_map(|s| s.spans);
        spans.map(|span| span.name).collect()
    }

    /// Guarantees: marked requests are valid requests for prost's types, also concatenated; each
    /// region tells who has had it, and cleaning leaves the bytes as they were.
    #[test]
    fn regions_survive_concatenation() {
        let parts = [request("a"), request("b"), request("c"), request("d")];
        let mut all = parts[0].clone();
        let long = "gw-1@0123,".repeat(200);
        put(&mut all, "gw-1@0123", &parts[1]);
        put(&mut all, &long, &parts[2]);
        all.extend_from_slice(&parts[3]);
        assert_eq!(names(&all), ["a", "b", "c", "d"]);
        assert!(otlp::check(ident::Signal::Traces, &all).is_ok());
        let found: Vec<(&str, &[u8])> = regions(&all).map(|r| (r.notes, r.bytes)).collect();
        assert_eq!(
            found,
            [
                ("", &parts[0][..]),
                ("gw-1@0123", &parts[1][..]),
                (long.as_str(), &parts[2][..]),
                ("", &parts[3][..]),
            ]
        );
        assert_eq!(sent_bytes(&all), parts[0].len() + parts[3].len());
        assert_eq!(clean(&all), Some(parts.concat()));
        assert_eq!(clean(&parts.concat()), None);
        assert_eq!(regions(&[]).count(), 0);
    }
}
