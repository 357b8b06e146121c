import { afterAll, beforeEach, expect, test } from 'vitest';
import { flow } from '../../../model/flow.ts';
import { detectionHouse } from '../../../test/detection-house.ts';
import { instantOf } from '../fixture.ts';
import { createObjectives } from './objectives.ts';

/** Objectives on the real tables of telemetry. */
const house = await detectionHouse();
afterAll(() => house.remove());
const { postgres, clickhouse, logger } = house;

beforeEach(async () => {
  await house.clear();
  for (const table of ['otel_traces', 'otel_logs', 'otel_metrics_gauge'])
    await clickhouse.command(`TRUNCATE TABLE ${table}`);
});

const FLOW = flow.parse({
  flow: 'intake',
  name: 'Intake',
  owner: 'it',
  objectives: [
    { id: 'errors', kind: 'error-rate', service: 'middle*', objective: '99%', span: 'server' },
    {
      id: 'slow',
      kind: 'latency',
      service: 'middleware',
      operation: 'POST *',
      within: '2s',
      objective: '99%',
    },
    { id: 'words', kind: 'error-signature', service: '*' },
    { id: 'queue', kind: 'series', service: 'middleware', metric: 'queue.depth', step: '1m' },
  ],
});

const spans = (from: string, minutes: number, given: { bad: string; ms: string }) =>
  clickhouse.command(`INSERT INTO otel_traces (Timestamp, TraceId, SpanId, SpanName, SpanKind, ServiceName, Duration, StatusCode, StatusMessage)
    SELECT toDateTime64('${from}', 9, 'UTC') + toIntervalSecond(number * 6) AS Timestamp, lower(hex(MD5(concat('${from}', toString(number))))), lower(hex(number)),
      'POST /bills', 'Server', 'middleware', toUInt64((${given.ms}) * 1000000), if(${given.bad}, 'Error', 'Ok'), if(${given.bad}, concat('no answer for bill ', toString(number)), '')
    FROM numbers(${minutes * 10})`);

const exceptions = async () =>
  (
    await postgres.db
      .selectFrom('exceptions')
      .select(['rule', 'company', 'subject', 'state', 'severity', 'why'])
      .orderBy('rule')
      .execute()
  ).map(({ rule, subject, state, severity }) => [rule, subject, state, severity]);

test('an outage burns the budget, tells its error once it is known what is usual, and ends', async () => {
  const { run } = createObjectives({ postgres, clickhouse, flows: [FLOW], logger });
  await spans('2026-05-01 00:00:00', 24 * 60, { bad: 'number % 1000 = 0', ms: '50' });
  await run(instantOf('2 00:02'));
  expect(await exceptions()).toEqual([]);

  await spans('2026-05-02 00:01:00', 60, { bad: 'number % 2 = 0', ms: '50' });
  await run(instantOf('2 01:02:30'));
  expect(await exceptions()).toEqual([
    ['errors', 'middle*', 'open', 'high'],
    ['words', 'middleware', 'open', 'high'],
  ]);

  await spans('2026-05-02 01:01:00', 60, { bad: '0', ms: '50' });
  await run(instantOf('2 02:02:30'));
  expect(await exceptions()).toEqual([
    // Of a budget that burnt for an hour a tenth is gone: that is still told over a day, as less urgent.
    ['errors', 'middle*', 'open', 'medium'],
    ['words', 'middleware', 'resolved', 'high'],
  ]);

  await spans('2026-05-02 02:01:00', 330, { bad: '0', ms: '50' });
  await run(instantOf('2 07:32:30'));
  expect((await exceptions())[0]).toEqual(['errors', 'middle*', 'resolved', 'medium']);
});

test('slow answers burn theirs; spans that come late are counted', async () => {
  const { run } = createObjectives({ postgres, clickhouse, flows: [FLOW], logger });
  await spans('2026-05-02 00:00:00', 60, { bad: '0', ms: '50' });
  await run(instantOf('2 01:01:30'));
  await spans('2026-05-02 01:00:00', 10, { bad: '0', ms: '2001' });
  await run(instantOf('2 01:12'));
  expect(await exceptions()).toEqual([['slow', 'middleware', 'open', 'high']]);
});

test('a gauge that rises as it never did is told, also after a restart, and not before', async () => {
  const gauge = (from: string, minutes: number, value: string) =>
    clickhouse.command(`INSERT INTO otel_metrics_gauge (ServiceName, MetricName, TimeUnix, Value)
      SELECT 'middleware', 'queue.depth', toDateTime64('${from}', 9, 'UTC') + toIntervalMinute(number), ${value} FROM numbers(${minutes})`);
  await gauge('2026-05-01 00:00:00', 1440, '20 + number % 7');
  await createObjectives({ postgres, clickhouse, flows: [FLOW], logger }).run(instantOf('2 00:02'));
  expect(await exceptions()).toEqual([]);
  await gauge('2026-05-02 00:00:00', 30, '200 + number * 10');
  await createObjectives({ postgres, clickhouse, flows: [FLOW], logger }).run(instantOf('2 00:20'));
  expect(await exceptions()).toEqual([['queue', 'middleware', 'open', 'medium']]);
});
