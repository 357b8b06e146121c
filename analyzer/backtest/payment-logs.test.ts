import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { parse } from 'csv-parse/sync';
import { expect, test } from 'vitest';
import type { FinanceEvent } from '../../model/event.ts';
import { matchesTypes } from '../../model/event-pattern.ts';
import { flow } from '../../model/flow.ts';
import { parseInstant } from '../../model/time.ts';
import type { SourceStream } from '../../model/watermark.ts';
import { backtest } from './backtest.ts';

/** The flow file of the worked example: what a reader of docs/flows.md would write for these logs. */
const SUB = 'payment.request_for_payment_submitted_by_employee';
const FIN = [
  'payment.request_for_payment_final_approved_by_supervisor',
  'payment.request_for_payment_final_approved_by_director',
];
const REQUESTS = flow.parse({
  flow: 'payment-requests',
  name: 'Requests for payment',
  owner: 'ap',
  expectations: [
    {
      id: 'approved-7d',
      kind: 'response',
      when: { types: [SUB] },
      expect: { types: FIN, since: 'ever' },
      within: '7d',
    },
    {
      id: 'approved-14d',
      kind: 'response',
      when: { types: [SUB] },
      expect: { types: FIN, since: 'ever' },
      within: '14d',
    },
    {
      id: 'paid-14d',
      kind: 'response',
      when: { types: FIN },
      expect: { types: ['payment.payment_handled'], since: 'ever' },
      within: '14d',
    },
    {
      id: 'stuck',
      kind: 'response',
      when: { types: [SUB], pick: 'last' },
      expect: { types: [...FIN, 'payment.payment_handled'], since: 'ever' },
      unless: { types: ['*rejected*'] },
      within: '14d',
    },
    {
      id: 'unpaid',
      kind: 'response',
      when: { types: FIN },
      expect: { types: ['payment.payment_handled'], since: 'ever' },
      unless: { types: ['*rejected*'] },
      within: '14d',
    },
  ],
});

const FIXTURES = process.env.CLOSEWATCH_FIXTURES ?? resolve(import.meta.dirname, '../../../shared/fixtures');
const LOGS = join(FIXTURES, 'eventlogs');
const missing = !existsSync(LOGS);

interface Row {
  case_id: string;
  pos: string;
  event_id: string;
  activity: string;
  timestamp: string;
}

const rowsOf = (log: string): Row[] =>
  parse(gunzipSync(readFileSync(join(LOGS, `${log}.events.csv.gz`))), { columns: true });

/** The events of a log as an import stores them, in the order in which the store gives them back. */
function readLog(log: string): FinanceEvent[] {
  return rowsOf(log)
    .map(
      (row): FinanceEvent => ({
        id: `${row.case_id}/${row.pos}`,
        source: log,
        type: `payment.${row.activity.toLowerCase().replace(/[^a-z0-9_-]+/g, '_')}`,
        version: 1,
        time: row.timestamp,
        receivedAt: row.timestamp,
        batch: '1',
        sequence: row.pos,
        company: 'university',
        subject: row.case_id,
        ingestPath: 'file',
        keys: [{ type: 'subject', value: row.case_id }],
        attributes: {},
        data: '{}',
      }),
    )
    .sort((a, b) => (a.subject < b.subject ? -1 : a.subject > b.subject ? 1 : 0));
}

const read = new Map<string, FinanceEvent[]>();
function eventsOf(log: string): FinanceEvent[] {
  const events = read.get(log) ?? readLog(log);
  read.set(log, events);
  return events;
}

const imported = (source: string, events: readonly FinanceEvent[]): SourceStream => ({
  source,
  company: 'university',
  stream: '',
  kind: 'imported',
  completeWithoutLimit: true,
  latenessNanos: 0n,
  silenceNanos: 0n,
  types: [...new Set(events.map(({ type }) => type))],
});

async function countsOf(log: string, asOf: string) {
  const events = eventsOf(log);
  const at = parseInstant(asOf) as bigint;
  const result = await backtest(
    { flows: [REQUESTS], companies: [], asOf: at },
    {
      sources: [imported(log, events)],
      now: at,
      events: {
        async *scan({ types }) {
          for (const event of events) {
            if ((parseInstant(event.time) as bigint) <= at && matchesTypes(types, event.type)) yield event;
          }
        },
      },
    },
  );
  for (const rule of result.rules) {
    expect(Object.values(rule.counts).reduce((sum, count) => sum + count, 0)).toBe(rule.anchors);
  }
  return Object.fromEntries(result.rules.map((rule) => [rule.id, rule.counts]));
}

if (missing) test.skip(`the public payment logs are not at ${LOGS}`);

test.skipIf(missing).each([
  ['RequestForPayment', { never: 450, unpaid: 51, later7: 1597, later14: 780, paid14: 625 }],
  ['PrepaidTravelCost', { never: 75, unpaid: 2, later7: 389, later14: 144, paid14: 132 }],
])('the whole of %s has its known numbers', async (log, known) => {
  const counts = await countsOf(log, '2100-01-01T00:00:00Z');
  const lateOrNever = (rule: string) => (counts[rule]?.late ?? 0) + (counts[rule]?.open ?? 0);
  expect({
    never: counts['approved-7d']?.open,
    unpaid: counts['paid-14d']?.open,
    later7: lateOrNever('approved-7d'),
    later14: lateOrNever('approved-14d'),
    paid14: lateOrNever('paid-14d'),
  }).toEqual(known);
});

test.skipIf(missing).each([
  ['RequestForPayment', '2018-06-01T00:00:00Z', 11, 13],
  ['RequestForPayment', '2018-09-01T00:00:00Z', 11, 18],
  ['PrepaidTravelCost', '2018-06-01T00:00:00Z', 3, 2],
  ['PrepaidTravelCost', '2018-09-01T00:00:00Z', 1, 3],
])('%s as of %s: %i stuck, %i approved and unpaid', async (log, asOf, stuck, unpaid) => {
  const counts = await countsOf(log, asOf);
  expect([counts.stuck?.open, counts.unpaid?.open]).toEqual([stuck, unpaid]);
});
