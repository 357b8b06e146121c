import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { closewatch, environment, temporaryFolder, type Up, up } from './harness.ts';

/** What people try rules with, by the command line, on a log of 200 requests whose waits are known. */
const folder = temporaryFolder();
const data = join(folder.path, 'data');
let running: Up | undefined;

const DAY = 86_400_000;
const START = Date.parse('2026-01-05T09:00:00Z');
const instant = (ms: number): string => new Date(ms).toISOString();

/** Request n comes on day n/2, is approved n % 5 + 1 days later and paid a day after that; every 20th is never approved. */
const REQUESTS = Array.from({ length: 200 }, (_, n) => {
  const at = START + (n / 2) * DAY;
  const approved = at + ((n % 5) + 1) * DAY;
  const steps: [string, number][] = [['Submitted', at]];
  if (n % 20 !== 7) steps.push(['Approved', approved], ['Paid', approved + DAY]);
  return steps.map(([activity, time]) => `R-${n},${activity},${instant(time)}`);
}).flat();

const flowFile = (within: string): string => `
flow: requests
name: Requests
owner: ap
expectations:
  - id: APPROVED
    kind: response
    when: { types: [request.submitted] }
    expect: { types: [request.approved] }
    within: ${within}
`;

beforeAll(async () => {
  running = await up(data);
  for (const within of ['3d', '6d']) {
    mkdirSync(join(folder.path, within), { recursive: true });
    writeFileSync(join(folder.path, within, 'requests.yaml'), flowFile(within));
  }
  writeFileSync(join(folder.path, 'log.csv'), `case,activity,time\n${REQUESTS.join('\n')}\n`);
  writeFileSync(
    join(folder.path, 'log.yaml'),
    'source: /requests\ncompany: acme\ncurrency: EUR\nkind: request\ncolumns: { case: case, activity: activity, time: time }\n',
  );
  const done = await closewatch(
    ['import', join(folder.path, 'log.csv'), '--map', join(folder.path, 'log.yaml')],
    environment(data),
  );
  expect(done.code, done.stderr).toBe(0);
});
afterAll(async () => {
  await running?.kill();
  folder.remove();
});

async function json<T>(...args: string[]): Promise<T> {
  const done = await closewatch([...args, '--json'], environment(data));
  expect(done.code, done.stderr).toBe(0);
  return JSON.parse(done.stdout) as T;
}

const flows = (within: string): string[] => ['--flows', join(folder.path, within)];

describe('a span that is swept', () => {
  test('says when each exception was raised, for how long, and how many a day', async () => {
    const result = await json<{
      judgements: number;
      rules: object[];
      raised: { subject: string; raisedAt: string; endedAt: string | null }[];
    }>('backtest', ...flows('3d'), '--from', '2026-01-05T12:00:00Z', '--to', '2026-01-25T12:00:00Z');
    expect(result.judgements).toBe(21);
    // R-3 waits four days, so that it stands open for one; R-7 is never approved.
    expect(result.raised.find(({ subject }) => subject === 'R-3')).toMatchObject({
      raisedAt: '2026-01-10T12:00:00Z',
      endedAt: '2026-01-11T12:00:00Z',
    });
    expect(result.raised.find(({ subject }) => subject === 'R-7')).toMatchObject({ endedAt: null });
    expect(result.raised.find(({ subject }) => subject === 'R-0')).toBeUndefined();
    expect(result.rules).toMatchObject([{ id: 'APPROVED', raised: result.raised.length }]);
  });

  test('compares two rule sets', async () => {
    const { comparison } = await json<{
      comparison: { rules: object[]; onlyFirst: { subject: string }[]; onlySecond: object[] };
    }>(
      'backtest',
      ...flows('3d'),
      '--against',
      join(folder.path, '6d'),
      '--from',
      '2026-01-05T12:00:00Z',
      '--to',
      '2026-01-25T12:00:00Z',
    );
    expect(comparison.onlySecond).toEqual([]);
    expect(comparison.onlyFirst.map(({ subject }) => subject)).toContain('R-3');
    expect(comparison.onlyFirst.map(({ subject }) => subject)).not.toContain('R-7');
  });

  test('must be one', async () => {
    const done = await closewatch(
      ['backtest', ...flows('3d'), '--from', '2026-02-01', '--to', '2026-01-01'],
      environment(data),
    );
    expect([done.code, done.stderr]).toEqual([2, 'closewatch: --from must lie before --to\n']);
    const fine = await closewatch(
      ['backtest', ...flows('3d'), '--from', '2026-01-01', '--to', '2026-02-01', '--every', '1s'],
      environment(data),
    );
    expect([fine.code, fine.stderr]).toEqual([
      2,
      'closewatch: a span may have 1000 judgements: --every is too short\n',
    ]);
  });
});

test('deadlines are learned from the waits', async () => {
  expect(await json('flows', 'learn', ...flows('3d'), '--as-of', '2026-07-01')).toEqual([
    {
      rule: 'APPROVED',
      company: 'acme',
      within: '3d',
      answered: 190,
      due: 200,
      p50: '3d',
      p95: '5d',
      p99: '5d',
      proposed: '5d',
      alertsADay: expect.closeTo(10 / 99, 2),
      alertsADayNow: expect.closeTo((10 + 80) / 99, 1),
    },
  ]);
  const done = await closewatch(
    ['flows', 'learn', ...flows('3d'), '--as-of', '2026-07-01'],
    environment(data),
  );
  expect(done.stdout).toContain(
    'companies:\n  - key: acme\n    rules:\n      APPROVED:\n        within: 5d\n',
  );
});

