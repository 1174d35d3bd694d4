//! The examples in the documentation are taken as they stand.
#![allow(missing_docs, clippy::unwrap_used)]

use policy::identity::{Directory, Identity};
use policy::quota::{Admission, Quotas};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Example {
    identity: Option<Identity>,
    quotas: Option<Quotas>,
}

fn example(page: &str) -> Example {
    let (_, rest) = page.split_once("```yaml\n").unwrap();
    let (yaml, _) = rest.split_once("```").unwrap();
    serde_saphyr::from_str(yaml).unwrap()
}

/// Guarantees: what a reader copies from the pages loads.
#[test]
fn the_examples_load() {
    let identity = example(include_str!("../../../docs/identity.md"))
        .identity
        .unwrap();
    let directory = Directory::new(&identity).unwrap();
    assert_eq!(directory.tenants().len(), 2);
    assert_eq!(identity.tokens.issuers.len(), 1);
    let quotas = example(include_str!("../../../docs/quotas.md"))
        .quotas
        .unwrap();
    Admission::new(&quotas, 32 << 20, [1, 2]).unwrap();
}
