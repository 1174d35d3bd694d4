//! From the configuration to the plan.

mod composite;

use regex::bytes::RegexSetBuilder;

use super::keys::{MAX_KEY_BYTES, Question, Test};
use super::{Between, MAX_LEAVES, Named, Node, Plan, RareTest, RootTest, StateTest, ThresholdTest};
use crate::config::{
    ConfigError, Latency, Policy, PolicyType, Probabilistic, RootDuration, Sampling,
    StatusCodeName, StringAttribute,
};
use crate::limiter::{Rate, Template};
use crate::probability;

const MAX_POLICIES: usize = 256;
/// How deep policies may be in one another.
const MAX_DEPTH: usize = 4;
/// What one policy's regular expressions may take when compiled.
const MAX_REGEX_BYTES: usize = 1 << 20;

/// Compiles a configuration.
pub(crate) fn compile(config: &Sampling) -> Result<Plan, ConfigError> {
    config.check()?;
    if config.policies.len() > MAX_POLICIES {
        return Err(ConfigError::TooMany {
            count: config.policies.len(),
            what: "policies",
            most: MAX_POLICIES,
        });
    }
    let mut compiler = Compiler {
        plan: Plan::empty(config),
        path: Vec::new(),
    };
    compiler.unique(&config.policies)?;
    for policy in &config.policies {
        let drops = policy.kind == PolicyType::Drop;
        let node = compiler.policy(policy)?;
        let name = policy.name.clone();
        compiler.plan.policies.push(Named { name, node, drops });
    }
    let mut plan = compiler.plan;
    if plan.leaves.len() > MAX_LEAVES {
        return Err(ConfigError::TooMany {
            count: plan.leaves.len(),
            what: "questions about spans",
            most: MAX_LEAVES,
        });
    }
    plan.order = (0..plan.policies.len() as u16).collect();
    plan.order
        .sort_by_key(|at| !plan.policies[usize::from(*at)].drops);
    Ok(plan)
}

struct Compiler {
    plan: Plan,
    /// The names of the policies around.
    path: Vec<String>,
}

impl Compiler {
    fn policy(&mut self, policy: &Policy) -> Result<Node, ConfigError> {
        self.path.push(policy.name.clone());
        if self.path.len() > MAX_DEPTH {
            return Err(self.wrong(
                "is too deep in other policies",
                "at most four policies may be in one another",
            ));
        }
        self.blocks(policy)?;
        let node = self.node(policy)?;
        self.path.pop();
        Ok(node)
    }

