import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { closewatch, environment, fixtures, temporaryFolder, type Up, up } from './harness.ts';

/** Two real logs of payment requests (BPI Challenge 2020), imported and judged by the command line alone. */
const folder = temporaryFolder();
const data = join(folder.path, 'data');
let running: Up | undefined;
beforeAll(async () => {
  if (fixtures) running = await up(data);
});
afterAll(async () => {
  await running?.kill();
  folder.remove();
});

const map = (source: string, cases: string): string => `
source: ${source}
company: university
currency: EUR
kind: request
types:
  Request For Payment SUBMITTED by EMPLOYEE: request.submitted
  Request For Payment FINAL_APPROVED by *: request.final_approved
  Payment Handled: payment.handled
  "*REJECTED*": request.rejected
columns:
  case: case_id
  activity: activity
  time: timestamp
  sequence: pos
  actor: resource
  role: role
  eventId: event_id
cases:
  file: ${cases}
  case: case_id
  amount: RequestedAmount
`;

const FLOW = `
flow: payment-requests
name: Payment requests
owner: accounts-payable
expectations:
  - id: APPROVED-7D
    kind: response
    when: { types: [request.submitted] }
    expect: { types: [request.final_approved] }
    within: 7d
  - id: APPROVED-14D
    kind: response
    when: { types: [request.submitted] }
    expect: { types: [request.final_approved] }
    within: 14d
  - id: PAID-14D
    kind: response
    when: { types: [request.final_approved] }
    expect: { types: [payment.handled] }
    within: 14d
  - id: STUCK
    kind: response
    when: { types: [request.submitted], pick: last }
    expect: { types: [request.final_approved, payment.handled], since: ever }
    unless: { types: [request.rejected] }
    within: 14d
  - id: UNPAID
    kind: response
    when: { types: [request.final_approved] }
    expect: { types: [payment.handled] }
    unless: { types: [request.rejected] }
    within: 14d
`;

interface Counts {
  id: string;
  anchors: number;
  counts: Record<string, number>;
}

const EXPECTED = [
  {
    log: 'RequestForPayment',
    events: 36_072,
    end: { neverApproved: 450, neverPaid: 51, later7: 1597, later14: 780, laterPaid: 625 },
    stuck: { '2018-06-01': [11, 13], '2018-09-01': [11, 18] },
  },
  {
    log: 'PrepaidTravelCost',
    events: 17_507,
    end: { neverApproved: 75, neverPaid: 2, later7: 389, later14: 144, laterPaid: 132 },
    stuck: { '2018-06-01': [3, 2], '2018-09-01': [1, 3] },
  },
];

test.skipIf(!fixtures).each(EXPECTED)(
  '$log comes out exactly as counted by hand',
  async ({ log, events, end, stuck }) => {
    const env = environment(data);
    const flows = join(folder.path, 'flows');
    const [source, mapFile] = [`/university/${log}`, join(folder.path, `${log}.yaml`)];
    mkdirSync(flows, { recursive: true });
    writeFileSync(join(flows, 'requests.yaml'), FLOW);
    writeFileSync(mapFile, map(source, `${log}.cases.jsonl.gz`));
    const logs = join(fixtures ?? '', 'eventlogs');
    copyFileSync(join(logs, `${log}.cases.jsonl.gz`), join(folder.path, `${log}.cases.jsonl.gz`));

    const load = async (): Promise<unknown> => {
      const done = await closewatch(
        ['import', join(logs, `${log}.events.csv.gz`), '--map', mapFile, '--json'],
        env,
      );
      expect(done.code, done.stderr).toBe(0);
      return JSON.parse(done.stdout);
    };
    expect(await load()).toMatchObject({ rowsRead: events, stored: events, known: 0, bad: 0 });
    expect(await load()).toMatchObject({ rowsRead: events, stored: 0, known: events, bad: 0 });

    const judge = async (asOf: string) => {
      const done = await closewatch(
        ['backtest', '--flows', flows, '--as-of', asOf, '--source', source, '--json'],
        env,
      );
      expect(done.code, done.stderr).toBe(0);
      const { rules, exceptions } = JSON.parse(done.stdout) as {
        rules: Counts[];
        exceptions: { rule: string; state: string }[];
      };
      for (const { id, anchors, counts } of rules) {
        expect([id, Object.values(counts).reduce((sum, count) => sum + count, 0)]).toEqual([id, anchors]);
        const listed = exceptions.filter(({ rule }) => rule === id).length;
        expect([id, listed]).toEqual([id, counts.open! + counts.late! + counts.indeterminate!]);
      }
      return (id: string, ...states: string[]): number =>
        states.reduce(
          (sum, state) => sum + (rules.find((rule) => rule.id === id)?.counts[state] ?? Number.NaN),
          0,
        );
    };
    const atEnd = await judge('2100-01-01T00:00:00Z');
    expect({
      neverApproved: atEnd('APPROVED-7D', 'open'),
      neverPaid: atEnd('PAID-14D', 'open'),
      later7: atEnd('APPROVED-7D', 'open', 'late'),
      later14: atEnd('APPROVED-14D', 'open', 'late'),
      laterPaid: atEnd('PAID-14D', 'open', 'late'),
    }).toEqual(end);
    for (const [day, expected] of Object.entries(stuck)) {
      const then = await judge(`${day}T00:00:00Z`);
      expect([then('STUCK', 'open'), then('UNPAID', 'open')]).toEqual(expected);
    }
  },
);
