//! The compiled rules, applied to a block.

use std::sync::{Arc, PoisonError, RwLock};

use ident::{Signal, TenantId};
use otlp::edit::{Edited, KeepItems, retain_in};
use otlp::view::{Metric, Value, resource_attributes};

use super::config::{Metrics, MetricsError, Rule, Rules};
use crate::Scope;

/// The longest name or value that a pattern is compared with; none matches a longer one (BOUNDED:
/// a glob takes the product of both lengths).
const MAX_TEXT: usize = 1024;

/// Which metrics go on.
#[derive(Clone, Debug)]
pub struct Filter {
    rules: Arc<Rules>,
    passing: Passing,
}

/// Times and scopes in which everything passes. Clones are handles of the same.
#[derive(Clone, Debug, Default)]
pub struct Passing(Arc<RwLock<Arc<Vec<Period>>>>);

/// A scope, and the times (nanoseconds since 1970, inclusive) between which blocks were appended in
/// which everything of it passes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Period {
    /// Which telemetry.
    pub scope: Scope,
    /// From here on.
    pub from_unix_nano: u64,
    /// Up to here.
    pub to_unix_nano: u64,
}

/// What of a block goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Chosen {
    /// All of it.
    Whole,
    /// None of it.
    Nothing,
    /// What was written, with so many data points.
    Part {
        /// How many.
        items: u64,
    },
}

impl Passing {
    /// Puts these periods in the place of those before.
    pub fn set(&self, periods: Vec<Period>) {
        let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
        *all = Arc::new(periods);
    }

    fn get(&self) -> Arc<Vec<Period>> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Filter {
    /// Compiles rules. In `passing` everything passes.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn new(config: &Metrics, passing: Passing) -> Result<Filter, MetricsError> {
        Ok(Filter {
            rules: Arc::new(Rules::of(config)?),
            passing,
        })
    }

    /// Which metrics of a tenant's block go on, given when it was appended. A part of it is written
    /// to `out`, which is cleared first.
    ///
    /// # Errors
    /// If the payload is malformed.
    pub fn choose(
        &self,
        tenant: &TenantId,
        appended_unix_nano: u64,
        payload: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<Chosen, otlp::CheckError> {
        out.clear();
        let periods = self.passing.get();
        let in_force = |period: &&Period| {
            (period.from_unix_nano..=period.to_unix_nano).contains(&appended_unix_nano)
                && period.scope.may_have(tenant)
        };
        let of_tenant = |rules: &'_ [Rule]| -> Vec<usize> {
            let applies = |rule: &Rule| rule.tenants.is_empty() || rule.tenants.contains(tenant);
            (0..rules.len())
                .filter(|at| rules.get(*at).is_some_and(applies))
                .collect()
        };
        let mut choice = Choice {
            rules: &self.rules,
            scopes: periods
                .iter()
                .filter(in_force)
                .map(|period| &period.scope)
                .collect(),
            include: of_tenant(&self.rules.include),
            exclude: of_tenant(&self.rules.exclude),
            group: Vec::new(),
            included: Vec::new(),
            excluded: Vec::new(),
        };
        if choice.scopes.iter().any(|scope| scope.is_whole()) {
            return Ok(Chosen::Whole);
        }
        if retain_in(Signal::Metrics, payload, out, &mut choice)? == Edited::Unchanged {
            return Ok(Chosen::Whole);
        }
        if out.is_empty() {
            return Ok(Chosen::Nothing);
        }
        let items = otlp::check(Signal::Metrics, out)?.items;
        Ok(Chosen::Part { items })
    }
}

/// What is asked of the metrics of a block.
struct Choice<'c> {
    rules: &'c Rules,
    /// Of the incidents that are in force.
    scopes: Vec<&'c Scope>,
    /// The rules for the block's tenant.
    include: Vec<usize>,
    exclude: Vec<usize>,
    /// The resource at hand, where a scope may be about some of its metrics.
    group: Vec<u8>,
    /// The rules for the resource at hand.
    included: Vec<usize>,
    excluded: Vec<usize>,
}

impl KeepItems for Choice<'_> {
    fn resource(&mut self, group: &[u8]) -> bool {
        let may: Vec<&&Scope> = self
            .scopes
            .iter()
            .filter(|scope| scope.may_have_group(group))
            .collect();
        // A scope without attributes is about all of the resource.
        if may.iter().any(|scope| scope.attributes.is_empty()) {
            return true;
        }
        self.group.clear();
        if !may.is_empty() {
            self.group.extend_from_slice(group);
        }
        let of_resource = |rules: &[Rule], some: &[usize]| -> Vec<usize> {
            let fits = |at: &usize| rules.get(*at).is_some_and(|rule| rule.fits_resource(group));
            some.iter().copied().filter(fits).collect()
        };
        self.included = of_resource(&self.rules.include, &self.include);
        self.excluded = of_resource(&self.rules.exclude, &self.exclude);
        false
    }

    fn item(&mut self, metric: &[u8]) -> bool {
        let name = Metric::new(metric).name();
        let any = |rules: &[Rule], some: &[usize]| {
            some.iter()
                .any(|at| rules.get(*at).is_some_and(|rule| rule.fits_name(name)))
        };
        let included = self.rules.include.is_empty() || any(&self.rules.include, &self.included);
        if included && !any(&self.rules.exclude, &self.excluded) {
            return true;
        }
        let group = &self.group;
        !group.is_empty()
            && self
                .scopes
                .iter()
                .any(|scope| scope.has(Signal::Metrics, group, metric))
    }
}

impl Rule {
    fn fits_name(&self, name: &str) -> bool {
        if self.names.is_empty() && self.regex.is_none() {
            return true;
        }
        let name = name.as_bytes();
        let short = name.len() <= MAX_TEXT;
        short
            && (self.names.iter().any(|pattern| pattern.matches(name))
                || self
                    .regex
                    .as_ref()
                    .is_some_and(|regex| regex.is_match(name)))
    }

    fn fits_resource(&self, group: &[u8]) -> bool {
        self.resource.iter().all(|(key, pattern)| {
            resource_attributes(group).any(|pair| {
                pair.key_bytes() == key.as_bytes()
                    && match pair.value() {
                        Value::String(text) => {
                            text.len() <= MAX_TEXT && pattern.matches(text.as_bytes())
                        }
                        Value::Int(number) => pattern.matches(number.to_string().as_bytes()),
                        Value::Bool(truth) => pattern.matches(truth.to_string().as_bytes()),
                        _ => false,
                    }
            })
        })
    }
}