    fn node(&mut self, policy: &Policy) -> Result<Node, ConfigError> {
        Ok(match policy.kind {
            PolicyType::AlwaysSample => Node::Always,
            PolicyType::Latency => {
                let Latency {
                    threshold_ms,
                    upper_threshold_ms,
                } = *self.block(&policy.latency)?;
                Node::Latency(self.between(threshold_ms, upper_threshold_ms)?)
            }
            PolicyType::RootDuration => {
                let RootDuration {
                    threshold_ms,
                    upper_threshold_ms,
                } = *self.block(&policy.root_duration)?;
                let between = self.between(threshold_ms, upper_threshold_ms)?;
                let bit = self.leaf("root_duration");
                self.plan.roots.push(RootTest { bit, between });
                Node::Bit(bit)
            }
            PolicyType::StatusCode => {
                let codes = &self.block(&policy.status_code)?.status_codes;
                if codes.is_empty() {
                    return Err(self.wrong("names no status", "use UNSET, OK or ERROR"));
                }
                let bit = self.leaf("status_code");
                for code in codes {
                    self.plan.status[status(*code)] |= bit;
                }
                Node::Bit(bit)
            }
            PolicyType::Error => {
                let bit = self.leaf("error");
                self.plan.status[status(StatusCodeName::Error)] |= bit;
                let question = Question::AnyText;
                self.plan.keys.add("error.type", Test { bit, question });
                Node::Bit(bit)
            }
            PolicyType::NumericAttribute => {
                let block = self.block(&policy.numeric_attribute)?;
                if block.min_value.is_none() && block.max_value.is_none() {
                    return Err(self.wrong("has no bound", "set `min_value`, `max_value` or both"));
                }
                let question = Question::Int(
                    block.min_value.unwrap_or(i64::MIN),
                    block.max_value.unwrap_or(i64::MAX),
                );
                self.attribute(&block.key, question, block.invert_match)?
            }
            PolicyType::StringAttribute => {
                let block = self.block(&policy.string_attribute)?;
                let question = self.texts(block)?;
                self.attribute(&block.key, question, block.invert_match)?
            }
            PolicyType::BooleanAttribute => {
                let block = self.block(&policy.boolean_attribute)?;
                let question = Question::Bool(block.value);
                self.attribute(&block.key, question, block.invert_match)?
            }
            PolicyType::Probabilistic => {
                let block = self.block(&policy.probabilistic)?;
                self.probabilistic(block)?
            }
            PolicyType::RateLimiting => {
                let block = self.block(&policy.rate_limiting)?;
                let rate = self.rate(block.spans_per_second, block.burst_capacity)?;
                Node::Spans(self.limiter(Template::Bucket(rate)))
            }
            PolicyType::BytesLimiting => {
                let block = self.block(&policy.bytes_limiting)?;
                let rate = self.rate(block.bytes_per_second, block.burst_capacity)?;
                Node::Bytes(self.limiter(Template::Bucket(rate)))
            }
            PolicyType::SpanCount => {
                let block = self.block(&policy.span_count)?;
                Node::SpanCount(block.min_spans, block.max_spans)
            }
            PolicyType::TraceState => {
                let block = self.block(&policy.trace_state)?;
                let values = block.values.iter().filter(|value| !value.is_empty());
                let values = values.map(|value| value.as_bytes().into()).collect();
                let key = block.key.as_bytes().into();
                let bit = self.leaf("trace_state");
                self.plan.states.push(StateTest { bit, key, values });
                Node::Bit(bit)
            }
            PolicyType::Rare => {
                let block = policy.rare.clone().unwrap_or_default();
                let bit = self.leaf("rare");
                self.plan.rare.push(RareTest {
                    bit,
                    minimum: block.minimum,
                    max_operations: block.max_operations,
                });
                Node::Bit(bit)
            }
            PolicyType::And => Node::And(self.all(&self.block(&policy.and)?.and_sub_policy)?),
            PolicyType::Drop if self.path.len() > 1 => {
                return Err(self.wrong(
                    "is of type `drop` within another policy",
                    "put it into the list itself, or use `not`",
                ));
            }
            PolicyType::Drop => Node::And(self.all(&self.block(&policy.drop)?.drop_sub_policy)?),
            PolicyType::Not => {
                let not = self.block(&policy.not)?;
                Node::Not(Box::new(self.policy(&not.not_sub_policy)?))
            }
            PolicyType::Composite => {
                let block = self.block(&policy.composite)?;
                self.composite(block)?
            }
        })
    }

    fn all(&mut self, policies: &[Policy]) -> Result<Vec<Node>, ConfigError> {
        if policies.is_empty() {
            return Err(self.wrong("has no policies in it", "name at least one"));
        }
        self.unique(policies)?;
        policies.iter().map(|policy| self.policy(policy)).collect()
    }

    fn attribute(
        &mut self,
        key: &str,
        question: Question,
        invert: bool,
    ) -> Result<Node, ConfigError> {
        if key.is_empty() || key.len() > MAX_KEY_BYTES {
            return Err(self.wrong(
                &format!("has a key of {} bytes", key.len()),
                "use 1 to 255 bytes",
            ));
        }
        let bit = self.leaf(key);
        self.plan.keys.add(key, Test { bit, question });
        Ok(if invert {
            Node::Not(Box::new(Node::Bit(bit)))
        } else {
            Node::Bit(bit)
        })
    }

    fn texts(&self, block: &StringAttribute) -> Result<Question, ConfigError> {
        if !block.enabled_regex_matching {
            let texts = block.values.iter().map(|value| value.as_bytes().into());
            let mut texts: Vec<Box<[u8]>> = texts.collect();
            texts.sort();
            return Ok(Question::Text(texts));
        }
        RegexSetBuilder::new(&block.values)
            .size_limit(MAX_REGEX_BYTES)
            .dfa_size_limit(MAX_REGEX_BYTES)
            .build()
            .map(Question::Pattern)
            .map_err(|error| {
                let what = match error {
                    regex::Error::CompiledTooBig(_) => "has regular expressions that are too big",
                    _ => "has a regular expression that cannot be read",
                };
                self.wrong(what, "see https://docs.rs/regex/latest/regex/#syntax")
            })
    }

