//! An edit of a well-formed request gives a well-formed request; what is dropped or replaced is
//! not in it any more; and bytes that were not checked are refused or edited, without panic.
#![no_main]

mod input;

use libfuzzer_sys::fuzz_target;
use otlp::edit::{
    AttributeChange, BytesChange, Edited, Editor, End, NewValue, Place, Text, TextChange,
    ValueChange, Visit, edit, retain,
};
use otlp::view::KeyValue;

/// Drops and replaces by the bits of a number.
struct Bits(u16);

impl Bits {
    fn draw(&mut self) -> u16 {
        self.0 = self.0.rotate_left(5).wrapping_mul(40_503).wrapping_add(1);
        self.0 >> 8 & 0xf
    }
}

impl Editor for Bits {
    fn message(&mut self, _: Place, _: &[u8]) -> Visit<'_> {
        match self.draw() {
            0 => Visit::Drop,
            1 => Visit::Keep,
            _ => Visit::Walk,
        }
    }

    fn leave(&mut self, _: Place, end: &mut End<'_>) {
        match self.draw() {
            0 => end.drop_message(),
            1 | 2 => {
                end.add_attribute("key", NewValue::String("value"));
            }
            _ => {}
        }
    }

    fn attribute(&mut self, _: Place, attribute: KeyValue<'_>) -> AttributeChange<'_> {
        match (self.draw(), attribute.key_bytes()) {
            (0, _) | (_, b"password") => AttributeChange::Drop,
            (1, _) => AttributeChange::Value(NewValue::Bytes(&[0; 200])),
            _ => AttributeChange::Walk,
        }
    }

    fn value(&mut self, _: Place, _: &[u8]) -> ValueChange<'_> {
        match self.draw() {
            0 => ValueChange::Drop,
            1 => ValueChange::Replace(NewValue::Int(-1)),
            _ => ValueChange::Walk,
        }
    }

    fn text(&mut self, _: Place, _: Text<'_>) -> TextChange<'_> {
        match self.draw() {
            0 => TextChange::Drop,
            1 | 2 => TextChange::Replace("a text that is longer than most of the texts around"),
            3 => TextChange::Replace(""),
            _ => TextChange::Keep,
        }
    }

    fn bytes(&mut self, _: Place, _: &[u8]) -> BytesChange<'_> {
        match self.draw() {
            0 => BytesChange::Drop,
            _ => BytesChange::Keep,
        }
    }
}

/// Drops every text.
#[derive(Default)]
struct NoText(usize);

impl Editor for NoText {
    fn text(&mut self, _: Place, _: Text<'_>) -> TextChange<'_> {
        self.0 += 1;
        TextChange::Drop
    }
}

struct Nothing;

impl Editor for Nothing {}

fuzz_target!(|data: &[u8]| {
    let Some(input::Input { signal, wire, number }) = input::input(data) else {
        return;
    };
    let checked = otlp::check(signal, &wire).is_ok();
    let mut out = Vec::new();
    let good = |edited: &Result<Edited, _>, out: &[u8]| {
        assert!(edited.is_ok() || !checked);
        if checked && *edited == Ok(Edited::Changed) {
            otlp::check(signal, out).expect("the result is well formed");
        }
    };
    good(&edit(signal, &wire, &mut Bits(number), &mut out), &out);
    let kept = retain(signal, &wire, &mut out, |item| item.len() % 2 == 0);
    good(&kept, &out);
    good(&edit(signal, &wire, &mut NoText::default(), &mut out), &out);
    if checked {
        assert_eq!(edit(signal, &wire, &mut Nothing, &mut Vec::new()), Ok(Edited::Unchanged));
        let mut again = NoText::default();
        assert_eq!(edit(signal, &out, &mut again, &mut Vec::new()), Ok(Edited::Unchanged));
        assert_eq!(again.0, 0);
    }
});
