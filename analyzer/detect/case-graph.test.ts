import { expect, test } from 'vitest';
import { flow } from '../../model/flow.ts';
import { createRandom } from '../../simulator/random.ts';
import { type CaseEvent, caseEventOf } from './case-event.ts';
import { CaseGraph, joiningOf } from './case-graph.ts';
import { casesOf } from './cases.ts';
import { eventsOf } from './fixture.ts';
import { rulesOf } from './rules.ts';

const response = (id: string, by: string[], across = false) => ({
  id,
  kind: 'response',
  by,
  across,
  when: { types: ['a.made'], pick: 'each' },
  expect: { types: ['b.made'] },
  within: '1d',
});
const RULES = rulesOf([
  flow.parse({
    flow: 'graph',
    name: 'Graph',
    owner: 'ap',
    expectations: [
      response('subject', ['subject']),
      response('docno', ['docno']),
      response('both', ['po', 'docno']),
      response('payment', ['e2e']),
      response('mirror', ['interco'], true),
      {
        id: 'once',
        kind: 'no-duplicate',
        by: ['po'],
        when: { types: ['a.made'] },
        unless: { types: ['c.made'] },
      },
    ],
  }),
]);
const [base] = eventsOf(['A@1 10:00']) as [CaseEvent];

/** An event of few values, so that many have something in common. */
function someEvent(random: ReturnType<typeof createRandom>, id: number): CaseEvent {
  const types = ['docno', 'po', 'e2e', 'interco'];
  const keys = types
    .filter(() => random.chance(0.4))
    .map((type) => ({ type, value: `v${random.int(0, 12)}` }));
  const { receivedAt, data, ...rest } = base;
  return caseEventOf({
    ...rest,
    ingestPath: 'push',
    keys,
    attributes: {},
    data: '{}',
    id: `e${id}`,
    time: BigInt(random.int(1, 50)),
    receivedAt: 1n,
    sequence: `${id}`,
    type: random.pick(['a.made', 'b.made', 'c.made', 'd.made']),
    company: random.pick(['acme', 'other']),
    subject: `s${random.int(0, 15)}`,
  });
}

const namesOf = (cases: Iterable<readonly CaseEvent[]>): string[] =>
  [...cases].map((events) => events.map(({ id }) => id).join()).sort();

test('a walk finds the cases that joining all events makes, whatever is read first', () => {
  const random = createRandom(7);
  for (let round = 0; round < 60; round += 1) {
    const events = Array.from({ length: 40 }, (_, id) => someEvent(random, id));
    const touched = events.filter(() => random.chance(0.3));
    const graph = new CaseGraph(joiningOf(RULES));
    for (const event of touched) graph.add(event.id, event);
    for (const rule of RULES) {
      const looked = events.filter(({ type }) => rule.looksAt(type));
      const own = touched.filter(({ type }) => rule.looksAt(type));
      const expected = casesOf(rule.expectation, looked).filter(
        (found) =>
          found.some((event) => own.includes(event)) && found.some(({ type }) => rule.mayAnchor(type)),
      );
      let walk = graph.walk(rule, own, []);
      for (; walk.unread.length > 0; walk = graph.walk(rule, own, [])) {
        const keys = new Set(graph.take(walk.unread));
        expect(keys.size).toBe(walk.unread.length);
        // What a store would give out: every event that has one of them.
        for (const event of events)
          if (keysOf(event).some((key) => keys.has(key))) graph.add(event.id, event);
        graph.read(keys);
      }
      expect(namesOf(walk.cases)).toEqual(namesOf(expected));
    }
  }
});

const keysOf = (event: CaseEvent): string[] => RULES.flatMap((rule) => [...rule.keysOf(event)]);

test('an event that is read twice counts once', () => {
  const random = createRandom(1);
  const event = { ...someEvent(random, 1), type: 'a.made' };
  const graph = new CaseGraph(joiningOf(RULES));
  graph.read(graph.add('erp e1', event));
  expect(graph.add('erp e1', { ...event })).toEqual([]);
  const [rule] = RULES as [(typeof RULES)[0]];
  expect(graph.walk(rule, [event], []).cases.map((found) => found.length)).toEqual([1]);
});

test('keys that are taken are not given out again, and are named until they are read', () => {
  const random = createRandom(1);
  const event = { ...someEvent(random, 1), type: 'a.made' };
  const graph = new CaseGraph(joiningOf(RULES));
  const [subject] = graph.add('erp e1', event) as [string];
  const [rule] = RULES as [(typeof RULES)[0]];
  expect(graph.walk(rule, [event], []).unread).toEqual([subject]);
  expect(graph.take([subject])).toEqual([subject]);
  expect(graph.take([subject])).toEqual([]);
  expect(graph.walk(rule, [event], []).unread).toEqual([subject]);
  graph.read([subject]);
  expect(graph.walk(rule, [event], []).unread).toEqual([]);
});
