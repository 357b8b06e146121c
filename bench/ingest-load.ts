/** The load generator of `bench/ingest.ts`: a process of its own, told over IPC what to send. */
import { randomUUID } from 'node:crypto';
import { Agent, request } from 'node:http';
import { gzipSync } from 'node:zlib';
import { encodeRequest } from '../test/otlp-proto.ts';
import { eventOf } from './events.ts';
import { makeRequest } from './spans.ts';

export interface Order {
  readonly port: number;
  readonly token: string;
  readonly connections: number;
  /** What is sent: requests of 500 spans, or single finance events, each of them new. */
  readonly of: 'spans' | 'events';
  /** So long, or each body once when undefined. */
  readonly forMs?: number | undefined;
  /** Requests a second in all; as fast as they are answered when undefined. */
  readonly rate?: number | undefined;
}
export interface Loaded {
  /** Requests that were answered 2xx. */
  readonly requests: number;
  readonly ms: number;
  readonly latencies: readonly number[];
  /** Requests by status, those answered 2xx aside. */
  readonly failed: Readonly<Record<number, number>>;
  /** Bytes as they were sent. */
  readonly bytes: number;
}

const BODIES = 300;
const bodies = Array.from({ length: BODIES }, (_, seed) => gzipSync(encodeRequest(makeRequest(seed + 1))));

async function load({ port, token, connections, of, forMs, rate }: Order): Promise<Loaded> {
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  const authorization = `Bearer ${token}`;
  const [path, headers] =
    of === 'events'
      ? ['/v1/events', { 'content-type': 'application/cloudevents+json', authorization }]
      : [
          '/v1/traces',
          { 'content-type': 'application/x-protobuf', 'content-encoding': 'gzip', authorization },
        ];
  const run = randomUUID();
  const bodyOf = (n: number): Buffer =>
    of === 'events' ? Buffer.from(JSON.stringify(eventOf(`${run}-${n}`, n))) : (bodies[n % BODIES] as Buffer);
  const send = (body: Buffer) =>
    new Promise<number>((done, fail) => {
      const options = { port, path, method: 'POST', headers, agent };
      const sent = request(options, (answer) => {
        answer.resume();
        answer.on('end', () => done(answer.statusCode ?? 0));
      });
      sent.on('error', fail);
      sent.end(body);
    });
  const start = performance.now();
  const latencies: number[] = [];
  const failed: Record<number, number> = {};
  let next = 0;
  let bytes = 0;
  const more = () => (forMs === undefined ? next < BODIES : performance.now() - start < forMs);
  const sendOne = async (due: number): Promise<void> => {
    const body = bodyOf(next++);
    const status = await send(body);
    if (status < 300) {
      latencies.push(performance.now() - due);
      bytes += body.length;
    } else failed[status] = (failed[status] ?? 0) + 1;
  };
  if (rate === undefined) {
    const sender = async () => {
      while (more()) await sendOne(performance.now());
    };
    await Promise.all(Array.from({ length: connections }, sender));
  } else {
    // An open loop: a request is due at its instant whatever became of the others, and its wait counts from there.
    const every = 1000 / rate;
    const under: Promise<void>[] = [];
    for (let i = 0; more(); i++) {
      const due = start + i * every;
      const wait = due - performance.now();
      if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
      under.push(sendOne(due));
    }
    await Promise.all(under);
  }
  agent.destroy();
  return { requests: latencies.length, ms: performance.now() - start, latencies, failed, bytes };
}

process.on('message', async (order: Order) => {
  process.send?.(await load(order));
});
process.on('disconnect', () => process.exit());
process.send?.('ready');
