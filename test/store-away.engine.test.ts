import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, expect, test } from 'vitest';
import { z } from 'zod';
import { connectClickHouse } from '../store/clickhouse/client.ts';
import { defineQuery } from '../store/clickhouse/query.ts';
import { type TemporaryEngine, temporaryEngine } from '../store/clickhouse/testing/temporary.ts';
import { environment, temporaryFolder, type Up, until, up } from './harness.ts';
import { type Acknowledged, startLoad } from './load.ts';

/**
 * A ClickHouse server that goes away under load: what was answered with 2xx, before, meanwhile and afterwards, is there, once.
 * Longer: CLOSEWATCH_TEST_AWAY_SECONDS=300.
 */
const AWAY_SECONDS = Number(process.env.CLOSEWATCH_TEST_AWAY_SECONDS ?? 20);

const folder = temporaryFolder();
let engine: TemporaryEngine | undefined;
let running: Up | undefined;
let line: ReturnType<typeof createLine> | undefined;
afterAll(async () => {
  await running?.kill();
  line?.cut();
  await engine?.remove();
  folder.remove();
});

/** A line to a port that can be cut: every connection is reset in the middle of what it carries, and no new one taken. */
function createLine(target: number) {
  const sockets = new Set<Socket>();
  let server: Server | undefined;
  let port = 0;
  const open = async (): Promise<number> => {
    server = createServer((near) => {
      const far = connect(target, '127.0.0.1');
      for (const socket of [near, far]) {
        sockets.add(socket);
        socket.on('error', () => {});
        socket.on('close', () => {
          sockets.delete(socket);
          near.destroy();
          far.destroy();
        });
      }
      near.pipe(far).pipe(near);
    });
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    port = (server.address() as AddressInfo).port;
    return port;
  };
  const cut = (): void => {
    server?.close();
    for (const socket of sockets) socket.resetAndDestroy();
  };
  return { open, cut };
}

const ids = defineQuery({
  name: 'test.ids',
  sql: `SELECT (SELECT groupUniqArray(EventId) FROM finance_events) AS events, (SELECT count() FROM finance_events) AS eventRows,
    (SELECT groupUniqArray(SpanId) FROM otel_traces) AS spans`,
  params: z.object({}),
  row: z.object({ events: z.array(z.string()), eventRows: z.coerce.number(), spans: z.array(z.string()) }),
});

test(`the store is away for ${AWAY_SECONDS} s under load: nothing that was answered is lost or doubled`, {
  timeout: 240_000 + AWAY_SECONDS * 1500,
}, async () => {
  engine = await temporaryEngine();
  const { url, username, password, database } = engine;
  line = createLine(Number(new URL(url).port));
  const port = await line.open();
  const server = `http://${username}:${encodeURIComponent(password)}@127.0.0.1:${port}`;
  running = await up(
    folder.path,
    environment(folder.path, {
      CLICKHOUSE_URL: server,
      CLICKHOUSE_DATABASE: database,
      CLOSEWATCH_LOG_LEVEL: 'error',
    }),
  );
  const acknowledged: Acknowledged = { events: [], traces: new Map() };
  const sending = startLoad(running.collectorUrl, acknowledged, true);
  const traces = (count: number) => until(async () => acknowledged.traces.size >= count || undefined, 90_000);
  await traces(10);
  line.cut();
  const [eventsBefore, tracesBefore] = [acknowledged.events.length, acknowledged.traces.size];
  await sleep(AWAY_SECONDS * 1000);
  // Finance events wait for PostgreSQL alone; spans are not answered 2xx while nobody stores them.
  expect(acknowledged.events.length).toBeGreaterThan(eventsBefore);
  expect(acknowledged.traces.size - tracesBefore).toBeLessThanOrEqual(3);
  await line.open();
  await traces(tracesBefore + 20);
  await sending.stop();

  const direct = connectClickHouse({ url, username, password, database });
  const spans = [...acknowledged.traces.values()].flat();
  const rows = await until(async () => {
    const [row] = await direct.query(ids, {});
    return row && acknowledged.events.every((id) => row.events.includes(id)) ? row : undefined;
  }, 120_000);
  await direct.close();
  expect(rows.eventRows).toBe(rows.events.length);
  const stored = new Set(rows.spans);
  expect(spans.filter((id) => !stored.has(id))).toEqual([]);
  const [traceId = '', own = []] = [...acknowledged.traces].at(-1) ?? [];
  const found = await running.graphql<{ trace: { spans: { spanId: string }[] } }>(
    `{ trace(id: "${traceId}") { spans { spanId } } }`,
  );
  expect(found.trace.spans.map(({ spanId }) => spanId).sort()).toEqual(own.toSorted());
});
