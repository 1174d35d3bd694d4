//! Where the items of a request stand, and what is around them.

use super::TraceId;
use crate::Signal;
use crate::schema::{Kind, Message, MessageId, Op, Times};
use crate::wire::{self, Fields, Raw};

/// How many messages are around an item at most: request, resource, scope, metric, data.
pub(super) const MAX_LEVELS: usize = 5;

/// A message around items. Numbers are small, since a hostile request may hold many.
pub(super) struct Node {
    /// The message that it is in; the request is its own.
    parent: u32,
    /// Where its own fields begin in the pieces, where those after its first child, where it ends.
    pieces: [u32; 3],
    /// How many bytes these are.
    own_bytes: u32,
    /// How many messages are around it.
    pub(super) depth: u8,
    /// The tag under which its parent holds it: always one byte.
    pub(super) tag: u8,
}

/// One field of a node that no part divides: an item, a message that holds none, or a metric whose
/// data comes in several fields (which protobuf would merge).
#[derive(Clone, Copy)]
pub(super) struct Chunk {
    node: u32,
    start: u32,
    len: u32,
    /// How many items it holds.
    pub(super) items: u32,
}

pub(super) struct Index<'a> {
    bytes: &'a [u8],
    nodes: Vec<Node>,
    pub(super) chunks: Vec<Chunk>,
    /// The fields of nodes that are not on the way to an item.
    pieces: Vec<(u32, u32)>,
}

impl<'a> Index<'a> {
    /// `None` if the bytes are malformed where this had to look, or have 4 GiB.
    pub(super) fn new(request: &'static Message, bytes: &'a [u8]) -> Option<Self> {
        u32::try_from(bytes.len()).ok()?;
        let mut index = Index {
            bytes,
            nodes: Vec::new(),
            chunks: Vec::new(),
            pieces: Vec::new(),
        };
        index.add(request, bytes, 0, 0, 0)?;
        Some(index)
    }

    /// Adds a message and everything in it.
    fn add(
        &mut self,
        message: &'static Message,
        body: &'a [u8],
        parent: u32,
        depth: u8,
        tag: u8,
    ) -> Option<()> {
        if usize::from(depth) >= MAX_LEVELS {
            return None;
        }
        let node = self.add_node(message, body, parent, depth, tag)?;
        for field in Fields::new(body) {
            let Some(child) = child_of(message, field.number) else {
                continue;
            };
            let Raw::Bytes(child_body) = field.value else {
                return None;
            };
            if child.times != Times::NotAnItem {
                self.chunks.push(self.chunk(node, field.bytes, 1));
                continue;
            }
            let (chunks, nodes, pieces) = (self.chunks.len(), self.nodes.len(), self.pieces.len());
            let tag = u8::try_from(field.number << 3 | u32::from(wire::BYTES)).ok()?;
            self.add(child, child_body, node, depth + 1, tag)?;
            let items = self
                .chunks
                .get(chunks..)?
                .iter()
                .map(|chunk| chunk.items)
                .sum();
            if items == 0 || child.id == MessageId::Metric && data_fields(child, child_body) > 1 {
                self.chunks.truncate(chunks);
                self.nodes.truncate(nodes);
                self.pieces.truncate(pieces);
                self.chunks.push(self.chunk(node, field.bytes, items));
            }
        }
        Some(())
    }

    /// Adds a message with its own fields, without its children.
    fn add_node(
        &mut self,
        message: &'static Message,
        body: &'a [u8],
        parent: u32,
        depth: u8,
        tag: u8,
    ) -> Option<u32> {
        let first = self.pieces.len() as u32;
        let mut after = None;
        let mut own_bytes = 0;
        let mut fields = Fields::new(body);
        for field in fields.by_ref() {
            if child_of(message, field.number).is_some() {
                after.get_or_insert(self.pieces.len() as u32);
            } else {
                self.pieces
                    .push((self.offset(field.bytes), field.bytes.len() as u32));
                own_bytes += field.bytes.len() as u32;
            }
        }
        if !fields.rest().is_empty() {
            return None;
        }
        let end = self.pieces.len() as u32;
        let pieces = [first, after.unwrap_or(end), end];
        self.nodes.push(Node {
            parent,
            pieces,
            own_bytes,
            depth,
            tag,
        });
        Some(self.nodes.len() as u32 - 1)
    }