test('follow-ups are discovered, and offered as a flow file that can be used', async () => {
  const done = await closewatch(
    ['flows', 'discover', '--as-of', '2026-07-01', '--confidence', '0.9'],
    environment(data),
  );
  expect(done.code, done.stderr).toBe(0);
  expect(done.stdout).toMatch(/request\.approved followed request\.submitted in 95\.0 % of 200 cases/);
  expect(done.stdout).toMatch(/request\.paid followed request\.approved in 100\.0 % of 190 cases/);
  // Paid after submitted is what the two steps say.
  expect(done.stdout).not.toMatch(/request\.paid followed request\.submitted/);
  mkdirSync(join(folder.path, 'discovered'));
  writeFileSync(join(folder.path, 'discovered', 'flow.yaml'), done.stdout);
  const { rules } = await json<{ rules: { anchors: number }[] }>(
    'backtest',
    '--flows',
    join(folder.path, 'discovered'),
    '--as-of',
    '2026-07-01',
  );
  expect(rules.map(({ anchors }) => anchors).sort()).toEqual([190, 200]);
});

test('what waits is told with its risk, and how well risks told breaches before', async () => {
  const { pending, measured } = await json<{
    pending: { subject: string; risk: number }[];
    measured: Record<string, { count: number; auc: number }>;
  }>('flows', 'predict', ...flows('3d'), '--as-of', '2026-04-14T10:00:00Z', '--risk', '0');
  const risks = new Map(pending.map(({ subject, risk }) => [subject, risk]));
  expect(pending.length).toBeGreaterThan(2);
  for (const { risk } of pending) expect(risk).toBeGreaterThan(0.2);
  expect([...risks.values()]).toEqual([...risks.values()].sort((a, b) => b - a));
  expect(measured.APPROVED?.count).toBeGreaterThan(40);
});

test('the status of every rule says why', async () => {
  const status = await json<{ rule: string; company: string; status: string; why: string }[]>(
    'flows',
    'status',
  );
  const of = (id: string) => status.find(({ rule, company }) => rule === id && company === 'acme');
  expect(of('MP-02')).toMatchObject({ status: 'not applicable', why: 'no source tells bill.received' });
  expect(of('DC-02')).toMatchObject({ status: 'active' });
  expect(status.filter(({ company }) => company === 'acme').length).toBeGreaterThan(64);
});

describe('a truth of somebody else', () => {
  const events = join(folder.path, 'landscape');
  const truth = join(folder.path, 'truth.jsonl');
  const fact = (n: number, type: string, at: string): string =>
    JSON.stringify({
      specversion: '1.0',
      id: `${type}-${n}`,
      source: '/crm',
      type: `closewatch.${type}.v1`,
      subject: `R-${n}`,
      time: at,
      companyid: 'acme',
      data: {
        object: { kind: 'request' },
        org: { companyKey: 'acme' },
        keys: [{ type: 'extid', value: `R-${n}` }],
      },
    });

  test('scores what was found, missed and said wrongly', async () => {
    mkdirSync(events);
    const lines = [0, 1, 2, 3].flatMap((n) => [
      fact(n, 'request.submitted', '2026-03-02T09:00:00Z'),
      ...(n < 2 ? [fact(n, 'request.approved', '2026-03-03T09:00:00Z')] : []),
    ]);
    // The same event twice counts once.
    writeFileSync(join(events, 'crm.jsonl'), `${[...lines, lines[0]].join('\n')}\n`);
    writeFileSync(
      truth,
      [1, 2].map((n) => JSON.stringify({ rule: 'APPROVED', company: 'acme', subject: `R-${n}` })).join('\n'),
    );
    const score = await json('eval', 'detection', '--events', events, '--truth', truth, ...flows('3d'));
    expect(score).toMatchObject({
      exact: { planted: 2, found: 1, missed: 1, wrong: 1, recall: 0.5, precision: 0.5 },
      missed: [{ rule: 'APPROVED', company: 'acme', subject: 'R-1' }],
      wrong: [{ rule: 'APPROVED', company: 'acme', subject: 'R-3' }],
      events: 6,
    });
  });

  test('names file and line of what is no event', async () => {
    writeFileSync(join(events, 'more.jsonl'), '{"specversion":"1.0"}\n');
    const done = await closewatch(
      ['eval', 'detection', '--events', events, '--truth', truth],
      environment(data),
    );
    expect([done.code, done.stderr]).toEqual([
      1,
      expect.stringMatching(/^closewatch: more\.jsonl, line 1: /),
    ]);
  });
});

test('labelled series are scored', async () => {
  const at = (index: number): string =>
    instant(START + index * 300_000)
      .slice(0, 19)
      .replace('T', ' ');
  const rows = Array.from(
    { length: 4000 },
    (_, index) => `${at(index)},${index >= 3000 && index < 3040 ? 90 : 20 + (index % 5)}`,
  );
  const series = join(folder.path, 'series');
  mkdirSync(series);
  writeFileSync(join(series, 'a.csv'), `timestamp,value\n${rows.join('\n')}\n`);
  writeFileSync(join(folder.path, 'windows.json'), JSON.stringify({ 'a.csv': [[at(2990), at(3060)]] }));
  const score = await json(
    'eval',
    'anomalies',
    '--series',
    series,
    '--windows',
    join(folder.path, 'windows.json'),
  );
  expect(score).toMatchObject({ series: 1, points: 3400, windows: 1, hit: 1, falseAlerts: 0 });
});
