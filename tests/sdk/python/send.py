"""Sends numbered spans, metric points and log records with the real OpenTelemetry SDK for Python.

Prints what was sent as one JSON object on stdout:

    {"spans": ["<trace id>:<span id>", ...], "points": ["<test.id>", ...], "records": ["<test.id>", ...]}

Exits with 1, and says why on stderr, when any export was not acknowledged or when the SDK
handed its exporter fewer items than were made. Nothing but the SDK touches the wire.
"""

import argparse
import json
import os
import sys

PROTOCOLS = ("grpc", "http-protobuf", "http-json")
SIGNALS = ("traces", "metrics", "logs")
# The SDK folds attribute sets past its cardinality limit (2000) into one overflow point.
MAX_POINTS_PER_INSTRUMENT = 1500
INSTRUMENTS = 4


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--endpoint", required=True, help="http://HOST:PORT, without a path")
    parser.add_argument("--protocol", required=True, choices=PROTOCOLS)
    parser.add_argument("--run", required=True, help="put before each test.id, so that runs differ")
    parser.add_argument("--spans", type=int, default=0)
    parser.add_argument("--points", type=int, default=0)
    parser.add_argument("--records", type=int, default=0)
    parser.add_argument("--batch", type=int, default=200, help="items in a request (traces, logs)")
    parser.add_argument("--compression", default="none", choices=("none", "gzip"))
    args = parser.parse_args()
    if args.points > INSTRUMENTS * MAX_POINTS_PER_INSTRUMENT:
        parser.error(f"at most {INSTRUMENTS * MAX_POINTS_PER_INSTRUMENT} points a run")
    return args


def load_exporters(args):
    """The SDK's own three exporters for the protocol."""
    # Read by the exporters as they are made; each protocol has its own type for it otherwise,
    # and gRPC's knows no word for "none".
    os.environ.pop("OTEL_EXPORTER_OTLP_COMPRESSION", None)
    if args.compression != "none":
        os.environ["OTEL_EXPORTER_OTLP_COMPRESSION"] = args.compression
    if args.protocol == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter
        from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

        made = {"endpoint": args.endpoint, "insecure": True}
        return OTLPSpanExporter(**made), OTLPMetricExporter(**made), OTLPLogExporter(**made)
    if args.protocol == "http-protobuf":
        from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    else:
        from opentelemetry.exporter.otlp.json.http._log_exporter import OTLPLogExporter
        from opentelemetry.exporter.otlp.json.http.metric_exporter import OTLPMetricExporter
        from opentelemetry.exporter.otlp.json.http.trace_exporter import OTLPSpanExporter
    urls = [f"{args.endpoint}/v1/{signal}" for signal in SIGNALS]
    return OTLPSpanExporter(urls[0]), OTLPMetricExporter(urls[1]), OTLPLogExporter(urls[2])


class Watch:
    """Counts what an exporter was given and which of its exports were not acknowledged.

    It replaces `export` on the instance, so the SDK still sees its own exporter type.
    """

    def __init__(self, exporter, count):
        self.given = 0
        self.failed = []
        inner = exporter.export

        def export(batch, *args, **kwargs):
            self.given += count(batch)
            result = inner(batch, *args, **kwargs)
            if result.name != "SUCCESS":
                self.failed.append(result.name)
            return result

        exporter.export = export

    def problem(self, what, made):
        if self.failed:
            return f"{what}: {len(self.failed)} exports were not acknowledged"
        if self.given != made:
            return f"{what}: made {made}, but the SDK exported {self.given}"
        return None


def count_points(data):
    return sum(
        len(metric.data.data_points)
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
    )


