//! Measures the gateway as a whole process, against a reference in the same run.
//!
//! `cargo xtask bench` builds this and calls it with the paths of the release binaries. The parts
//! run as processes of their own (`bench reference`, `bench sink`, `bench load …`), so that each
//! one's CPU seconds are the operating system's own account of it.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a measuring program ends where it cannot measure"
)]

mod half;
mod load;
mod lookback;
mod measure;
mod neighbours;
mod report;
mod runs;
mod sampled;
mod server;
mod traffic;
mod under_load;
mod wire;

use std::time::Duration;

use load::Plan;
use server::Windows;
use traffic::Traces;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (traces, words) = match words.as_slice() {
        ["traces", in_row, again_after, small, rest @ ..] => {
            (Some(Traces::read([in_row, again_after, small])), rest)
        }
        rest => (None, rest),
    };
    match words {
        // The reference and the sink are one program: read the bytes and answer.
        ["server"] => server::run(Windows::Gateways),
        ["server", "defaults"] => server::run(Windows::Hypers),
        ["load", endpoint, requests, per_second] => {
            let requests = requests.parse().expect("a number of requests");
            let per_second = per_second.parse().expect("a rate, or 0");
            load::run(Plan {
                traces,
                ..Plan::new(endpoint, requests, per_second)
            });
        }
        ["load", endpoint, requests, per_second, bearer] => {
            let requests = requests.parse().expect("a number of requests");
            let per_second = per_second.parse().expect("a rate, or 0");
            load::run(Plan {
                bearer: Some((*bearer).to_owned()),
                ..Plan::new(endpoint, requests, per_second)
            });
        }
        ["load", endpoint, requests, per_second, ca, cert, key] => {
            let requests = requests.parse().expect("a number of requests");
            let per_second = per_second.parse().expect("a rate, or 0");
            load::run(Plan {
                files: Some([ca, cert, key].map(|path| path.into())),
                ..Plan::new(endpoint, requests, per_second)
            });
        }
        // Until it is killed, and without a pause where it is refused.
        ["flood", endpoint, bearer] => load::run(Plan {
            bearer: Some((*bearer).to_owned()),
            pause: Duration::ZERO,
            ..Plan::new(endpoint, u64::MAX, 0.0)
        }),
        ["half", stella] => println!("{}", runs::half(stella).row()),
        ["neighbours", stella] => println!("{}", neighbours::measure(stella).row()),
        ["sampled", stella] => print!("{}", sampled::sampled(stella)),
        ["lookback", stella, gigabytes] => {
            let gigabytes = gigabytes.parse().expect("a number of GB");
            print!("{}", lookback::measure(stella, gigabytes));
        }
        ["open", stella] => print!("{}", sampled::open(stella)),
        ["all", stella, collector, page, outage_seconds] => {
            let outage = outage_seconds.parse().expect("a number of seconds");
            let figures = runs::all(stella, collector, outage);
            let text = report::page(&figures);
            print!("{text}");
            std::fs::write(page, text).expect("the page is written");
        }
        _ => panic!("bench is run by `cargo xtask bench`"),
    }
}
