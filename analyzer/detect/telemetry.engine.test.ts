import { afterAll, beforeEach, expect, test } from 'vitest';
import { openIntake } from '../../store/intake/intake.ts';
import { listStreams } from '../../store/postgres/streams.ts';
import { ACME, detectionHouse, event, FLOWS } from '../../test/detection-house.ts';
import { createReadinessHistory } from '../readiness/readiness.ts';
import { instantOf } from './fixture.ts';

/** Telemetry of the very source on which rules depend, silent for weeks. */
const house = await detectionHouse();
afterAll(() => house.remove());
const { arrive, complete, detector, exceptions, postgres, clickhouse, logger } = house;

beforeEach(async () => {
  await house.clear();
  const intake = openIntake({ postgres, logger, now: () => new Date('2026-04-01T00:00:00Z') });
  for (const stream of ['traces', 'logs', 'metrics'])
    intake.arrived({ source: 'erp', stream, records: 1, bytes: 1 });
  await intake.close();
});

const DEPENDENT = FLOWS.map((flow) => ({
  ...flow,
  expectations: flow.expectations.map((rule) => ({ ...rule, dependsOn: ['erp'] })),
}));

test.each([
  ['by the types it expects', FLOWS],
  ['by its name', DEPENDENT],
])(
  'a rule that depends on a source %s does not wait for its telemetry, nor is that missed',
  async (_, flows) => {
    await complete('30');
    await arrive(event('bill.received', '1', { supref: 'V:1', subject: 'scan-1' }));
    await detector(flows).pass(instantOf('9'));
    expect(await exceptions()).toEqual([['posted', 'scan-1', 'open', true]]);
  },
);

test('telemetry alone makes no company known and opens nothing', async () => {
  const streams = await listStreams(postgres, { companies: '*', telemetry: true }, { limit: 9 });
  expect(streams.map(({ stream }) => stream)).toEqual(['logs', 'metrics', 'traces']);
  await detector().pass(instantOf('9'));
  expect(await exceptions()).toEqual([]);
  const readiness = createReadinessHistory({ postgres, clickhouse, companies: [], company: () => ACME });
  expect(await readiness.run(instantOf('9'))).toBe(0);
});
