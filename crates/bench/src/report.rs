//! `docs/BENCHMARKS.md`: ratios of one run.

use std::fmt::Write;

use crate::measure;
use crate::runs::Figures;

/// The page.
pub fn page(figures: &Figures) -> String {
    let mut page = format!(
        "# Benchmarks\n\n\
         Written by `cargo xtask bench`; every figure is of one run on {}.\n\n\
         The load: OTLP/gRPC requests of 500 spans, {:.0} bytes a request, 12 attributes a span, \
         8 in flight on 2 connections, as fast as they are taken. CPU seconds are user and system \
         of the named process alone, as the kernel counts them. All processes run side by side and \
         are loaded one after the other, in five rounds; a figure is the median of the rounds, a \
         ratio the median of the ratios within a round (the least and the most beside it). \
         Machines are shared and noisy: read the ratios.\n\n\
         | process | CPU s per million spans | × reference | × the same with our windows | spans/s | peak memory |\n\
         |---|---|---|---|---|---|\n",
        measure::machine(),
        figures.request_bytes
    );
    for row in &figures.full {
        let [times, least, most] = row.times_reference;
        let _ = writeln!(
            page,
            "| {} | {:.3} | {times:.2} ({least:.2} to {most:.2}) | {:.2} | {:.0} | {:.0} MB |",
            row.name, row.cpu_per_million, row.times_windows, row.spans_per_second, row.peak_mb
        );
    }
    let _ = write!(
        page,
        "\n| what | measured | against |\n|---|---|---|\n{}\n\
         | peak memory after {} s with the destination down | {:.0} MB | {:.0} MB at full load before: × {:.2} |\n\
         | process start to first acknowledged request (with the sender's own start) | {:.0} ms | |\n\
         | the release binary | {:.1} MB | |\n{}\n",
        figures.half.row(),
        figures.outage_seconds,
        figures.memory_outage_mb,
        figures.memory_full_mb,
        figures.memory_outage_mb / figures.memory_full_mb,
        figures.start_ms,
        figures.binary_mb,
        figures.neighbours.row(),
    );
    page.push_str(
        "\nA million open traces of 8 spans, each in another request: small spans of 2 attributes, \
         400,000 a second, decided 30 s after a trace's first, 10 % kept.\n\n\
         | process | peak memory | more than without sampling | CPU s in all |\n|---|---|---|---|\n",
    );
    for row in &figures.open {
        let _ = writeln!(page, "{}", row.row());
    }
    page.push_str(
        "\nA server's flow-control windows decide in how many frames a request comes, and so much of \
         what receiving costs. The reference is hyper as it comes; the second row shows what is left \
         of its cost with the windows that the gateway gives its senders.\n\n\
         | the wire engine alone, one core | GB/s | × faster |\n|---|---|---|\n",
    );
    for row in &figures.wire {
        let _ = writeln!(
            page,
            "| {} | {:.1} | {:.1} |",
            row.name, row.gb_per_second, row.times_prost
        );
    }
    page.push_str(
        "\nMore of the parts alone: `cargo bench -p otlp` (protobuf and JSON), `cargo bench -p journal` \
         (appends, compression), `cargo bench -p policy` (detectors, redaction, identities, quotas).\n",
    );
    page
}
