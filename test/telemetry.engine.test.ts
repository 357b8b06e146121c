import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { OTLPTraceExporter as JsonExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { OTLPTraceExporter as ProtobufExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { BasicTracerProvider, type ReadableSpan, SimpleSpanProcessor, type SpanExporter } from '@opentelemetry/sdk-trace-base';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { fixtures, INGEST_TOKEN, temporaryFolder, type Up, up } from './harness.ts';
import { decodeTraces, type SentSpan } from './otlp-proto.ts';

/** Spans through the real ports: in by OTLP/HTTP, back by GraphQL. */
const folder = temporaryFolder();
let running: Up;
beforeAll(async () => {
  running = await up(folder.path);
});
afterAll(async () => {
  await running.kill();
  folder.remove();
});
