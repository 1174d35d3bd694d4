//! What incidents ask of sampling.
//!
//! The sampler is told over a channel; whoever calls here is on a thread that may block, and waits.

use std::time::Duration;

use control::incident::{Count, IncidentId, Scope};
use control::seam::Sampling;
use jiff::Timestamp;
use sampling::{Control, KeepAll};
use tokio::runtime::Handle;

/// How long the sampler may take. It answers after the block at hand and a sync.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The sampler of a gateway that samples.
pub struct SamplingSeam {
    control: Control,
    runtime: Handle,
}

impl SamplingSeam {
    /// Speaks to `control`. Made on a thread of the runtime.
    pub fn new(control: Control) -> Self {
        SamplingSeam {
            control,
            runtime: Handle::current(),
        }
    }

    fn wait<T, E: std::fmt::Display>(
        &self,
        answer: impl Future<Output = Result<T, E>>,
    ) -> Result<T, String> {
        let answer = async { tokio::time::timeout(TIMEOUT, answer).await };
        match self.runtime.block_on(answer) {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err("the sampler does not answer".to_owned()),
        }
    }
}

impl Sampling for SamplingSeam {
    fn keep_all(
        &self,
        id: &IncidentId,
        scope: &Scope,
        lookback: Duration,
    ) -> Result<Option<Timestamp>, String> {
        let what = KeepAll {
            id: id.to_string(),
            scope: super::metrics_seam::scope(scope),
            lookback,
        };
        let in_force = self.wait(self.control.keep_all(what))?;
        let from = Timestamp::from_nanosecond(i128::from(in_force.from_unix_nano));
        from.map(Some).map_err(|error| error.to_string())
    }

    fn end(&self, id: &str) -> Result<(), String> {
        self.wait(self.control.end(id)).map(|_| ())
    }

    fn kept(&self, id: &IncidentId) -> Option<Count> {
        self.control.get(id.as_str()).map(|progress| Count {
            before_spans: progress.kept_before_spans,
            before_done: progress.lookback_done,
            during_spans: progress.kept_during_spans,
        })
    }

    fn in_force(&self) -> Vec<String> {
        let all = self.control.list().into_iter();
        let open = all.filter(|known| known.to_unix_nano.is_none());
        open.map(|known| known.id).collect()
    }
}