    fn chunk(&self, node: u32, field: &[u8], items: u32) -> Chunk {
        Chunk {
            node,
            start: self.offset(field),
            len: field.len() as u32,
            items,
        }
    }

    fn offset(&self, field: &[u8]) -> u32 {
        (field.as_ptr() as usize).saturating_sub(self.bytes.as_ptr() as usize) as u32
    }

    /// The chunk's field, with tag and length.
    pub(super) fn field(&self, chunk: &Chunk) -> &'a [u8] {
        &self.bytes[chunk.start as usize..][..chunk.len as usize]
    }

    pub(super) fn node(&self, node: u32) -> &Node {
        &self.nodes[node as usize]
    }

    /// The fields of a node that stand before its first child.
    pub(super) fn before(&self, node: u32) -> impl Iterator<Item = &'a [u8]> {
        let [first, after, _] = self.node(node).pieces;
        self.pieces(first, after)
    }

    /// Its other fields that are not on the way to an item.
    pub(super) fn after(&self, node: u32) -> impl Iterator<Item = &'a [u8]> {
        let [_, after, end] = self.node(node).pieces;
        self.pieces(after, end)
    }

    /// How many bytes all these are.
    pub(super) fn own_bytes(&self, node: u32) -> usize {
        self.node(node).own_bytes as usize
    }

    fn pieces(&self, from: u32, to: u32) -> impl Iterator<Item = &'a [u8]> {
        let bytes = self.bytes;
        self.pieces[from as usize..to as usize]
            .iter()
            .map(move |(start, len)| &bytes[*start as usize..][..*len as usize])
    }

    /// The messages around a chunk, from the request down.
    pub(super) fn path(&self, chunk: &Chunk) -> ([u32; MAX_LEVELS], usize) {
        let mut path = [0; MAX_LEVELS];
        let levels = usize::from(self.node(chunk.node).depth) + 1;
        let mut at = chunk.node;
        for slot in path[..levels].iter_mut().rev() {
            *slot = at;
            at = self.node(at).parent;
        }
        (path, levels)
    }

    /// The trace id of an item.
    pub(super) fn trace_id(&self, signal: Signal, chunk: &Chunk) -> TraceId {
        let number = match signal {
            Signal::Traces => 1,
            Signal::Logs => 9,
            Signal::Metrics => return TraceId::default(),
        };
        let body = match Fields::new(self.field(chunk))
            .next()
            .map(|field| field.value)
        {
            Some(Raw::Bytes(body)) if chunk.items == 1 => body,
            _ => return TraceId::default(),
        };
        Fields::new(body)
            .filter_map(|field| match field.value {
                Raw::Bytes(id) if field.number == number => Some(id),
                _ => None,
            })
            .last()
            .and_then(|id| id.try_into().ok())
            .unwrap_or_default()
    }
}

/// How often `Metric.data` comes.
fn data_fields(metric: &'static Message, body: &[u8]) -> usize {
    Fields::new(body)
        .filter(|field| child_of(metric, field.number).is_some())
        .count()
}

/// The message in the field, if it is an item or may hold items.
fn child_of(message: &'static Message, number: u32) -> Option<&'static Message> {
    // Of items, only whole ones are of interest.
    if message.times != Times::NotAnItem {
        return None;
    }
    let field = message.field(number)?;
    let Kind::Message(child) = field.kind else {
        return None;
    };
    let holds_items = matches!(
        child.id,
        MessageId::ResourceSpans
            | MessageId::ScopeSpans
            | MessageId::ResourceMetrics
            | MessageId::ScopeMetrics
            | MessageId::Metric
            | MessageId::ResourceLogs
            | MessageId::ScopeLogs
    ) || field.step == Op::Message && message.id == MessageId::Metric
        || child.times != Times::NotAnItem;
    holds_items.then_some(child)
}
