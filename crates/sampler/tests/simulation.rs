//! Whole logs against a naive model, with and without restarts.
#![allow(missing_docs, clippy::expect_used, clippy::panic)]

mod common;

use common::model::Model;
use common::world::{Shipped, random_config, random_log, random_overrides, ship};
use common::{Random, block};
use journal::Block;
use sampler::config::Sampling;
use sampler::{Reason, Sampler};

const SEEDS: u64 = 150;

fn model(config: &Sampling, blocks: &[Block], shipped: &Shipped) -> (Model, Vec<Vec<Vec<u8>>>) {
    let mut model = Model::new(config);
    model.overrides = shipped.overrides.clone();
    let wait = config.wait.0.as_nanos() as u64;
    let (mut kept, mut cut) = (Vec::new(), 0);
    for block in blocks {
        while blocks[cut].appended_unix_nano + wait <= block.appended_unix_nano {
            kept.push(model.cut(&blocks[cut]));
            cut += 1;
        }
        model.observe(block);
    }
    for block in &blocks[cut..] {
        kept.push(model.cut(block));
    }
    (model, kept)
}

/// Guarantees: whatever the policies, the arrivals, the limits and the overrides, exactly those
/// spans are kept that the documentation says.
#[test]
fn the_kept_spans_are_those_of_the_model() {
    let (mut all, mut some) = (0u64, 0u64);
    for seed in 0..SEEDS {
        let random = &mut Random(seed);
        let (config, blocks) = (random_config(random), random_log(random));
        let declared = random_overrides(random, &blocks);
        let shipped = ship(&config, &blocks, &declared, || false);
        let (_, expected) = model(&config, &blocks, &shipped);
        for (at, (ours, theirs)) in shipped.kept.iter().zip(&expected).enumerate() {
            assert_eq!(ours, theirs, "seed {seed}, block {at}: {config:#?}");
        }
        all += blocks.iter().map(|block| block.items).sum::<u64>();
        some += expected.iter().map(|kept| kept.len() as u64).sum::<u64>();
    }
    // Otherwise the test would prove little.
    assert!(some > all / 5 && some < all * 4 / 5, "{some} of {all}");
}

/// Guarantees RESTARTABLE: a process that is killed before any step, any number of times, keeps
/// the same spans as one that is never killed; limiters, overrides and overfull tables included.
#[test]
fn restarts_at_any_instant_change_nothing() {
    let (mut restarts, mut resumed) = (0, 0);
    for seed in 0..SEEDS {
        let random = &mut Random(seed);
        let (config, blocks) = (random_config(random), random_log(random));
        let declared = random_overrides(random, &blocks);
        let calm = ship(&config, &blocks, &declared, || false);
        // A process must get some way between two ends, or the test has none.
        let mut steps = 0u64;
        let mut coin = random.clone();
        let rate = 40 + random.below(600);
        let wild = ship(&config, &blocks, &declared, || {
            steps += 1;
            steps < 30_000 && coin.one_in(rate)
        });
        assert_eq!(wild.overrides, calm.overrides, "seed {seed}");
        for (at, (ours, theirs)) in wild.kept.iter().zip(&calm.kept).enumerate() {
            assert_eq!(ours, theirs, "seed {seed}, block {at}: {config:#?}");
        }
        restarts += wild.restarts;
        resumed += wild.resumed;
    }
    assert!(restarts > 500 && resumed > 250, "{restarts}, {resumed}");
}

/// Guarantees: what is counted as decided is what the model decided, by policy.
#[test]
fn decisions_are_counted_by_the_policy_that_made_them() {
    for seed in 0..SEEDS {
        let random = &mut Random(seed);
        let (config, blocks) = (random_config(random), random_log(random));
        let mut sampler = Sampler::new(&config).expect("good");
        for block in &blocks {
            sampler.observe(block);
        }
        sampler.finish();
        let nothing = Shipped {
            kept: Vec::new(),
            overrides: Vec::new(),
            restarts: 0,
            resumed: 0,
        };
        let (model, _) = model(&config, &blocks, &nothing);
        let counters = sampler.counters();
        for (at, name) in sampler.policies().enumerate() {
            let ours = counters.by(Reason::Policy(at as u16)).traces;
            let theirs = model.decided.get(name).copied().unwrap_or(0);
            assert_eq!(ours, theirs, "seed {seed}, {name}: {config:#?}");
        }
        let ours = counters.by(Reason::NoPolicy).traces;
        let theirs = model.decided.get("no policy").copied().unwrap_or(0);
        assert_eq!(ours, theirs, "seed {seed}");
        let spans: u64 = blocks.iter().map(|block| block.items).sum();
        assert_eq!(counters.spans, spans);
    }
}

/// Guarantees: two samplers over the same log end alike, whatever their tables' seeds; and blocks
/// of other signals in between change nothing.
#[test]
fn the_same_log_gives_the_same_counters() {
    let random = &mut Random(7);
    let (config, blocks) = (random_config(random), random_log(random));
    let run = |with_logs: bool| {
        let mut sampler = Sampler::new(&config).expect("good");
        for one in &blocks {
            sampler.observe(one);
            if with_logs {
                let mut other = block(0, one.appended_unix_nano, "acme", Vec::new());
                other.signal = ident::Signal::Logs;
                sampler.observe(&other);
            }
        }
        sampler.finish();
        sampler.take_counters()
    };
    assert_eq!(run(false), run(false));
    assert_eq!(run(false), run(true));
}
