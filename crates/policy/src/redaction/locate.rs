//! The path to a place in a request, for people: which fields lead to some of its bytes.

use std::fmt::Write;
use std::ops::Range;

use ident::Signal;
use otlp::schema::{self, Kind, Message, MessageId};
use otlp::view::KeyValue;
use otlp::wire::{Fields, Raw};

/// Where a slice of a request stands in it; `None` if it is no slice of it.
pub(super) fn range_of(request: &[u8], slice: &[u8]) -> Option<Range<usize>> {
    let start = (slice.as_ptr() as usize).checked_sub(request.as_ptr() as usize)?;
    let end = start.checked_add(slice.len())?;
    (end <= request.len()).then_some(start..end)
}

/// Finds paths. Places that are asked about in the order of the request cost one pass over it
/// together; any other order is right too, and slower.
pub(super) struct Locator<'a> {
    signal: Signal,
    request: &'a [u8],
    open: Vec<Frame>,
}

/// A message on the way to the place that was found last.
struct Frame {
    message: &'static Message,
    body: Range<usize>,
    /// Where its field begins that holds the place.
    at: usize,
    /// How many came of each field before that one.
    before: [u32; FIELDS],
    /// What that field is called on the path.
    step: String,
}

/// No message of OTLP has a field of a greater number.
const FIELDS: usize = 32;

impl<'a> Locator<'a> {
    pub(super) fn new(signal: Signal, request: &'a [u8]) -> Self {
        Locator {
            signal,
            request,
            open: Vec::new(),
        }
    }

    /// The path to the message or text whose body is `body`.
    pub(super) fn of_body(&mut self, body: &Range<usize>) -> String {
        self.find(body, true)
    }

    /// The path to a whole field, its tag included.
    pub(super) fn of_field(&mut self, field: &Range<usize>) -> String {
        self.find(field, false)
    }

    fn find(&mut self, place: &Range<usize>, is_body: bool) -> String {
        let goes_on = |frame: &Frame| frame.leads_to(place) && !(is_body && frame.body == *place);
        while self.open.last().is_some_and(|frame| !goes_on(frame)) {
            self.open.pop();
        }
        if self.open.is_empty() {
            let root = schema::request(self.signal);
            self.open.push(Frame::new(root, 0..self.request.len()));
        }
        while let Some(top) = self.open.last_mut() {
            let Some((message, body)) = top.step(self.request, place) else {
                break;
            };
            if is_body && body == *place {
                break;
            }
            self.open.push(Frame::new(message, body));
        }
        let steps = self.open.iter().map(|frame| frame.step.as_str());
        let steps: Vec<&str> = steps.filter(|step| !step.is_empty()).collect();
        steps.join(".")
    }
}

impl Frame {
    fn new(message: &'static Message, body: Range<usize>) -> Self {
        Frame {
            message,
            at: body.start,
            body,
            before: [0; FIELDS],
            step: String::new(),
        }
    }

    fn leads_to(&self, place: &Range<usize>) -> bool {
        self.at <= place.start && place.end <= self.body.end
    }

    /// Goes on to the field that holds the place. The message that the field is, with its body,
    /// if it is one.
    fn step(
        &mut self,
        request: &[u8],
        place: &Range<usize>,
    ) -> Option<(&'static Message, Range<usize>)> {
        self.step.clear();
        for field in Fields::new(request.get(self.at..self.body.end)?) {
            let end = self.at + field.bytes.len();
            let before = self.before.get_mut(field.number as usize);
            if place.end > end {
                self.at = end;
                if let Some(before) = before {
                    *before += 1;
                }
                continue;
            }
            let index = before.map_or(0, |before| *before);
            let Some(known) = self.message.field(field.number) else {
                // Writing to a string does not fail.
                let _ = write!(self.step, "(field {})", field.number);
                return None;
            };
            self.step.push_str(known.name);
            let next = match (known.kind, field.value) {
                (Kind::Message(next), Raw::Bytes(body)) => Some((next, body)),
                _ => None,
            };
            match next {
                Some((next, body)) if next.id == MessageId::KeyValue => {
                    let _ = write!(self.step, "[{:?}]", KeyValue::new(body).key());
                }
                _ if known.repeated => {
                    let _ = write!(self.step, "[{index}]");
                }
                _ => {}
            }
            return next.map(|(next, body)| (next, end - body.len()..end));
        }
        None
    }
}
