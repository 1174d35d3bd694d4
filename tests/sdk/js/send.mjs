// Sends numbered spans, metric points and log records with the real OpenTelemetry SDK for Node.js.
//
// Prints what was sent as one JSON object on stdout:
//
//     {"spans": ["<trace id>:<span id>", ...], "points": ["<test.id>", ...], "records": ["<test.id>", ...]}
//
// Exits with 1, and says why on stderr, when any export was not acknowledged or when the SDK
// handed its exporter fewer items than were made. Nothing but the SDK touches the wire.
//
// The packages come from this folder's node_modules, or from the folder that
// STELLA_SDK_JS names (where `cargo xtask test` installs them).

import { createRequire } from 'node:module';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

const require = createRequire(
  process.env.STELLA_SDK_JS ? join(process.env.STELLA_SDK_JS, 'package.json') : import.meta.url,
);

const { values: args } = parseArgs({
  options: {
    endpoint: { type: 'string' }, // http://HOST:PORT, without a path
    protocol: { type: 'string' }, // grpc, http-protobuf or http-json
    run: { type: 'string' }, // put before each test.id, so that runs differ
    spans: { type: 'string', default: '0' },
    points: { type: 'string', default: '0' },
    records: { type: 'string', default: '0' },
    batch: { type: 'string', default: '200' }, // items in a request (traces, logs)
    compression: { type: 'string', default: 'none' }, // none or gzip
  },
});
const [spans, points, records, batch] = ['spans', 'points', 'records', 'batch'].map((k) => Number(args[k]));
const PACKAGES = { grpc: 'grpc', 'http-protobuf': 'proto', 'http-json': 'http' };
// The SDK folds attribute sets past its cardinality limit (2000) into one overflow point.
const INSTRUMENTS = 4;
const MAX_POINTS_PER_INSTRUMENT = 1500;
if (!args.endpoint || !args.run || !PACKAGES[args.protocol] || points > INSTRUMENTS * MAX_POINTS_PER_INSTRUMENT) {
  console.error('usage: send.mjs --endpoint URL --protocol grpc|http-protobuf|http-json --run NAME [--spans N] [--points N] [--records N]');
  process.exit(2);
}
if (args.compression !== 'none') process.env.OTEL_EXPORTER_OTLP_COMPRESSION = args.compression;

const { context, diag, DiagConsoleLogger, DiagLogLevel, SpanStatusCode, trace } = require('@opentelemetry/api');
const { resourceFromAttributes } = require('@opentelemetry/resources');
diag.setLogger(new DiagConsoleLogger(), DiagLogLevel.WARN);

const resource = resourceFromAttributes({
  'service.name': 'test-sender-js',
  'service.version': '1',
  'test.run': args.run,
});

// Each signal's exporter of the protocol. gRPC takes the address, HTTP the whole path.
function exporter(signal, className, path) {
  const made = require(`@opentelemetry/exporter-${signal}-otlp-${PACKAGES[args.protocol]}`);
  const url = args.protocol === 'grpc' ? args.endpoint : `${args.endpoint}/v1/${path}`;
  return new made[className]({ url, concurrencyLimit: 64 });
}

// Counts what an exporter was given and which of its exports were not acknowledged.
// It replaces `export` on the instance, so the SDK still sees its own exporter type.
function watch(watched, count) {
  const seen = { given: 0, failed: 0 };
  const inner = watched.export.bind(watched);
  watched.export = (items, done) => {
    seen.given += count(items);
    inner(items, (result) => {
      if (result.code !== 0) seen.failed += 1;
      done(result);
    });
  };
  return seen;
}

function problem(what, made, seen) {
  if (seen.failed) return `${what}: ${seen.failed} exports were not acknowledged`;
  if (seen.given !== made) return `${what}: made ${made}, but the SDK exported ${seen.given}`;
  return null;
}