def send_spans(args, resource, exporter):
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.trace import Link, SpanKind, Status, StatusCode

    watch = Watch(exporter, len)
    provider = TracerProvider(resource=resource)
    # The queue holds all, since a full one drops.
    provider.add_span_processor(
        BatchSpanProcessor(
            exporter, max_queue_size=2 * args.spans + args.batch, max_export_batch_size=args.batch
        )
    )
    tracer = provider.get_tracer("stella.test.tracer", "1.2.3", attributes={"scope.kind": "test"})
    kinds = list(SpanKind)
    ids, previous = [], None

    def note(span, number):
        context = span.get_span_context()
        ids.append(f"{context.trace_id:032x}:{context.span_id:016x}")
        span.add_event("step", {"number": number, "note": "grüße 🌍"})
        if number % 7 == 0:
            span.set_status(Status(StatusCode.ERROR, "it failed"))
            span.record_exception(ValueError("no such thing"))
        return context

    number = 0
    while number < args.spans:
        attributes = {
            "test.id": f"{args.run}-span-{number}",
            "text": "x" * (number % 50),
            "whole": number,
            "fraction": number / 3,
            "truth": number % 2 == 0,
            "list": ["a", "b", str(number)],
        }
        links = [Link(previous, {"why": "before"})] if previous is not None else None
        with tracer.start_as_current_span(
            f"parent {number % 10}", kind=kinds[number % len(kinds)], attributes=attributes, links=links
        ) as span:
            previous = note(span, number)
            number += 1
            # A child in the same trace, so that traces have more than one span.
            if number < args.spans:
                with tracer.start_as_current_span("child") as child:
                    child.set_attribute("test.id", f"{args.run}-span-{number}")
                    note(child, number)
                number += 1
    provider.shutdown()
    return ids, watch.problem("spans", args.spans)


def send_points(args, resource, exporter):
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
    from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation, View

    watch = Watch(exporter, count_points)
    # One collection and so one export: the one that shutdown makes.
    reader = PeriodicExportingMetricReader(exporter, export_interval_millis=3_600_000)
    provider = MeterProvider(
        metric_readers=[reader],
        resource=resource,
        views=[
            View(
                instrument_name="test.exponential",
                aggregation=ExponentialBucketHistogramAggregation(),
            )
        ],
        shutdown_on_exit=False,
    )
    meter = provider.get_meter("stella.test.meter", "1.2.3")
    counter = meter.create_counter("test.counter", "1", "counts")
    gauge = meter.create_gauge("test.gauge", "By", "a level")
    histogram = meter.create_histogram("test.histogram", "s", "explicit buckets")
    exponential = meter.create_histogram("test.exponential", "s", "exponential buckets")
    ids = []
    for number in range(args.points):
        attributes = {"test.id": f"{args.run}-point-{number}", "whole": number}
        ids.append(attributes["test.id"])
        which = number % INSTRUMENTS
        if which == 0:
            counter.add(number + 1, attributes)
        elif which == 1:
            gauge.set(-1.5 * number, attributes)
        else:
            for value in (0.001, 0.5, 3.0, 1e6, float(number)):
                (histogram if which == 2 else exponential).record(value, attributes)
    provider.shutdown()
    return ids, watch.problem("points", args.points)


def send_records(args, resource, exporter):
    from opentelemetry._logs import SeverityNumber
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk._logs.export import BatchLogRecordProcessor

    watch = Watch(exporter, len)
    provider = LoggerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_log_record_processor(
        BatchLogRecordProcessor(
            exporter, max_queue_size=2 * args.records + args.batch, max_export_batch_size=args.batch
        )
    )
    logger = provider.get_logger("stella.test.logger", "1.2.3")
    severities = [s for s in SeverityNumber if s.value > 0]
    ids = []
    for number in range(args.records):
        test_id = f"{args.run}-record-{number}"
        ids.append(test_id)
        severity = severities[number % len(severities)]
        body = (
            f"line {number}: grüße 🌍"
            if number % 3
            else {"message": "nested", "number": number, "deep": {"list": [1, 2.5, True, "x"]}}
        )
        logger.emit(
            timestamp=1_700_000_000_000_000_000 + number,
            observed_timestamp=1_700_000_000_000_000_001 + number,
            severity_number=severity,
            severity_text=severity.name,
            body=body,
            attributes={"test.id": test_id, "whole": number},
        )
    provider.shutdown()
    return ids, watch.problem("records", args.records)


def main():
    args = parse_args()
    from opentelemetry.sdk.resources import Resource

    resource = Resource.create(
        {"service.name": "test-sender-python", "service.version": "1", "test.run": args.run}
    )
    spans, points, records = load_exporters(args)
    sent, problems = {"spans": [], "points": [], "records": []}, []
    for key, count, send, exporter in (
        ("spans", args.spans, send_spans, spans),
        ("points", args.points, send_points, points),
        ("records", args.records, send_records, records),
    ):
        if count:
            sent[key], problem = send(args, resource, exporter)
            if problem:
                problems.append(problem)
    json.dump(sent, sys.stdout)
    print()
    for problem in problems:
        print(f"error: {problem}", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
