import { expect, test } from 'vitest';
import { defaultCompany } from '../../model/company.ts';
import { matchesTypes } from '../../model/event-pattern.ts';
import { flow } from '../../model/flow.ts';
import type { SourceStream } from '../../model/watermark.ts';
import { completenessOf } from './completeness.ts';
import { instantOf, ruleOf } from './fixture.ts';

const RULE = { kind: 'response', when: { types: ['x.a'] }, expect: { types: ['x.b'] } };
const stream = (source: string, given: Partial<SourceStream> = {}): SourceStream => ({
  source,
  company: 'acme',
  stream: '',
  kind: 'declared',
  completeUpTo: instantOf('5'),
  completeWithoutLimit: false,
  latenessNanos: 0n,
  silenceNanos: 0n,
  types: ['x.b'],
  ...given,
});
const imported = { kind: 'imported', completeWithoutLimit: true, completeUpTo: undefined } as const;

test.each([
  [
    'the sender of the expected types decides',
    {},
    [stream('a'), stream('b', { types: ['x.a'], completeUpTo: 1n })],
    '5',
  ],
  ['the least of several', {}, [stream('a'), stream('b', { completeUpTo: instantOf('3') })], '3'],
  ['never later than the instant', {}, [stream('a', { completeUpTo: instantOf('20') })], '9'],
  ['a closed import is complete without limit', {}, [stream('a', imported)], '9'],
  [
    'an import that names its end is complete up to it',
    {},
    [stream('a', { ...imported, completeWithoutLimit: false, completeUpTo: instantOf('4') })],
    '4',
  ],
  ['nobody known to send it: nothing is known', {}, [stream('start', { types: ['x.a'] })], undefined],
  [
    'nobody ever sent it, but the log is closed: it is not there',
    {},
    [stream('start', { ...imported, types: ['x.a'] })],
    '9',
  ],
  ['another closed log says nothing', {}, [stream('other', { ...imported, types: ['x.a'] })], undefined],
  ['another company does not count', {}, [stream('a', { company: 'other' })], undefined],
  [
    'named sources, whatever they send',
    { dependsOn: ['b'] },
    [stream('a'), stream('b', { types: [], completeUpTo: instantOf('2') })],
    '2',
  ],
  ['a named source that is not there', { dependsOn: ['a', 'c'] }, [stream('a')], undefined],
  [
    'heartbeats of streams speak for what the source sends, the least of them',
    {},
    [
      stream('a', { kind: 'assumed', completeUpTo: undefined, lastArrivalAt: instantOf('12') }),
      stream('a', { stream: 'bills', types: [], completeUpTo: instantOf('3') }),
      stream('a', { stream: 'payments', types: [], completeUpTo: instantOf('6') }),
      stream('b', { stream: 'bills', types: [], completeUpTo: instantOf('1') }),
    ],
    '3',
  ],
  [
    'and of a source that is named',
    { dependsOn: ['a'] },
    [
      stream('a', { kind: 'assumed', completeUpTo: undefined, lastArrivalAt: instantOf('12') }),
      stream('a', { stream: 'bills', types: [], completeUpTo: instantOf('3') }),
    ],
    '3',
  ],
  ['one that assures nothing', {}, [stream('a'), stream('b', { completeUpTo: undefined })], undefined],
])('%s', (_, rule, streams, watermark) => {
  const question = { at: instantOf('9'), now: instantOf('12'), companyOf: defaultCompany };
  const answer = completenessOf(
    ruleOf({ ...RULE, ...rule }),
    streams,
    { company: 'acme', source: 'start' },
    question,
  );
  expect(answer.watermark).toBe(watermark === undefined ? undefined : instantOf(watermark));
});

test('globs take any text for a star, and no longer for many', () => {
  expect(matchesTypes(['*rejected*'], 'rfp.rejected_by_missing')).toBe(true);
  expect(matchesTypes(['bill.*.ok'], 'bill.ok')).toBe(false);
  expect(matchesTypes(['bill.*'], 'bills.posted')).toBe(false);
  expect(matchesTypes(['*a*b'], 'xaxb')).toBe(true);
  expect(matchesTypes(['a*a'], 'a')).toBe(false);
  const start = performance.now();
  expect(matchesTypes([`${'*a'.repeat(40)}*b`], 'a'.repeat(120))).toBe(false);
  expect(performance.now() - start).toBeLessThan(50);
});

test('a rule of a flow file is switched on and at version 1 unless it says otherwise', () => {
  const read = flow.parse({
    flow: 'f',
    name: 'f',
    owner: 'o',
    expectations: [{ id: 'R', within: '1d', ...RULE }],
  });
  expect(read.expectations[0]).toMatchObject({ enabled: true, version: 1, by: ['subject'] });
});
