import { expect, test } from 'vitest';
import type { CaseEvent } from './case-event.ts';
import { casesOf } from './cases.ts';
import { eventsOf } from './fixture.ts';

const event = (id: string, keys: string[], given: Partial<CaseEvent> = {}): CaseEvent => ({
  ...(eventsOf([`A@1 10:0${id}`])[0] as CaseEvent),
  id,
  subject: `s${id}`,
  keys: keys.map((text) => ({ type: text.split(':')[0] as string, value: text.split(':')[1] as string })),
  ...given,
});
const ids = (by: string[], events: CaseEvent[]) =>
  casesOf({ id: 'R-1', by, kind: 'response' }, events).map((group) => group.map(({ id }) => id));

test('keys join events, also through others', () => {
  const events = [
    event('1', ['docno:B1']),
    event('2', ['docno:B2']),
    event('3', ['docno:B1', 'po:P']),
    event('4', ['po:P', 'docno:B2']),
  ];
  expect(ids(['docno'], events)).toEqual([
    ['1', '3'],
    ['2', '4'],
  ]);
  expect(ids(['docno', 'po'], events)).toEqual([['1', '2', '3', '4']]);
});

test('keys of another type, company or room do not', () => {
  expect(ids(['docno'], [event('1', ['docno:B1']), event('2', ['po:B1'])])).toEqual([['1'], ['2']]);
  expect(ids(['docno'], [event('1', ['docno:B1']), event('2', ['docno:B1'], { company: 'other' })])).toEqual([
    ['1'],
    ['2'],
  ]);
  expect(ids(['e2e'], [event('1', ['e2e:X']), event('2', ['e2e:X'], { company: 'other' })])).toEqual([
    ['1'],
    ['2'],
  ]);
  expect(ids(['extid'], [event('1', ['extid:X']), event('2', ['extid:X'], { source: 'other' })])).toEqual([
    ['1'],
    ['2'],
  ]);
});

test('group keys and suggestions never join', () => {
  const guess = { keys: [{ type: 'docno', value: 'B1', strength: 'heuristic' as const }] };
  expect(ids(['batch'], [event('1', ['batch:X']), event('2', ['batch:X'])])).toEqual([['1'], ['2']]);
  expect(ids(['docno'], [event('1', ['docno:B1']), event('2', [], guess)])).toEqual([['1'], ['2']]);
});

test('an event without any of the keys joins by its subject alone', () => {
  expect(
    ids(
      ['docno'],
      [
        event('1', [], { subject: 's' }),
        event('2', [], { subject: 's' }),
        event('3', ['docno:B1'], { subject: 's' }),
      ],
    ),
  ).toEqual([['1', '2'], ['3']]);
});

test('subjects join as they are written, within their source', () => {
  const of = (id: string, subject: string, source = 'erp') => event(id, [], { subject, source });
  expect(ids(['subject'], [of('1', 'A'), of('2', 'a'), of('3', 'A'), of('4', 'A', 'ocr')])).toEqual([
    ['1', '3'],
    ['2'],
    ['4'],
  ]);
});
