import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, expect, test } from 'vitest';
import { z } from 'zod';
import { connectClickHouse } from '../store/clickhouse/client.ts';
import { defineQuery } from '../store/clickhouse/query.ts';
import { readRunFile } from '../store/run-file.ts';
import { closewatch, environment, temporaryFolder, type Up, until, up } from './harness.ts';
import { type Acknowledged, type Load, startLoad } from './load.ts';

/**
 * kill -9 under load, of the engine and of the whole process in turn: what was answered with 2xx is there afterwards, once.
 * More kills: CLOSEWATCH_TEST_KILLS=20.
 */
const KILLS = Number(process.env.CLOSEWATCH_TEST_KILLS ?? 4);
const folder = temporaryFolder();
let running: Up | undefined;
afterAll(async () => {
  await running?.kill();
  folder.remove();
});

/** What was answered with 2xx. */
const acknowledged: Acknowledged = { events: [], traces: new Map() };

/** Waits until so many more requests of either kind are answered with 2xx. */
async function more(count: number): Promise<void> {
  const [events, traces] = [acknowledged.events.length, acknowledged.traces.size];
  await until(async () => {
    const isEnough =
      acknowledged.events.length >= events + count && acknowledged.traces.size >= traces + count;
    return isEnough || undefined;
  }, 90_000);
}

/** The engine's process of the moment, as ClickHouse's own lock file has it. */
const enginePid = (): number =>
  Number(/^PID: (\d+)$/m.exec(readFileSync(join(folder.path, 'clickhouse', 'db', 'status'), 'utf8'))?.[1]);

/** Waits until everything that was accepted is in ClickHouse: only then has all been sent again that will be. */
const untilForwarded = () =>
  until(async () => {
    const { stdout } = await closewatch(['doctor', '--json'], environment(folder.path));
    const { checks } = JSON.parse(stdout) as { checks: { name: string; state: string; finding: string }[] };
    return checks.find(({ name, state }) => name === 'inbox' && state === 'ok');
  }, 120_000);

const stored = defineQuery({
  name: 'test.stored',
  sql: `SELECT (SELECT count() FROM finance_events) AS events, (SELECT uniqExact(EventId) FROM finance_events) AS eventIds,
    (SELECT count() FROM otel_traces) AS spans, (SELECT uniqExact(TraceId, SpanId) FROM otel_traces) AS spanIds`,
  params: z.object({}),
  row: z.record(z.string(), z.coerce.number()),
});

/** Rows as they lie in ClickHouse, where no read hides a double. */
async function storedRows(): Promise<Record<string, number> | undefined> {
  const engine = readRunFile(folder.path)?.engine;
  if (!engine) throw new Error('there is no engine');
  const clickhouse = connectClickHouse({ ...engine, database: 'closewatch' });
  const [row] = await clickhouse.query(stored, {});
  await clickhouse.close();
  return row;
}

const chunks = <T>(items: readonly T[], size: number): T[][] =>
  Array.from({ length: Math.ceil(items.length / size) }, (_, i) => items.slice(i * size, (i + 1) * size));

/** Every event of a source by pages, newest first, by id. */
async function storedEvents({ graphql }: Up): Promise<Map<string, number>> {
  const counts = new Map<string, number>();
  let after: string | null = null;
  do {
    const {
      events,
    }: {
      events: { edges: { node: { id: string } }[]; pageInfo: { endCursor: string; hasNextPage: boolean } };
    } = await graphql(
      'query($after: String) { events(source: "/ocr/prod", first: 200, after: $after) { edges { node { id } } pageInfo { endCursor hasNextPage } } }',
      { after },
    );
    for (const { node } of events.edges) counts.set(node.id, (counts.get(node.id) ?? 0) + 1);
    after = events.pageInfo.hasNextPage ? events.pageInfo.endCursor : null;
  } while (after);
  return counts;
}

test(`${KILLS} times kill -9 during load: nothing that was answered is lost or doubled`, {
  timeout: 240_000 + KILLS * 60_000,
}, async () => {
  let sending: Load | undefined;
  for (let kill = 0; kill < KILLS; kill++) {
    running ??= await up(folder.path);
    sending ??= startLoad(running.collectorUrl, acknowledged);
    await more(5);
    await sleep(Math.random() * 1000);
    if (kill % 2 === 0) {
      process.kill(enginePid(), 'SIGKILL');
    } else {
      await running.kill();
      await sending.stop();
      running = sending = undefined;
    }
  }
  running ??= await up(folder.path);
  sending ??= startLoad(running.collectorUrl, acknowledged);
  await more(5);
  await sending.stop();

  await untilForwarded();
  const events = await storedEvents(running);
  expect(acknowledged.events.filter((id) => events.get(id) !== 1)).toEqual([]);
  const rows = await storedRows();
  expect(rows?.events).toBe(rows?.eventIds);
  expect(rows?.spans).toBe(rows?.spanIds);

  for (const ids of chunks([...acknowledged.traces.keys()], 10)) {
    const query = ids.map((id, i) => `t${i}: trace(id: "${id}") { spans { spanId } }`).join('\n');
    const answer = await running.graphql<Record<string, { spans: { spanId: string }[] } | null>>(
      `{ ${query} }`,
    );
    for (const [i, id] of ids.entries()) {
      const found = answer[`t${i}`]?.spans.map(({ spanId }) => spanId).sort() ?? [];
      expect([id, found]).toEqual([id, acknowledged.traces.get(id)?.toSorted()]);
    }
  }
  console.log(
    `${KILLS} kills: ${acknowledged.events.length} events and ${acknowledged.traces.size * 20} spans answered, all there once`,
  );
});
