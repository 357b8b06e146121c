import { Metadata } from '@grpc/grpc-js';
import { OTLPLogExporter as GrpcLogs } from '@opentelemetry/exporter-logs-otlp-grpc';
import { OTLPLogExporter as JsonLogs } from '@opentelemetry/exporter-logs-otlp-http';
import { OTLPLogExporter as ProtoLogs } from '@opentelemetry/exporter-logs-otlp-proto';
import { OTLPMetricExporter as GrpcMetrics } from '@opentelemetry/exporter-metrics-otlp-grpc';
import { OTLPMetricExporter as JsonMetrics } from '@opentelemetry/exporter-metrics-otlp-http';
import { OTLPMetricExporter as ProtoMetrics } from '@opentelemetry/exporter-metrics-otlp-proto';
import { OTLPTraceExporter as GrpcTraces } from '@opentelemetry/exporter-trace-otlp-grpc';
import { OTLPTraceExporter as JsonTraces } from '@opentelemetry/exporter-trace-otlp-http';
import { OTLPTraceExporter as ProtoTraces } from '@opentelemetry/exporter-trace-otlp-proto';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { LoggerProvider, SimpleLogRecordProcessor } from '@opentelemetry/sdk-logs';
import { AggregationType, MeterProvider, PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics';
import { BasicTracerProvider, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { type OtlpGrpc, serveOtlpGrpc } from '../collector/otlp/grpc.ts';
import { defineQuery } from '../store/clickhouse/query.ts';
import { type OtlpReceiver, startReceiver, TOKEN } from './otlp-receiver.ts';

/** The exporters of the JavaScript SDK, as they are, in every encoding, against the receiver and its store. */
let receiver: OtlpReceiver;
let grpc: OtlpGrpc;
beforeAll(async () => {
  receiver = await startReceiver();
  const authenticate = async () => ({ source: 'test', tokenId: '1' });
  grpc = await serveOtlpGrpc(receiver.handler, authenticate, { host: '127.0.0.1', port: 0 });
});
afterAll(async () => {
  await grpc?.close(0);
  await receiver?.stop();
});

const overHttp = (path: string, compression: string) => ({
  url: `${receiver.url}${path}`,
  headers: { authorization: `Bearer ${TOKEN}` },
  compression: compression as never,
});
const overGrpc = (compression: string) => {
  const metadata = new Metadata();
  metadata.set('authorization', `Bearer ${TOKEN}`);
  return { url: `http://127.0.0.1:${grpc.port}`, metadata, compression: compression as never };
};

const WAYS = {
  'http/protobuf': {
    traces: () => new ProtoTraces(overHttp('/v1/traces', 'gzip')),
    logs: () => new ProtoLogs(overHttp('/v1/logs', 'gzip')),
    metrics: () => new ProtoMetrics(overHttp('/v1/metrics', 'gzip')),
  },
  'http/json': {
    traces: () => new JsonTraces(overHttp('/v1/traces', 'none')),
    logs: () => new JsonLogs(overHttp('/v1/logs', 'none')),
    metrics: () => new JsonMetrics(overHttp('/v1/metrics', 'none')),
  },
  grpc: {
    traces: () => new GrpcTraces(overGrpc('gzip')),
    logs: () => new GrpcLogs(overGrpc('gzip')),
    metrics: () => new GrpcMetrics(overGrpc('none')),
  },
};
type Way = keyof typeof WAYS;
const ways = Object.keys(WAYS) as Way[];
const resourceOf = (way: Way) => resourceFromAttributes({ 'service.name': way, 'host.cores': 2 });

const anything = <const Columns extends string>(table: string, columns: Columns, service: string) =>
  receiver.clickhouse.query(
    defineQuery({
      name: 'test.rows',
      sql: `SELECT ${columns} FROM ${table} WHERE ServiceName = {service:String} ORDER BY ALL`,
      params: z.object({ service: z.string() }),
      row: z.record(z.string(), z.unknown()),
    }),
    { service },
  );

test.each(ways)('spans over %s', async (way) => {
  const provider = new BasicTracerProvider({
    resource: resourceOf(way),
    spanProcessors: [new SimpleSpanProcessor(WAYS[way].traces())],
  });
  const span = provider
    .getTracer('tracer', '1.2')
    .startSpan('read a bill', { attributes: { pages: 3, ok: true } });
  span.addEvent('parsed', { lines: [1, 2] });
  span.setStatus({ code: 2, message: 'no total' });
  span.end();
  await provider.forceFlush();
  await provider.shutdown();
  expect(await receiver.traces.traceById(span.spanContext().traceId)).toMatchObject([
    {
      name: 'read a bill',
      service: way,
      scopeName: 'tracer',
      scopeVersion: '1.2',
      attributes: { pages: '3', ok: 'true' },
      resourceAttributes: { 'host.cores': '2' },
      statusCode: 'Error',
      statusMessage: 'no total',
      events: [{ name: 'parsed', attributes: { lines: '[1,2]' } }],
    },
  ]);
});

test.each(ways)('log records over %s', async (way) => {
  const provider = new LoggerProvider({
    resource: resourceOf(way),
    processors: [new SimpleLogRecordProcessor({ exporter: WAYS[way].logs() })],
  });
  provider.getLogger('logger').emit({
    severityNumber: 17,
    severityText: 'ERROR',
    body: { message: 'tax engine answered 503', tries: 3 },
    attributes: { 'document.number': 'BILL/7' },
    timestamp: new Date('2026-05-04T10:00:00.123Z'),
  });
  await provider.forceFlush();
  await provider.shutdown();
  const columns =
    'toUnixTimestamp64Milli(Timestamp) AS at, SeverityText, SeverityNumber, Body, LogAttributes, ResourceAttributes, ScopeName, TraceId';
  expect(await anything('otel_logs', columns, way)).toEqual([
    {
      at: `${Date.parse('2026-05-04T10:00:00.123Z')}`,
      SeverityText: 'ERROR',
      SeverityNumber: 17,
      Body: '{"message":"tax engine answered 503","tries":3}',
      LogAttributes: { 'document.number': 'BILL/7' },
      ResourceAttributes: { 'host.cores': '2', 'service.name': way },
      ScopeName: 'logger',
      TraceId: '',
    },
  ]);
});

test.each(ways)('metrics over %s', async (way) => {
  const provider = new MeterProvider({
    resource: resourceOf(way),
    readers: [
      new PeriodicExportingMetricReader({ exporter: WAYS[way].metrics(), exportIntervalMillis: 3_600_000 }),
    ],
    views: [
      { instrumentName: 'latency.exp', aggregation: { type: AggregationType.EXPONENTIAL_HISTOGRAM } },
      {
        instrumentName: 'latency',
        aggregation: { type: AggregationType.EXPLICIT_BUCKET_HISTOGRAM, options: { boundaries: [10, 100] } },
      },
    ],
  });
  const meter = provider.getMeter('meter');
  meter.createCounter('bills', { unit: '{bill}', description: 'bills read' }).add(5, { company: 'acme' });
  meter.createUpDownCounter('queue').add(-2);
  meter.createObservableGauge('depth').addCallback((result) => result.observe(1.5));
  for (const value of [5, 50, 500]) {
    meter.createHistogram('latency').record(value);
    meter.createHistogram('latency.exp').record(value);
  }
  await provider.shutdown();
  const number = 'MetricName, Value, Attributes';
  expect(await anything('otel_metrics_gauge', number, way)).toEqual([
    { MetricName: 'depth', Value: 1.5, Attributes: {} },
  ]);
  expect(
    await anything('otel_metrics_sum', `${number}, IsMonotonic, AggregationTemporality, MetricUnit`, way),
  ).toEqual([
    {
      MetricName: 'bills',
      Value: 5,
      Attributes: { company: 'acme' },
      IsMonotonic: true,
      AggregationTemporality: 2,
      MetricUnit: '{bill}',
    },
    {
      MetricName: 'queue',
      Value: -2,
      Attributes: {},
      IsMonotonic: false,
      AggregationTemporality: 2,
      MetricUnit: '',
    },
  ]);
  expect(
    await anything(
      'otel_metrics_histogram',
      'MetricName, Count, Sum, BucketCounts, ExplicitBounds, Min, Max',
      way,
    ),
  ).toEqual([
    {
      MetricName: 'latency',
      Count: '3',
      Sum: 555,
      BucketCounts: ['1', '1', '1'],
      ExplicitBounds: [10, 100],
      Min: 5,
      Max: 500,
    },
  ]);
  expect(await anything('otel_metrics_exp_histogram', 'MetricName, Count, Sum, ZeroCount', way)).toEqual([
    { MetricName: 'latency.exp', Count: '3', Sum: 555, ZeroCount: '0' },
  ]);
});
