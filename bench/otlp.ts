/**
 * What the OTLP receiver costs: `node bench/otlp.ts [seconds]`.
 *
 * 1. Reading: protobuf (and JSON) to the bytes of a Native block, beside protobufjs making objects of it: a second of processor time.
 * 2. The whole way, gzip protobuf over HTTP into the embedded engine, 16 connections from another thread, beside the
 *    engine's own limit: the same rows as ready Native blocks inserted one after the other. The two take turns.
 */
import { Agent, createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { gzipSync } from 'node:zlib';
import { otlpConfig } from '../collector/otlp/config.ts';
import type { Sink } from '../collector/otlp/decoder.ts';
import { createOtlpHandler } from '../collector/otlp/handler.ts';
import { protobufOfJson } from '../collector/otlp/json.ts';
import { createOtlpReceiver } from '../collector/otlp/receiver.ts';
import { TraceDecoder } from '../collector/otlp/traces.ts';
import { connectClickHouse } from '../store/clickhouse/client.ts';
import { migrate } from '../store/clickhouse/migrate.ts';
import { SpanBlock } from '../store/clickhouse/span-block.ts';
import { openTelemetry, type TelemetryStore } from '../store/clickhouse/telemetry.ts';
import { temporaryEngine } from '../store/clickhouse/testing/temporary.ts';
import { openTraces } from '../store/clickhouse/traces.ts';
import { encodeRequest, TraceRequest } from '../test/otlp-proto.ts';

const SPANS = 500;
const CONNECTIONS = 16;
const ROUNDS = 3;
const BODIES = 20;

/** A request of 500 spans of 5 services: 12 attributes each, an event on every tenth. */
function makeRequest(seed: number) {
  let state = seed;
  const random = (below: number): number => {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
    return (state >>> 8) % below;
  };
  const bytes = (size: number) => Buffer.from(Array.from({ length: size }, () => random(255) + 1));
  const text = (key: string, stringValue: string) => ({ key, value: { stringValue } });
  const start = BigInt(Date.now() - 60_000) * 1_000_000n;
  const span = (service: number) => {
    const at = start + BigInt(random(1_000_000_000));
    return {
      traceId: bytes(16),
      spanId: bytes(8),
      parentSpanId: bytes(8),
      name: ['POST /bills', 'GET /tax', 'SELECT res_partner', 'publish bill.received'][random(4)],
      kind: random(5) + 1,
      startTimeUnixNano: String(at),
      endTimeUnixNano: String(at + BigInt(random(50_000_000))),
      attributes: [
        text('http.request.method', 'POST'),
        text('url.path', `/api/companies/${service}/bills/${random(10_000)}`),
        { key: 'http.response.status_code', value: { intValue: random(10) ? 200 : 503 } },
        text('server.address', `erp-${service}.internal.example`),
        { key: 'server.port', value: { intValue: 8069 } },
        text('network.protocol.version', '1.1'),
        text('user_agent.original', 'closewatch-bench/1.0 (linux; x64)'),
        text('company', `company-${service}`),
        text('document.number', `BILL/2026/05/${random(10_000)}`),
        { key: 'amount', value: { doubleValue: random(1_000_000) / 100 } },
        { key: 'retry', value: { boolValue: random(20) === 0 } },
        text('thread.name', `worker-${random(16)}`),
      ],
      events: random(10)
        ? []
        : [
            {
              timeUnixNano: String(at),
              name: 'exception',
              attributes: [text('exception.type', 'TimeoutError')],
            },
          ],
      status: { code: random(20) ? 0 : 2 },
    };
  };
  const resourceSpans = Array.from({ length: 5 }, (_, service) => ({
    resource: {
      attributes: [
        text('service.name', `service-${service}`),
        text('service.version', '3.2.1'),
        text('host.name', `node-${service}`),
        text('deployment.environment.name', 'production'),
      ],
    },
    scopeSpans: [
      {
        scope: { name: 'bench', version: '1' },
        spans: Array.from({ length: SPANS / 5 }, () => span(service)),
      },
    ],
  }));
  return { resourceSpans };
}

const sinkOf = (block: SpanBlock): Sink => ({ blockOf: (() => block) as Sink['blockOf'] });
const limits = { latest: 2n ** 63n - 1n, maxRowBytes: 1 << 30 };

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;
}

/** How many times `work` runs in a second of processor time, which other programs do not lengthen. */
function rate(work: () => void): number {
  for (let i = 0; i < 20; i++) work();
  const spent = () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1e6;
  };
  const start = spent();
  let runs = 0;
  while (spent() - start < 1) {
    work();
    runs++;
  }
  return runs / (spent() - start);
}

function benchReading(): void {
  const made = makeRequest(1);
  const body = encodeRequest(made);
  const json = Buffer.from(
    JSON.stringify(made, (key, value) =>
      /Id$/.test(key) && value?.type === 'Buffer' ? Buffer.from(value.data).toString('hex') : value,
    ),
  );
  const decoder = new TraceDecoder();
  const block = new SpanBlock();
  const decode = (bytes: Buffer): void => {
    block.clear();
    decoder.decode(bytes, sinkOf(block), limits);
  };
  const encode = (bytes: Buffer): void => {
    decode(bytes);
    block.encode();
  };
  const works: [string, Buffer, () => void][] = [
    ['protobuf to columns', body, () => decode(body)],
    ['protobuf to a Native block', body, () => encode(body)],
    ['protobufjs to objects', body, () => void TraceRequest.decode(body)],
    ['JSON to a Native block', json, () => encode(protobufOfJson(json))],
    ['JSON.parse to objects', json, () => void JSON.parse(json.toString())],
  ];
  console.log(`reading, ${SPANS} spans a request: ${body.length} bytes of protobuf, ${json.length} of JSON`);
  const rates = works.map(() => [] as number[]);
  for (let round = 0; round < ROUNDS; round++)
    for (const [i, [, , work]] of works.entries()) rates[i]?.push(rate(work));
  works.forEach(([name, bytes], i) => {
    const perSecond = median(rates[i] ?? []);
    const spans = Math.round((perSecond * SPANS) / 1000);
    console.log(
      `  ${name.padEnd(28)} ${((perSecond * bytes.length) / 1e6).toFixed(0).padStart(5)} MB/s ${spans} k spans/s`,
    );
  });
}