    fn probabilistic(&mut self, block: &Probabilistic) -> Result<Node, ConfigError> {
        let percentage = block.sampling_percentage;
        if !percentage.is_finite() || percentage < 0.0 {
            return Err(self.wrong("has no such percentage", "use 0 to 100"));
        }
        if !block.hash_salt.is_empty() {
            return Ok(Node::Salted {
                salt: block.hash_salt.as_bytes().into(),
                limit: probability::hash_limit(percentage),
            });
        }
        let Some(threshold) = probability::threshold(percentage) else {
            return Ok(Node::Not(Box::new(Node::Always)));
        };
        let bit = self.leaf("probabilistic");
        self.plan.thresholds.push(ThresholdTest { bit, threshold });
        Ok(Node::Threshold { bit, threshold })
    }

    fn rate(&self, per_second: u64, burst: u64) -> Result<Rate, ConfigError> {
        if per_second == 0 {
            return Err(self.wrong("has a rate of 0", "leave the policy out instead"));
        }
        let burst = match burst {
            0 => per_second.saturating_mul(2),
            burst => burst,
        };
        Ok(Rate { per_second, burst })
    }

    fn between(&self, threshold_ms: u64, upper: u64) -> Result<Between, ConfigError> {
        if upper != 0 && upper <= threshold_ms {
            return Err(self.wrong(
                "has an upper threshold that is not above the other",
                "leave `upper_threshold_ms` out for no limit",
            ));
        }
        Ok(Between {
            threshold_ms,
            upper_threshold_ms: upper,
        })
    }

    /// A bit of its own. Those that do not fit are counted, and refused at the end.
    fn leaf(&mut self, what: &str) -> u64 {
        let at = self.plan.leaves.len();
        self.plan
            .leaves
            .push(format!("{}: {what}", self.path.join("/")));
        if at < MAX_LEAVES { 1 << at } else { 0 }
    }

    fn limiter(&mut self, template: Template) -> usize {
        self.plan.limiters.push(template);
        self.plan.limiters.len() - 1
    }

    fn block<'p, T>(&self, block: &'p Option<T>) -> Result<&'p T, ConfigError> {
        block.as_ref().ok_or_else(|| {
            self.wrong(
                "lacks the block of its type",
                "add a block that is named as the type",
            )
        })
    }

    /// No blocks but that of the policy's own type.
    fn blocks(&self, policy: &Policy) -> Result<(), ConfigError> {
        use PolicyType as T;
        let given = [
            (policy.latency.is_some(), T::Latency),
            (policy.status_code.is_some(), T::StatusCode),
            (policy.numeric_attribute.is_some(), T::NumericAttribute),
            (policy.string_attribute.is_some(), T::StringAttribute),
            (policy.boolean_attribute.is_some(), T::BooleanAttribute),
            (policy.probabilistic.is_some(), T::Probabilistic),
            (policy.rate_limiting.is_some(), T::RateLimiting),
            (policy.bytes_limiting.is_some(), T::BytesLimiting),
            (policy.span_count.is_some(), T::SpanCount),
            (policy.trace_state.is_some(), T::TraceState),
            (policy.root_duration.is_some(), T::RootDuration),
            (policy.rare.is_some(), T::Rare),
            (policy.and.is_some(), T::And),
            (policy.not.is_some(), T::Not),
            (policy.drop.is_some(), T::Drop),
            (policy.composite.is_some(), T::Composite),
        ];
        if given.iter().any(|(is, kind)| *is && *kind != policy.kind) {
            return Err(self.wrong(
                "has a block that is not of its type",
                "leave it out, or change `type`",
            ));
        }
        Ok(())
    }

    fn unique(&mut self, policies: &[Policy]) -> Result<(), ConfigError> {
        for (at, policy) in policies.iter().enumerate() {
            if policy.name.is_empty() {
                return Err(self.wrong("has a policy without a name in it", "name it"));
            }
            if policies[..at].iter().any(|other| other.name == policy.name) {
                self.path.push(policy.name.clone());
                return Err(self.wrong("comes twice", "give each a name of its own"));
            }
        }
        Ok(())
    }

    fn wrong(&self, what: &str, hint: &'static str) -> ConfigError {
        let policy = match self.path.is_empty() {
            true => "policies".to_owned(),
            false => self.path.join("/"),
        };
        ConfigError::Policy {
            policy,
            what: what.to_owned(),
            hint,
        }
    }
}

fn status(code: StatusCodeName) -> usize {
    match code {
        StatusCodeName::Unset => 0,
        StatusCodeName::Ok => 1,
        StatusCodeName::Error => 2,
    }
}
