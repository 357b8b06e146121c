import type { Attributes, AttributeValue, SpanContext } from '@opentelemetry/api';
import {
  JsonLogsSerializer,
  JsonMetricsSerializer,
  JsonTraceSerializer,
  ProtobufLogsSerializer,
  ProtobufMetricsSerializer,
  ProtobufTraceSerializer,
} from '@opentelemetry/otlp-transformer';
import { resourceFromAttributes } from '@opentelemetry/resources';
import type { ReadableLogRecord } from '@opentelemetry/sdk-logs';
import { AggregationType, MeterProvider, MetricReader } from '@opentelemetry/sdk-metrics';
import type { ReadableSpan } from '@opentelemetry/sdk-trace-base';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { id, text } from '../../test/otlp-arbitrary.ts';
import { CASES, tables } from '../../test/otlp-signals.ts';
import type { Signal } from './decoder.ts';
import { protobufOfJson } from './json.ts';

interface Serializer<T> {
  serializeRequest(records: T): Uint8Array | undefined;
}

/** Protobuf reads as protobufjs reads it, JSON as protobuf. */
function agree<T>(signal: Signal, records: T, protobuf: Serializer<T>, json: Serializer<T>): void {
  const body = Buffer.from(protobuf.serializeRequest(records) as Uint8Array);
  const expected = CASES[signal].expected(body).tables;
  expect(tables(signal, body)).toEqual(expected);
  const text = Buffer.from(json.serializeRequest(records) as Uint8Array);
  expect(tables(signal, protobufOfJson(text, signal))).toEqual(expected);
}

describe("the SDK's own serializers", () => {
  const attributeValue: fc.Arbitrary<AttributeValue> = fc.oneof(
    text,
    fc.boolean(),
    fc.integer(),
    // The SDK's serializers disagree on whole numbers that are not safe integers.
    fc
      .double({ noNaN: true, noDefaultInfinity: true })
      .filter((value) => Number.isSafeInteger(value) || !Number.isInteger(value)),
    fc.array(text, { maxLength: 3 }),
    fc.array(fc.integer(), { maxLength: 3 }),
  );
  const someAttributes: fc.Arbitrary<Attributes> = fc.dictionary(text, attributeValue, {
    maxKeys: 5,
    noNullPrototype: true,
  });
  const hexId = (size: number) => id(size).map((raw) => Buffer.from(raw).toString('hex'));
  const context: fc.Arbitrary<SpanContext> = fc.record({
    traceId: hexId(16),
    spanId: hexId(8),
    traceFlags: fc.constant(1),
  });
  const time = fc.tuple(fc.integer({ min: 0, max: 9_000_000_000 }), fc.integer({ min: 0, max: 999_999_999 }));
  const readable: fc.Arbitrary<ReadableSpan> = fc
    .record({
      name: text,
      kind: fc.integer({ min: 0, max: 4 }),
      own: context,
      parent: fc.option(context, { nil: undefined }),
      startTime: time,
      endTime: time,
      status: fc.record({ code: fc.integer({ min: 0, max: 2 }), message: text }),
      attributes: someAttributes,
      links: fc.array(fc.record({ context, attributes: someAttributes }), { maxLength: 2 }),
      events: fc.array(fc.record({ time, name: text, attributes: someAttributes }), { maxLength: 2 }),
      resource: someAttributes,
    })
    .map(({ own, parent, resource, ...fields }) => ({
      ...fields,
      spanContext: () => own,
      ...(parent === undefined ? {} : { parentSpanContext: parent }),
      duration: [0, 0],
      ended: true,
      resource: resourceFromAttributes(resource),
      instrumentationScope: { name: 'scope', version: '1' },
      droppedAttributesCount: 0,
      droppedEventsCount: 0,
      droppedLinksCount: 0,
    }));

  test('any spans', () => {
    fc.assert(
      fc.property(fc.array(readable, { maxLength: 4 }), (spans) =>
        agree('traces', spans, ProtobufTraceSerializer, JsonTraceSerializer),
      ),
      { numRuns: 60 },
    );
  });

  const scope = {
    name: 'scope',
    version: '1',
    schemaUrl: 'https://example.com/1',
    attributes: { of: 'scope' },
  };
  const record: fc.Arbitrary<ReadableLogRecord> = fc
    .record({
      hrTime: time,
      hrTimeObserved: time,
      context: fc.option(context, { nil: undefined }),
      severityNumber: fc.integer({ min: 0, max: 24 }),
      severityText: text,
      body: fc.oneof(text, fc.integer(), fc.boolean(), fc.array(text, { maxLength: 3 }), someAttributes),
      eventName: text,
      attributes: someAttributes,
      resource: someAttributes,
    })
    .map(({ context: spanContext, resource, ...fields }) => ({
      ...fields,
      ...(spanContext === undefined ? {} : { spanContext }),
      resource: resourceFromAttributes(resource, { schemaUrl: 'https://example.com/2' }),
      instrumentationScope: scope,
      droppedAttributesCount: 0,
    }));

  test('any log records', () => {
    fc.assert(
      fc.property(fc.array(record, { maxLength: 4 }), (records) =>
        agree('logs', records, ProtobufLogsSerializer, JsonLogsSerializer),
      ),
      { numRuns: 60 },
    );
  });

  class Reader extends MetricReader {
    protected override async onForceFlush() {}
    protected override async onShutdown() {}
  }

  test('whatever the instruments of the SDK measure', async () => {
    const measured = fc.tuple(
      // The SDK's JSON has no negative zero.
      fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e9, max: 1e9 }).map((value) => value || 0),
      fc.integer({ min: 1, max: 1000 }),
      fc.dictionary(text, text, { maxKeys: 3, noNullPrototype: true }),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(measured, { minLength: 1, maxLength: 6 }),
        someAttributes,
        async (all, of) => {
          const reader = new Reader();
          const provider = new MeterProvider({
            resource: resourceFromAttributes(of),
            readers: [reader],
            views: [
              { instrumentName: 'bills.size', aggregation: { type: AggregationType.EXPONENTIAL_HISTOGRAM } },
            ],
          });
          const meter = provider.getMeter('scope', '1', { schemaUrl: 'https://example.com/1' });
          const counter = meter.createCounter('bills', {
            description: 'Bills read',
            unit: '{bill}',
            valueType: 0,
          });
          const waiting = meter.createUpDownCounter('waiting');
          const gauge = meter.createGauge('load');
          const histogram = meter.createHistogram('duration', { unit: 's' });
          const exponential = meter.createHistogram('bills.size');
          for (const [value, count, attributes] of all) {
            counter.add(count, attributes);
            waiting.add(value, attributes);
            gauge.record(value, attributes);
            histogram.record(Math.abs(value), attributes);
            exponential.record(Math.abs(value), attributes);
          }
          const { resourceMetrics } = await reader.collect();
          await provider.shutdown();
          agree('metrics', resourceMetrics, ProtobufMetricsSerializer, JsonMetricsSerializer);
          const body = Buffer.from(ProtobufMetricsSerializer.serializeRequest(resourceMetrics) as Uint8Array);
          expect(Object.keys(tables('metrics', body)).sort()).toEqual([
            'otel_metrics_exp_histogram',
            'otel_metrics_gauge',
            'otel_metrics_histogram',
            'otel_metrics_sum',
          ]);
        },
      ),
      { numRuns: 30 },
    );
  });
});