async function benchStoring(seconds: number): Promise<void> {
  const engine = await temporaryEngine();
  const clickhouse = connectClickHouse(engine);
  await migrate(clickhouse);
  const traces = openTraces(clickhouse);
  const telemetry = openTelemetry(clickhouse);
  const sizes: number[] = [];
  const receiver = createOtlpReceiver(otlpConfig.parse({}), {
    telemetry: {
      async insert(table, blocks, token) {
        sizes.push(blocks.length);
        await telemetry.insert(table, blocks, token);
      },
    },
    logger: { error: console.error, warn: console.error, info() {}, debug() {} },
  });
  const handler = createOtlpHandler(receiver, async () => ({ source: 'bench', tokenId: 'bench' }));
  const server = createServer((req, res) => void handler(req, res));
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const port = (server.address() as AddressInfo).port;
  const loader = new Worker(new URL(import.meta.url), { workerData: { port } });
  const load = () =>
    new Promise<Loaded>((done) => {
      loader.once('message', done);
      loader.postMessage(seconds * 1000);
    });

  await load();
  const overHttp: number[] = [];
  const direct: number[] = [];
  const waits: number[] = [];
  let spansABlock = 0;
  for (let round = 0; round < ROUNDS; round++) {
    sizes.length = 0;
    const { spans, ms, latencies, failed } = await load();
    if (failed > 0) console.log(`  ${failed} requests were not answered 200`);
    overHttp.push((spans * 1000) / ms);
    waits.push(...latencies);
    spansABlock = Math.max(SPANS, Math.round(spans / sizes.length / SPANS) * SPANS);
    direct.push(await insertDirectly(telemetry, spansABlock, seconds * 1000));
  }
  const { spans, repeats } = await traces.countSpans();
  await loader.terminate();
  server.close();
  server.closeAllConnections();
  await receiver.close();
  await clickhouse.close();
  await engine.remove();
  const k = (value: number) => `${(value / 1000).toFixed(1)} k spans/s`;
  const range = (values: number[]) => `(${values.map((value) => (value / 1000).toFixed(1)).join(', ')})`;
  waits.sort((a, b) => a - b);
  const quantile = (q: number) => (waits[Math.floor(waits.length * q)] ?? 0).toFixed(0);
  console.log(
    `storing, ${seconds} s a turn, ${spansABlock} spans a block, ${spans + repeats} rows in the end`,
  );
  console.log(`  stored over HTTP             ${k(median(overHttp))} ${range(overHttp)}`);
  console.log(`  answered after               p50 ${quantile(0.5)} ms, p99 ${quantile(0.99)} ms`);
  console.log(`  same blocks inserted alone   ${k(median(direct))} ${range(direct)}`);
  console.log(`  ratio                        ${(median(overHttp) / median(direct)).toFixed(2)}`);
}

/** Spans a second that the engine takes as ready blocks, one insert at a time. */
async function insertDirectly(
  telemetry: TelemetryStore,
  spansABlock: number,
  forMs: number,
): Promise<number> {
  const block = new SpanBlock();
  const decoder = new TraceDecoder();
  for (let i = 0; i * SPANS < spansABlock; i++)
    decoder.decode(encodeRequest(makeRequest(i + 1)), sinkOf(block), limits);
  const bytes = block.encode();
  const start = performance.now();
  let spans = 0;
  while (performance.now() - start < forMs) {
    await telemetry.insert('otel_traces', bytes, `bench:${crypto.randomUUID()}`);
    spans += spansABlock;
  }
  return (spans * 1000) / (performance.now() - start);
}

interface Loaded {
  spans: number;
  ms: number;
  latencies: number[];
  failed: number;
}

/** Sends requests on 16 connections for `forMs`. */
async function sendLoad(port: number, bodies: Buffer[], agent: Agent, forMs: number): Promise<Loaded> {
  const start = performance.now();
  const latencies: number[] = [];
  let failed = 0;
  let next = 0;
  const sendOne = () =>
    new Promise<number>((done, fail) => {
      const headers = { 'content-type': 'application/x-protobuf', 'content-encoding': 'gzip' };
      const req = request({ port, path: '/v1/traces', method: 'POST', headers, agent }, (res) => {
        res.resume();
        res.on('end', () => done(res.statusCode ?? 0));
      });
      req.on('error', fail);
      req.end(bodies[next++ % bodies.length]);
    });
  const sender = async () => {
    while (performance.now() - start < forMs) {
      const sent = performance.now();
      if ((await sendOne()) !== 200) failed++;
      else latencies.push(performance.now() - sent);
    }
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, sender));
  return { spans: latencies.length * SPANS, ms: performance.now() - start, latencies, failed };
}

if (isMainThread) {
  benchReading();
  await benchStoring(Number(process.argv[2] ?? 5));
} else {
  const bodies = Array.from({ length: BODIES }, (_, seed) => gzipSync(encodeRequest(makeRequest(seed + 1))));
  parentPort?.on('message', async (forMs: number) => {
    // New connections for each turn: the server ends those that were idle during another turn.
    const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });
    parentPort?.postMessage(await sendLoad(workerData.port, bodies, agent, forMs));
    agent.destroy();
  });
}
