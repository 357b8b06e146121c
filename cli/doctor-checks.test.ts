import { expect, test } from 'vitest';
import {
  attempt,
  checkAnchored,
  checkClocks,
  checkDetection,
  checkFlows,
  checkLosses,
  checkMemory,
  checkNode,
  checkSources,
  checkSpace,
  ok,
  printed,
  problem,
  type SourceState,
} from './doctor-checks.ts';

const GIB = 2 ** 30;
const stream = (source: string, fresh: boolean, more: Partial<SourceState> = {}): SourceState => ({
  source,
  company: 'acme',
  stream: '',
  kind: 'declared',
  fresh,
  completeUpTo: fresh ? '2026-06-01T00:00:00Z' : null,
  whyStale: fresh ? null : 'Nothing has arrived for 3 h.',
  telemetry: false,
  events: 1,
  errors: 0,
  rate1h: 0,
  lost24h: 0,
  clock: null,
  ...more,
});

test('a chain that is not anchored for two hours is a problem', () => {
  expect(checkAnchored(undefined).state).toBe('ok');
  expect(checkAnchored(3_500).state).toBe('ok');
  expect(checkAnchored(8_000)).toMatchObject({
    state: 'problem',
    finding: expect.stringContaining('8000 s'),
  });
});

test('Node 24 is asked for', () => {
  expect(checkNode('24.1.0').state).toBe('ok');
  expect(checkNode('20.20.2').state).toBe('problem');
});

test('a full disk is a problem, a nearly full one worth knowing', () => {
  expect([GIB - 1, GIB, 5 * GIB].map((free) => checkSpace(free).state)).toEqual(['problem', 'note', 'ok']);
});

test('the engine must leave half a GiB to the rest', () => {
  expect(checkMemory(1.4 * GIB, GIB).state).toBe('problem');
  expect(checkMemory(1.5 * GIB, GIB).state).toBe('ok');
  expect(checkMemory(0.5 * GIB, undefined).state).toBe('ok');
});

test('a stale source is a problem and is named; none at all is not', () => {
  expect(checkSources([]).state).toBe('note');
  expect(checkSources([stream('/odoo', true)]).state).toBe('ok');
  const check = checkSources([stream('/odoo', true), stream('/bank', false)]);
  expect(check).toMatchObject({
    state: 'problem',
    finding: '1 of 2 streams are stale. /bank of acme: Nothing has arrived for 3 h.',
  });
});

test('telemetry that is silent is worth knowing, and hides no stale source', () => {
  const traces = stream('/ocr', false, { company: '', stream: 'traces', telemetry: true });
  expect(checkSources([stream('/odoo', true), traces])).toMatchObject({
    state: 'note',
    finding: 'telemetry is silent. /ocr, traces: Nothing has arrived for 3 h.',
  });
  expect(checkSources([traces, stream('/bank', false)])).toMatchObject({
    state: 'problem',
    finding: expect.stringMatching(/^1 of 2 .*\/bank of acme/),
  });
});

test('of many stale streams five are told and the rest counted', () => {
  const { finding } = checkSources(Array.from({ length: 8 }, (_, n) => stream(`/s${n}`, false)));
  expect(finding).toContain('/s4 of acme');
  expect(finding).not.toContain('/s5');
  expect(finding).toMatch(/And 3 more\.$/);
});

test('a clock that runs ahead is named once, whatever the streams of its source', () => {
  const clock = { skewMs: 7_200, confidence: 'high', records: 9, from: 0, to: 60_000 } as const;
  const ahead = { clock: { ...clock, state: 'ahead' } } as const;
  const behind = { clock: { ...clock, state: 'late-or-behind', skewMs: -600_000 } } as const;
  expect(checkClocks([stream('/odoo', true)]).state).toBe('ok');
  const check = checkClocks([
    stream('/ocr', true, ahead),
    stream('/ocr', true, { ...ahead, stream: 'traces' }),
    stream('/bank', true, behind),
  ]);
  expect(check).toMatchObject({
    state: 'note',
    finding:
      'The clock of /ocr is 7 s ahead (confidence high). What /bank sends is late, or its clock behind, by at least 600 s.',
  });
});

test('losses are told with who can mend the gravest; what Closewatch itself lost is a problem', () => {
  const lost = { company: 'acme', stream: '', records: 7, lastAt: new Date(0), detail: null };
  const invalid = { ...lost, source: '/ocr', reason: 'invalid' };
  expect(checkLosses([]).state).toBe('ok');
  expect(checkLosses([invalid])).toMatchObject({
    state: 'note',
    finding: 'in the last 24 hours: 7 invalid of /ocr of acme.',
    advice: expect.stringContaining('inbox list'),
  });
  expect(checkLosses([invalid, { ...lost, source: '/ocr', reason: 'poison', records: 1 }])).toMatchObject({
    state: 'problem',
    advice: expect.stringContaining('report it'),
  });
});

test('detection that has stopped in a running process is a problem', () => {
  expect(checkDetection(undefined, true).state).toBe('note');
  expect(checkDetection(600, true).state).toBe('ok');
  expect(checkDetection(601, true).state).toBe('problem');
  expect(checkDetection(86_400, false).state).toBe('ok');
});

test('rules that wait for their first event are listed', () => {
  const rule = { flow: 'ap', why: '' };
  expect(checkFlows([]).state).toBe('problem');
  const check = checkFlows([
    { ...rule, rule: 'MP-02', status: 'active' },
    { ...rule, rule: 'SA-02', status: 'waiting' },
    { ...rule, rule: 'XX-01', status: 'off' },
  ]);
  expect(check).toEqual({
    name: 'flows',
    state: 'note',
    finding: '3 rules, 1 active; not applicable yet: SA-02',
  });
  const why = 'purchase.order is not in /odoo/prod';
  expect(checkFlows([{ flow: 'po', rule: 'PO-01', status: 'not applicable', why }]).finding).toBe(
    '1 rules, 0 active; not applicable: PO-01, as purchase.order is not in /odoo/prod',
  );
});

test('a check that throws is a problem', async () => {
  const failing = () => {
    throw new Error('no such host');
  };
  expect(await attempt('redis', failing, 'start it')).toEqual(problem('redis', 'no such host', 'start it'));
});

test('people read one line a check, and what to do', () => {
  expect(printed([ok('node', 'Node 24'), problem('ports', '4318 is taken', 'set another')])).toBe(
    '✓ node           Node 24\n✗ ports          4318 is taken\n                 → set another\n\n1 problem(s)\n',
  );
});