async function sendSpans() {
  const { BasicTracerProvider, BatchSpanProcessor } = require('@opentelemetry/sdk-trace-base');
  const target = exporter('trace', 'OTLPTraceExporter', 'traces');
  const seen = watch(target, (items) => items.length);
  // The queue holds all, since a full one drops.
  const provider = new BasicTracerProvider({
    resource,
    spanProcessors: [new BatchSpanProcessor(target, { maxQueueSize: 2 * spans + batch, maxExportBatchSize: batch })],
  });
  const tracer = provider.getTracer('stella.test.tracer', '1.2.3');
  const ids = [];
  let previous;
  let parent;
  for (let number = 0; number < spans; number += 1) {
    const child = number % 2 === 1;
    const around = child ? trace.setSpan(context.active(), parent) : context.active();
    const span = tracer.startSpan(
      child ? 'child' : `parent ${number % 10}`,
      {
        kind: number % 5,
        links: previous ? [{ context: previous, attributes: { why: 'before' } }] : [],
        attributes: {
          'test.id': `${args.run}-span-${number}`,
          text: 'x'.repeat(number % 50),
          whole: number,
          fraction: number / 3,
          truth: number % 2 === 0,
          list: ['a', 'b', String(number)],
        },
      },
      around,
    );
    span.addEvent('step', { number, note: 'grüße 🌍' });
    if (number % 7 === 0) {
      span.setStatus({ code: SpanStatusCode.ERROR, message: 'it failed' });
      span.recordException(new Error('no such thing'));
    }
    previous = span.spanContext();
    ids.push(`${previous.traceId}:${previous.spanId}`);
    span.end();
    if (!child) parent = span;
  }
  await provider.shutdown();
  return [ids, problem('spans', spans, seen)];
}

async function sendPoints() {
  const { AggregationType, MeterProvider, PeriodicExportingMetricReader } = require('@opentelemetry/sdk-metrics');
  const target = exporter('metrics', 'OTLPMetricExporter', 'metrics');
  const seen = watch(target, (data) =>
    data.scopeMetrics.flatMap((scope) => scope.metrics).reduce((sum, metric) => sum + metric.dataPoints.length, 0),
  );
  // One collection and so one export: the one that shutdown makes.
  const reader = new PeriodicExportingMetricReader({ exporter: target, exportIntervalMillis: 3_600_000 });
  const provider = new MeterProvider({
    resource,
    readers: [reader],
    views: [{ instrumentName: 'test.exponential', aggregation: { type: AggregationType.EXPONENTIAL_HISTOGRAM } }],
  });
  const meter = provider.getMeter('stella.test.meter', '1.2.3');
  const counter = meter.createCounter('test.counter', { unit: '1', description: 'counts' });
  const gauge = meter.createGauge('test.gauge', { unit: 'By', description: 'a level' });
  const histogram = meter.createHistogram('test.histogram', { unit: 's', description: 'explicit buckets' });
  const exponential = meter.createHistogram('test.exponential', { unit: 's', description: 'exponential buckets' });
  const ids = [];
  for (let number = 0; number < points; number += 1) {
    const attributes = { 'test.id': `${args.run}-point-${number}`, whole: number };
    ids.push(attributes['test.id']);
    const which = number % INSTRUMENTS;
    if (which === 0) counter.add(number + 1, attributes);
    else if (which === 1) gauge.record(-1.5 * number, attributes);
    else for (const value of [0.001, 0.5, 3, 1e6, number]) (which === 2 ? histogram : exponential).record(value, attributes);
  }
  await provider.shutdown();
  return [ids, problem('points', points, seen)];
}

async function sendRecords() {
  const { BatchLogRecordProcessor, LoggerProvider } = require('@opentelemetry/sdk-logs');
  const target = exporter('logs', 'OTLPLogExporter', 'logs');
  const seen = watch(target, (items) => items.length);
  const provider = new LoggerProvider({
    resource,
    processors: [
      new BatchLogRecordProcessor({ exporter: target, maxQueueSize: 2 * records + batch, maxExportBatchSize: batch }),
    ],
  });
  const logger = provider.getLogger('stella.test.logger', '1.2.3');
  const ids = [];
  for (let number = 0; number < records; number += 1) {
    const id = `${args.run}-record-${number}`;
    ids.push(id);
    logger.emit({
      severityNumber: 1 + (number % 24),
      severityText: 'LEVEL',
      body:
        number % 3
          ? `line ${number}: grüße 🌍`
          : { message: 'nested', number, deep: { list: [1, 2.5, true, 'x'], bytes: new Uint8Array([0, 255]) } },
      attributes: { 'test.id': id, whole: number },
    });
  }
  await provider.shutdown();
  return [ids, problem('records', records, seen)];
}

const sent = { spans: [], points: [], records: [] };
const problems = [];
for (const [key, count, send] of [
  ['spans', spans, sendSpans],
  ['points', points, sendPoints],
  ['records', records, sendRecords],
]) {
  if (!count) continue;
  const [ids, found] = await send();
  sent[key] = ids;
  if (found) problems.push(found);
}
process.stdout.write(`${JSON.stringify(sent)}\n`);
for (const found of problems) process.stderr.write(`error: ${found}\n`);
process.exitCode = problems.length ? 1 : 0;
