//! What of the journal belongs to an incident: whole traces with a span in its scope, log records
//! in it or of such a trace, metrics in it.

use std::collections::HashSet;

use bytes::Bytes;
use ident::Signal;
use journal::Block;
use otlp::CheckError;
use otlp::edit::{Edited, KeepItems, retain_in};
use sampler::{Scope, trace_of};

/// BOUNDED: about 100 MB. Of traces beyond that the spans in scope are taken.
const MAX_TRACES: usize = 4_000_000;

type TraceId = [u8; 16];

/// Selects.
pub struct Select<'s> {
    scope: &'s Scope,
    traces: HashSet<TraceId>,
    whole_traces: bool,
    most: usize,
}

impl<'s> Select<'s> {
    pub fn new(scope: &'s Scope) -> Self {
        Select {
            scope,
            traces: HashSet::new(),
            whole_traces: true,
            most: MAX_TRACES,
        }
    }

    /// Whether blocks of traces are to be [noted](Self::note) first.
    pub fn needs_traces(&self) -> bool {
        !self.scope.is_whole()
    }

    /// Whether there was room for all traces.
    pub fn whole_traces(&self) -> bool {
        self.whole_traces
    }

    /// Notes the traces with a span in scope.
    pub fn note(&mut self, block: &Block) {
        let mut part = Part::of(self, block.signal);
        let mut found = Vec::new();
        // Nothing stays, so nothing is written.
        let _ = retain_in(
            block.signal,
            &block.payload,
            &mut Vec::new(),
            &mut Noting {
                part: &mut part,
                found: &mut found,
            },
        );
        for id in found {
            if self.traces.len() >= self.most && !self.traces.contains(&id) {
                self.whole_traces = false;
            } else {
                self.traces.insert(id);
            }
        }
    }

    /// What of a block belongs to it: a request and its items.
    ///
    /// # Errors
    /// If the block is malformed.
    pub fn choose(&self, block: &Block) -> Result<Option<(Bytes, u64)>, CheckError> {
        if self.scope.is_whole() {
            return Ok(Some((block.payload.clone(), block.items)));
        }
        let mut part = Part::of(self, block.signal);
        let mut out = Vec::new();
        let edited = retain_in(block.signal, &block.payload, &mut out, &mut part)?;
        if edited == Edited::Unchanged {
            return Ok(Some((block.payload.clone(), block.items)));
        }
        let items = otlp::check(block.signal, &out)?.items;
        Ok((items > 0).then(|| (Bytes::from(out), items)))
    }
}

/// Chooses of one block.
struct Part<'p> {
    select: &'p Select<'p>,
    signal: Signal,
    group: Vec<u8>,
}

impl<'p> Part<'p> {
    fn of(select: &'p Select<'_>, signal: Signal) -> Self {
        Part {
            select,
            signal,
            group: Vec::new(),
        }
    }

    fn is_in_scope(&self, item: &[u8]) -> bool {
        self.select.scope.has(self.signal, &self.group, item)
    }
}

impl KeepItems for Part<'_> {
    fn resource(&mut self, group: &[u8]) -> bool {
        self.group.clear();
        self.group.extend_from_slice(group);
        false
    }

    fn item(&mut self, item: &[u8]) -> bool {
        let id = trace_of(self.signal, item);
        id.is_some_and(|id| self.select.traces.contains(&id)) || self.is_in_scope(item)
    }
}

struct Noting<'n, 'p> {
    part: &'n mut Part<'p>,
    found: &'n mut Vec<TraceId>,
}

impl KeepItems for Noting<'_, '_> {
    fn resource(&mut self, group: &[u8]) -> bool {
        self.part.resource(group)
    }

    fn item(&mut self, item: &[u8]) -> bool {
        if let Some(id) = trace_of(self.part.signal, item)
            && self.part.is_in_scope(item)
        {
            self.found.push(id);
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use journal::Position;

    const SPANS: &str = r#"{"resourceSpans":[
        {"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"a"}}]},
         "scopeSpans":[{"spans":[{"traceId":"01010101010101010101010101010101","spanId":"0101010101010101"}]}]},
        {"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"b"}}]},
         "scopeSpans":[{"spans":[{"traceId":"01010101010101010101010101010101","spanId":"0202020202020202"},
                                 {"traceId":"02020202020202020202020202020202","spanId":"0303030303030303"}]}]}]}"#;
    const LOGS: &str = r#"{"resourceLogs":[
        {"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"b"}}]},
         "scopeLogs":[{"logRecords":[{"traceId":"01010101010101010101010101010101"},{"body":{"stringValue":"x"}},
                                     {"attributes":[{"key":"service.name","value":{"stringValue":"a"}}]}]}]},
        {"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"a"}}]},
         "scopeLogs":[{"logRecords":[{"body":{"stringValue":"y"}}]}]}]}"#;

    fn block(signal: Signal, json: &str) -> Block {
        let payload = Bytes::from(otlp::json::decode(signal, json.as_bytes()).unwrap());
        Block {
            position: Position::default(),
            next: Position::default(),
            tenant: ident::TenantId::default_tenant(),
            signal,
            items: otlp::check(signal, &payload).unwrap().items,
            records: 1,
            min_time_unix_nano: 0,
            max_time_unix_nano: 0,
            appended_unix_nano: 1,
            payload,
        }
    }

    fn scope() -> Scope {
        Scope {
            service: Some("a".to_owned()),
            ..Scope::default()
        }
    }

    /// Guarantees: traces with a span in scope are taken whole, with the records of their spans,
    /// and nothing else but what is in scope itself.
    #[test]
    fn whole_traces_and_their_records() {
        let scope = scope();
        let mut select = Select::new(&scope);
        let (spans, logs) = (block(Signal::Traces, SPANS), block(Signal::Logs, LOGS));
        select.note(&spans);
        let (payload, items) = select.choose(&spans).unwrap().unwrap();
        let mut json = Vec::new();
        otlp::json::encode(Signal::Traces, &payload, &mut json).unwrap();
        let json = String::from_utf8(json).unwrap();
        assert_eq!(items, 2);
        assert!(json.contains("0202020202020202") && !json.contains("0303030303030303"));
        assert_eq!(select.choose(&logs).unwrap().unwrap().1, 2);
        assert!(select.whole_traces());
    }

    /// Guarantees (BOUNDED): without room for a trace, its spans in scope are taken, and that is
    /// told.
    #[test]
    fn without_room_for_a_trace() {
        let scope = scope();
        let mut select = Select {
            most: 0,
            ..Select::new(&scope)
        };
        let spans = block(Signal::Traces, SPANS);
        select.note(&spans);
        assert!(!select.whole_traces());
        assert_eq!(select.choose(&spans).unwrap().unwrap().1, 1);
        let all = Scope::default();
        assert_eq!(Select::new(&all).choose(&spans).unwrap().unwrap().1, 3);
        let other = Scope {
            service: Some("c".to_owned()),
            ..Scope::default()
        };
        assert!(Select::new(&other).choose(&spans).unwrap().is_none());
    }
}
