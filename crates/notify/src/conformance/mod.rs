//! The conformance suite: what every target must survive, with the real outbox and runner around it.
//!
//! A target brings a [`World`]: its configuration, and its other side, which can be told to fail.
//! Waits are some milliseconds; no scenario says how long anything takes.

pub(crate) mod every;
pub(crate) mod http_world;

use crate::config::TargetKind;

/// How an attempt goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Refused for now; nothing is taken.
    Refuse,
    /// No answer ever.
    Hang,
    /// Broken off halfway.
    Half,
    /// It is taken, but the answer that says so is lost.
    AnswerLost,
    /// Refused for what somebody configured.
    Misconfigured,
    /// This message is refused for good.
    Never,
}

impl Fault {
    const ALL: [Fault; 6] = [
        Fault::Refuse,
        Fault::Hang,
        Fault::Half,
        Fault::AnswerLost,
        Fault::Misconfigured,
        Fault::Never,
    ];
}

/// A target and its other side.
pub(crate) trait World {
    /// The target's configuration.
    fn kind(&self) -> TargetKind;

    /// What can go wrong with it.
    fn faults(&self) -> Vec<Fault> {
        Fault::ALL.to_vec()
    }

    /// The next attempts meet these faults in this order.
    fn next(&self, faults: &[Fault]);

    /// All attempts meet this, once [`next`](Self::next)'s are over.
    fn always(&self, fault: Option<Fault>);

    /// The ids of the events that were taken, in order.
    fn taken(&self) -> Vec<String>;
}

/// One test for each scenario.
macro_rules! every_scenario {
    ($world:expr) => {
        #[tokio::test]
        async fn every_fault_is_survived() {
            $crate::conformance::every::every_fault_is_survived($world).await;
        }

        #[tokio::test]
        async fn a_restart_while_it_fails_loses_nothing() {
            $crate::conformance::every::a_restart_while_it_fails_loses_nothing($world).await;
        }

        #[tokio::test]
        async fn what_is_refused_is_put_aside_and_the_next_goes_on() {
            $crate::conformance::every::what_is_refused_is_put_aside($world).await;
        }

        #[tokio::test]
        async fn all_is_told_once_where_nothing_fails() {
            $crate::conformance::every::all_is_told_once($world).await;
        }
    };
}
pub(crate) use every_scenario;
