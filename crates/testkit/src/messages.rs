//! OTLP's messages by upstream's descriptors, between protobuf and JSON without our own codec.

use std::sync::OnceLock;

use opentelemetry_proto::DESCRIPTORS;
use prost_reflect::prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor};
use serde_json::Value;

/// The descriptor of requests with `traces`, `metrics` or `logs`.
pub fn descriptor(signal: &str) -> MessageDescriptor {
    static POOL: OnceLock<DescriptorPool> = OnceLock::new();
    let pool =
        POOL.get_or_init(|| DescriptorPool::decode(DESCRIPTORS).expect("upstream's descriptors"));
    let (package, name) = match signal {
        "traces" => ("trace", "Trace"),
        "metrics" => ("metrics", "Metrics"),
        "logs" => ("logs", "Logs"),
        _ => panic!("{signal} is no signal"),
    };
    let name = format!("opentelemetry.proto.collector.{package}.v1.Export{name}ServiceRequest");
    pool.get_message_by_name(&name)
        .unwrap_or_else(|| panic!("upstream has no {name}"))
}

/// A serialized request as JSON. Ids come out in Base64, which OTLP's own JSON does not have, so it
/// is for requests without.
pub fn json(signal: &str, request: &[u8]) -> Vec<u8> {
    let message = DynamicMessage::decode(descriptor(signal), request).expect("a request");
    serde_json::to_vec(&message).expect("JSON")
}

/// A request in JSON, serialized. Not for requests with ids either.
pub fn wire(signal: &str, json: &Value) -> Vec<u8> {
    let message = DynamicMessage::deserialize(descriptor(signal), json);
    message.expect("a request").encode_to_vec()
}
