//! Reading fields of a message body, and messages at the end of a path of fields.

use crate::wire::{Fields, Raw};

/// The body of a message.
#[derive(Clone, Copy)]
pub(super) struct Body<'a>(pub(super) &'a [u8]);

impl std::fmt::Debug for Body<'_> {
    // Telemetry is not for log lines.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

impl<'a> Body<'a> {
    pub(super) fn last(&self, number: u32) -> Option<Raw<'a>> {
        Fields::new(self.0)
            .filter(|field| field.number == number)
            .last()
            .map(|field| field.value)
    }

    pub(super) fn bytes(&self, number: u32) -> &'a [u8] {
        match self.last(number) {
            Some(Raw::Bytes(bytes)) => bytes,
            _ => &[],
        }
    }

    pub(super) fn text(&self, number: u32) -> &'a str {
        std::str::from_utf8(self.bytes(number)).unwrap_or_default()
    }

    /// A number as it stands on the wire; 0 where it is missing.
    pub(super) fn number(&self, number: u32) -> u64 {
        match self.last(number) {
            Some(Raw::Varint(value) | Raw::Fixed64(value)) => value,
            Some(Raw::Fixed32(value)) => u64::from(value),
            _ => 0,
        }
    }

    pub(super) fn double(&self, number: u32) -> Option<f64> {
        match self.last(number) {
            Some(Raw::Fixed64(bits)) => Some(f64::from_bits(bits)),
            _ => None,
        }
    }

    /// A field of a singular message, whose occurrences merge.
    pub(super) fn nested(&self, message: u32, number: u32) -> Option<Raw<'a>> {
        Nested::new(self.0, [message])
            .filter_map(|body| Body(body).last(number))
            .last()
    }

    pub(super) fn nested_text(&self, message: u32, number: u32) -> &'a str {
        match self.nested(message, number) {
            Some(Raw::Bytes(text)) => std::str::from_utf8(text).unwrap_or_default(),
            _ => "",
        }
    }

    pub(super) fn nested_number(&self, message: u32, number: u32) -> u64 {
        match self.nested(message, number) {
            Some(Raw::Varint(value) | Raw::Fixed64(value)) => value,
            _ => 0,
        }
    }
}

/// The length-delimited fields at the end of a path, wherever its steps come more than once.
#[derive(Clone, Copy)]
pub(super) struct Nested<'a> {
    rest: [&'a [u8]; 3],
    path: [u32; 3],
    len: usize,
    at: usize,
}

impl<'a> Nested<'a> {
    pub(super) fn new<const N: usize>(body: &'a [u8], steps: [u32; N]) -> Self {
        const { assert!(N >= 1 && N <= 3) };
        let mut path = [0; 3];
        path[..N].copy_from_slice(&steps);
        Nested {
            rest: [body, &[], &[]],
            path,
            len: N,
            at: 0,
        }
    }

    /// Starts inside the second step of three.
    pub(super) fn resume(first: &'a [u8], second: &'a [u8], path: [u32; 3]) -> Self {
        Nested {
            rest: [first, second, &[]],
            path,
            len: 3,
            at: 1,
        }
    }
}

impl<'a> Iterator for Nested<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        loop {
            let mut fields = Fields::new(self.rest[self.at]);
            let step = self.path[self.at];
            let found = fields.find_map(|field| match field.value {
                Raw::Bytes(body) if field.number == step => Some(body),
                _ => None,
            });
            match found {
                Some(body) => {
                    self.rest[self.at] = fields.rest();
                    if self.at + 1 == self.len {
                        return Some(body);
                    }
                    self.at += 1;
                    self.rest[self.at] = body;
                }
                None => {
                    self.rest[self.at] = &[];
                    self.at = self.at.checked_sub(1)?;
                }
            }
        }
    }
}
