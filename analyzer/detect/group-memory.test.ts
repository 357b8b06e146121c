import { expect, test } from 'vitest';
import { flow } from '../../model/flow.ts';
import { eventsOf, instantOf, ruleOf } from './fixture.ts';
import { GroupMemory, slackOf } from './group-memory.ts';
import { groupKeyOf } from './groups.ts';
import type { Rule } from './rules.ts';
import { rulesOf } from './rules.ts';

const [rule] = rulesOf([
  flow.parse({
    flow: 'f',
    name: 'f',
    owner: 'ap',
    expectations: [
      ruleOf({
        kind: 'no-duplicate',
        group: ['party'],
        lookback: '4d',
        when: { types: ['x.*'] },
        same: ['amount'],
      }),
    ],
  }),
]) as [Rule];

const of = (party: string, ...written: string[]) =>
  eventsOf(written, { partyKey: party }).map((event) => ({ ...event, id: `${party}${event.id}` }));
const keyOf = (party: string): string =>
  groupKeyOf(rule.expectation, of(party, 'A@1')[0] as never)[0] as string;
const everything = { from: 0n, to: instantOf('31') };
const idsOf = (memory: GroupMemory, party: string, span = everything): string[] =>
  [...memory.get(rule, 'acme', [keyOf(party)], span).values()].flat().map(({ id }) => id);

function remembering(): GroupMemory {
  const memory = new GroupMemory();
  memory.at(7n);
  memory.remember(rule, 'acme', instantOf('1'), [...of('v', 'A@2', 'A@5'), ...of('w', 'A@3')]);
  return memory;
}

test('what was read once is given out by group and time, and what came since as well', () => {
  const memory = remembering();
  expect(memory.holds(rule, 'acme', instantOf('1'))).toBe(true);
  expect(memory.holds(rule, 'acme', instantOf('1') - 1n)).toBe(false);
  expect(memory.holds(rule, 'other', instantOf('1'))).toBe(false);
  const [late] = of('v', 'A@3') as [never];
  const [other] = of('v', 'A@4') as [never];
  memory.take({ after: 7n, upTo: 8n }, [
    Object.assign({}, late, { id: 'late' }),
    Object.assign({}, other, { id: 'elsewhere', company: 'other' }),
    Object.assign({}, other, { id: 'unknown', type: 'y.z' }),
    Object.assign({}, other, { id: 'old', at: instantOf('1') - 1n }),
  ]);
  expect(idsOf(memory, 'v')).toEqual(['v0', 'late', 'v1']);
  expect(idsOf(memory, 'v', { from: instantOf('3'), to: instantOf('5') - 1n })).toEqual(['late']);
  expect(idsOf(memory, 'w')).toEqual(['w0']);
});

test('an event that was read before its batch was taken is there once', () => {
  const memory = remembering();
  memory.take({ after: 7n, upTo: 8n }, of('v', 'A@2', 'A@5'));
  expect(idsOf(memory, 'v')).toEqual(['v0', 'v1']);
  // The same id of another source is another event.
  memory.take(
    { after: 8n, upTo: 9n },
    of('v', 'A@2').map((event) => ({ ...event, source: 'bank' })),
  );
  expect(idsOf(memory, 'v')).toEqual(['v0', 'v0', 'v1']);
});

test('nothing is remembered over batches that another process judged', () => {
  const memory = remembering();
  memory.at(7n);
  expect(memory.holds(rule, 'acme', instantOf('2'))).toBe(true);
  memory.at(8n);
  expect(memory.holds(rule, 'acme', instantOf('2'))).toBe(false);
  const again = remembering();
  again.take({ after: 8n, upTo: 9n }, []);
  expect(again.holds(rule, 'acme', instantOf('2'))).toBe(false);
});

test('what is older than anything that is asked for is let go', () => {
  const memory = remembering();
  for (let batch = 7n; batch < 12n; batch += 1n)
    memory.take(
      { after: batch, upTo: batch + 1n },
      of(
        'v',
        ...Array.from(
          { length: 400 },
          (_, i) => `A@20 ${String(i % 24).padStart(2, '0')}:${String(i % 60).padStart(2, '0')}`,
        ),
      ).map((event, i) => ({ ...event, id: `${batch}-${i}` })),
    );
  const reach = 4n * 86_400_000_000_000n;
  const from = instantOf('20 23:59') - 2n * reach - slackOf(rule);
  expect(from).toBeGreaterThan(instantOf('5'));
  expect(memory.holds(rule, 'acme', instantOf('1'))).toBe(false);
  expect(memory.holds(rule, 'acme', instantOf('12'))).toBe(true);
  expect(idsOf(memory, 'w')).toEqual([]);
  expect(idsOf(memory, 'v').length).toBe(2_000);
});

test('a rule whose groups outgrow the memory is not remembered', () => {
  const memory = remembering();
  const many = Array.from({ length: 2 * memory.mostOfOne + 1 }, (_, i) => ({
    ...(of('v', 'A@6')[0] as never as object),
    id: `m${i}`,
    sequence: BigInt(i),
  }));
  memory.take({ after: 7n, upTo: 8n }, many as never);
  expect(memory.holds(rule, 'acme', instantOf('6'))).toBe(false);
});
