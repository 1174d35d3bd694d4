//! Asking the policies about one trace.

use super::{Between, EXPLICIT, OVERRIDE_SHIFT, Plan};
use crate::decision::{Decision, Reason};
use crate::limiter::Limiter;
use crate::probability;

/// A policy, compiled.
#[derive(Debug)]
pub(crate) enum Node {
    Always,
    /// A span has said yes.
    Bit(u64),
    Latency(Between),
    SpanCount(u32, u32),
    /// Consistent sampling; the bit is set by spans whose trace state has a say.
    Threshold {
        bit: u64,
        threshold: u64,
    },
    /// Upstream's hash.
    Salted {
        salt: Box<[u8]>,
        limit: u64,
    },
    /// A limiter, by number, that counts spans.
    Spans(usize),
    /// A limiter, by number, that counts bytes.
    Bytes(usize),
    And(Vec<Node>),
    Not(Box<Node>),
    /// A limiter by number, and each policy with its spans a second.
    Composite {
        limiter: usize,
        shares: Vec<(Node, u64)>,
    },
}

/// What is known of a trace when it is decided.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Case {
    pub trace_id: [u8; 16],
    pub bits: u64,
    pub spans: u32,
    pub bytes: u32,
    pub duration_nanos: u64,
    /// When, by the log's time.
    pub at: u64,
}

/// What each policy has answered, for explanations: its index, and whether it sampled.
pub(crate) type Answers = Vec<(u16, bool)>;

impl Plan {
    /// Decides a trace in upstream's order: what is dropped is dropped; else the first policy that
    /// samples it keeps it. What none keeps, an override may.
    pub(crate) fn decide(
        &self,
        case: &Case,
        limiters: &mut [Limiter],
        mut answers: Option<&mut Answers>,
    ) -> Decision {
        let mut decision = Decision::NOT_SAMPLED;
        for at in &self.order {
            let policy = &self.policies[usize::from(*at)];
            let sampled = policy.node.ask(case, limiters);
            if let Some(answers) = &mut answers {
                answers.push((*at, sampled));
            }
            if sampled && decision.reason == Reason::NoPolicy {
                decision = Decision {
                    kept: !policy.drops,
                    reason: Reason::Policy(*at),
                };
                if policy.drops || self.first_match {
                    break;
                }
            }
        }
        match case.bits >> OVERRIDE_SHIFT {
            0 => decision,
            // What a policy keeps anyway is not the override's doing.
            _ if decision.kept && !self.overrides_first => decision,
            number => Decision {
                kept: true,
                reason: Reason::Override(number as u8),
            },
        }
    }
}

impl Node {
    fn ask(&self, case: &Case, limiters: &mut [Limiter]) -> bool {
        match self {
            Node::Always => true,
            Node::Bit(bit) => case.bits & bit != 0,
            Node::Latency(between) => between.holds(case.duration_nanos),
            Node::SpanCount(least, most) => {
                case.spans >= *least && (*most == 0 || case.spans <= *most)
            }
            Node::Threshold { bit, threshold } => {
                case.bits & bit != 0
                    || (case.bits & EXPLICIT == 0
                        && probability::randomness(&case.trace_id) >= *threshold)
            }
            Node::Salted { salt, limit } => probability::fnv1a(&[salt, &case.trace_id]) <= *limit,
            Node::Spans(at) => takes(limiters.get_mut(*at), u64::from(case.spans), case.at),
            Node::Bytes(at) => takes(limiters.get_mut(*at), u64::from(case.bytes), case.at),
            Node::And(nodes) => nodes.iter().all(|node| node.ask(case, limiters)),
            Node::Not(node) => !node.ask(case, limiters),
            Node::Composite { limiter, shares } => {
                let sampled = shares.iter().position(|(node, _)| node.ask(case, limiters));
                let Some(at) = sampled else { return false };
                let share = shares[at].1;
                match limiters.get_mut(*limiter) {
                    Some(limiter) => limiter.share(at, share, u64::from(case.spans), case.at),
                    None => false,
                }
            }
        }
    }
}

fn takes(limiter: Option<&mut Limiter>, units: u64, now: u64) -> bool {
    limiter.is_some_and(|limiter| limiter.take(units, now))
}
