/**
 * What reading OTLP costs: `node bench/otlp.ts`. Protobuf (and JSON) to the bytes of a Native block, beside protobufjs making
 * objects of it; a second of processor time each. `bench/ingest.ts` measures the whole way.
 */
import type { Sink } from '../collector/otlp/decoder.ts';
import { protobufOfJson } from '../collector/otlp/json.ts';
import { TraceDecoder } from '../collector/otlp/traces.ts';
import { Masking, privacyConfig } from '../model/masking.ts';
import { SpanBlock } from '../store/clickhouse/span-block.ts';
import { SpanKeyBlock } from '../store/clickhouse/span-key-block.ts';
import { encodeRequest, TraceRequest } from '../test/otlp-proto.ts';
import { makeRequest, SPANS } from './spans.ts';

const ROUNDS = 3;

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
  const decoder = new TraceDecoder({ masking: new Masking(privacyConfig.parse({}), 'key') });
  const blocks = { otel_traces: new SpanBlock(), span_keys: new SpanKeyBlock() };
  const sink: Sink = { blockOf: ((table: keyof typeof blocks) => blocks[table]) as Sink['blockOf'] };
  const decode = (bytes: Buffer): void => {
    for (const block of Object.values(blocks)) block.clear();
    decoder.decode(bytes, sink, limits);
  };
  const encode = (bytes: Buffer): void => {
    decode(bytes);
    for (const block of Object.values(blocks)) block.encode();
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

benchReading();
