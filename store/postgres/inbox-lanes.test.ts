import { expect, test } from 'vitest';
import { type Call, createLanes } from './inbox-lanes.ts';

interface Named extends Call {
  readonly name: string;
}
const call = (name: string, events: number, critical = false): Named => ({
  name,
  critical,
  size: { events, characters: events },
});
const most = { events: 10_000, characters: 1 << 20 };
const names = (calls: readonly Named[]): string[] => calls.map(({ name }) => name);

test('what is critical goes before the backlog, and the backlog has a turn after four of it', () => {
  const lanes = createLanes<Named>(most, 1);
  for (let i = 0; i < 3; i++) lanes.push(call(`bills-${i}`, 2_600));
  lanes.push(call('payment', 1, true));
  expect(names(lanes.next())).toEqual(['payment']);
  const turns: string[] = [];
  for (let i = 0; i < 6; i++) {
    lanes.push(call(`payment-${i}`, 1, true));
    turns.push(...names(lanes.next()));
  }
  expect(turns).toEqual([
    'payment-0',
    'payment-1',
    'payment-2',
    'bills-0',
    'payment-3',
    'payment-4',
    'payment-5',
  ]);
  expect([lanes.events, lanes.hasCritical]).toEqual([5_200, false]);
});

test('a little of both goes together; calls stay whole and in their order; a large one goes alone', () => {
  const lanes = createLanes<Named>(most, 1);
  lanes.push(call('a', 200));
  lanes.push(call('b', 200, true));
  expect(names(lanes.next())).toEqual(['b', 'a']);
  for (const [name, events] of [
    ['c', 3_000],
    ['d', 2_000],
    ['e', 1],
  ] as const)
    lanes.push(call(name, events));
  expect(names(lanes.next())).toEqual(['c', 'd']);
  expect(names(lanes.next())).toEqual(['e']);
  lanes.push(call('huge', 20_000));
  expect(names(lanes.next())).toEqual(['huge']);
  expect(lanes.next()).toEqual([]);
});

test('the ordinary lane is full before the critical one', () => {
  const lanes = createLanes<Named>(most, 0.75);
  lanes.push(call('a', 7_500));
  expect(() => lanes.push(call('b', 1))).toThrow(expect.objectContaining({ code: 'request.overloaded' }));
  lanes.push(call('c', 2_500, true));
  expect(() => lanes.push(call('d', 1, true))).toThrow(
    expect.objectContaining({ code: 'request.overloaded' }),
  );
  lanes.next();
  lanes.push(call('e', 1, true));
});
