import { resolve } from 'node:path';
import { expect, test } from 'vitest';
import { backtest } from '../analyzer/backtest/backtest.ts';
import { loadFlows } from '../analyzer/detect/flow-files.ts';
import type { EventData, FinanceEvent } from '../model/event.ts';
import { parseInstant } from '../model/time.ts';
import type { SourceStream } from '../model/watermark.ts';
import { type CloudEvent, SOURCES } from './events.ts';
import { simulate } from './simulate.ts';

const FLOWS = resolve(import.meta.dirname, '..', 'flows');
const NOW = Date.parse('2026-06-17T11:30:00Z');
const nanos = (time: string): bigint => parseInstant(time) ?? 0n;

function stored(event: CloudEvent): FinanceEvent {
  const { object, keys, money, org } = event.data as EventData;
  return {
    id: event.id,
    source: event.source,
    type: event.type.slice('closewatch.'.length, -'.v1'.length),
    version: 1,
    time: event.time,
    receivedAt: event.time,
    batch: '1',
    sequence: '0',
    company: event.companyid,
    subject: event.subject,
    ingestPath: 'push',
    docNumber: object.docNumber,
    period: org.period,
    amount: money?.amount,
    currency: money?.currency,
    keys,
    attributes: {},
    data: '{}',
  };
}

test('every planted rule is a rule of the flows that come with Closewatch', async () => {
  const rules = new Set(
    (await loadFlows(FLOWS)).flatMap(({ expectations }) => expectations).map(({ id }) => id),
  );
  for (const { rule } of simulate({ seed: 1, now: NOW }).truth) expect(rules).toContain(rule);
});

test.each([
  [1, '2026-06-17T11:30:00Z'],
  [2, '2026-11-22T22:10:00Z'],
  [3, '2027-01-04T03:00:00Z'],
])(
  'the flows that come with Closewatch find the planted faults and nothing else (seed %i)',
  async (seed, text) => {
    const now = Date.parse(text);
    const { companies, events, truth } = simulate({ seed, now });
    const facts = events.filter(({ type }) => !type.includes('heartbeat')).map(stored);
    const sources = companies.flatMap(({ key }) =>
      Object.values(SOURCES).map(
        (source): SourceStream => ({
          source,
          company: key,
          stream: '',
          kind: 'declared',
          completeUpTo: nanos(new Date(now).toISOString()),
          completeWithoutLimit: false,
          latenessNanos: 0n,
          silenceNanos: 0n,
          types: [...new Set(facts.filter((e) => e.source === source).map(({ type }) => type))],
        }),
      ),
    );
    const flows = await loadFlows(FLOWS);
    const at = nanos(new Date(now).toISOString());
    async function* scan() {
      yield* facts;
    }
    const result = await backtest({ flows, companies, asOf: at }, { events: { scan }, sources, now: at });
    const open = result.exceptions.filter(({ state }) => state !== 'late');
    expect(open.map(({ rule, subject }) => `${rule} ${subject}`).sort()).toEqual(
      truth.map(({ rule, subject }) => `${rule} ${subject}`).sort(),
    );
    const late = result.exceptions.filter(({ state }) => state === 'late');
    expect(new Set(late.map(({ rule }) => rule))).toEqual(
      new Set(['MP-02', 'SA-04', 'SA-02', 'MP-09', 'MP-06']),
    );
  },
);
