//! The conformance suite: what every destination must survive.
//!
//! A destination brings a [`World`]: itself, and the other side of it, which can be told to fail.
//! The scenarios in [`every`] are run against each world; those in [`answering`] against each whose
//! other side answers in words ([`Answering`]). The journal and the shipper around the destination
//! are the real ones.
//!
//! Time is tokio's, and paused: a wait of an hour costs nothing, and what is said about delays is
//! said about that time, never about the machine's.

pub(crate) mod answering;
pub(crate) mod every;
pub(crate) mod items;
pub(crate) mod site;

use std::time::Duration;

use ident::Signal;

use crate::destination::Destination;
use items::Item;

/// How an attempt to send goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Refused for now; nothing is taken.
    Refuse,
    /// No answer ever, or only after so long that the system gives up.
    Hang,
    /// Broken off halfway: half is taken, or all of it and half of the answer arrives.
    Half,
    /// All is there, but the answer that says so is lost.
    AnswerLost,
    /// Refused for what somebody configured, whatever is sent.
    Misconfigured,
}

impl Fault {
    pub(crate) const ALL: [Fault; 5] = [
        Fault::Refuse,
        Fault::Hang,
        Fault::Half,
        Fault::AnswerLost,
        Fault::Misconfigured,
    ];
}

/// What the other side has taken.
#[derive(Clone, Debug)]
pub(crate) struct Taken {
    pub signal: Signal,
    pub items: Vec<Item>,
}

/// A destination and its other side.
pub(crate) trait World {
    /// The destination as a start makes it. It knows nothing of those made before.
    fn destination(&self) -> Box<dyn Destination>;

    /// The next attempts meet these faults in this order.
    fn next(&self, faults: &[Fault]);

    /// All attempts meet this, once [`next`](Self::next)'s are over.
    fn always(&self, fault: Option<Fault>);

    /// All that was taken, in units that belong together: requests, or lines.
    fn taken(&self) -> Vec<Taken>;
}

/// A world whose other side answers over a network.
pub(crate) trait Answering: World {
    /// The ways to ask for a delay.
    fn ways_to_ask(&self) -> Vec<Ask>;

    /// The next attempt meets this.
    fn answer(&self, answer: Answer);

    /// Requests that hold an item with this id meet this, for ever.
    fn poison(&self, id: &str, answer: Answer);

    /// Attempts are taken, but answered only after [`release`](Self::release).
    fn hold(&self);

    /// Answers what waits, and no longer holds.
    fn release(&self);

    /// Attempts that wait for an answer.
    fn waiting(&self) -> usize;
}

/// A way to ask for a delay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ask {
    /// gRPC's `RetryInfo` with this status.
    RetryInfo(u16),
    /// `Retry-After` in seconds with this HTTP status.
    Seconds(u16),
    /// `Retry-After` as a date with this HTTP status.
    Date(u16),
}

/// What the other side says.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// Come back later.
    Later(Ask, Duration),
    /// Taken, except for so many items.
    Partial(u64),
    /// The data is at fault.
    Refused,
    /// Something is at fault.
    Unclear,
    /// Taken, in an answer of so many bytes.
    Long(usize),
    /// Refused for the data, in an answer of so many bytes.
    LongRefusal(usize),
    /// Elsewhere nothing is found: the wrong address.
    NotFound,
}

/// Makes a test of each scenario.
macro_rules! scenarios {
    ($module:ident, $world:expr, $($(#[$doc:meta])* $scenario:ident,)+) => {
        $(
            $(#[$doc])*
            #[tokio::test(start_paused = true)]
            async fn $scenario() {
                $crate::conformance::$module::$scenario($world.await).await;
            }
        )+
    };
}
pub(crate) use scenarios;

/// Runs [`every`] scenario against a world.
macro_rules! every_scenario {
    ($world:expr) => {
        $crate::conformance::scenarios! {
            every, $world,
            everything_arrives_as_it_was_appended,
            each_fault_is_survived_once_and_many_times,
            faults_in_turn_are_survived,
            the_breaker_opens_and_closes,
            a_misconfigured_destination_costs_no_data,
            stopped_at_any_instant_it_loses_nothing,
            only_the_block_at_fault_is_put_aside,
            a_shutdown_drains_and_nothing_is_sent_twice,
            a_shutdown_ends_while_the_destination_is_down,
            tenants_and_signals_never_share_a_request,
            requests_stay_within_their_limit,
            an_item_larger_than_the_limit_still_goes,
            what_is_not_wanted_is_stepped_over,
        }
    };
}
pub(crate) use every_scenario;

/// Runs the [`answering`] scenarios against a world.
macro_rules! answering_scenarios {
    ($world:expr) => {
        $crate::conformance::scenarios! {
            answering, $world,
            a_delay_that_is_asked_for_is_kept,
            a_delay_of_nothing_does_not_make_it_hammer,
            a_partial_success_is_counted_and_not_sent_again,
            only_the_items_at_fault_are_put_aside,
            an_unclear_refusal_is_narrowed_down_too,
            items_at_fault_do_not_block_the_others,
            an_item_at_fault_does_not_block_the_one_slot,
            a_destination_in_trouble_makes_no_dead_letters,
            several_requests_are_in_flight,
            a_long_answer_is_bounded_and_understood,
            a_wrong_address_costs_no_data,
        }
    };
}
pub(crate) use answering_scenarios;
