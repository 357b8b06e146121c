import { afterAll, beforeEach, expect, test, vi } from 'vitest';
import { ACME, detectionHouse, event, FLOWS, PICKS } from '../../test/detection-house.ts';
import { instantOf } from './fixture.ts';
import { createDetector } from './pass.ts';

/** Rules that come, go and come back. */
const house = await detectionHouse();
afterAll(() => house.remove());
beforeEach(() => house.clear());
const { arrive, complete, detector, events, exceptions, logger, obligations, postgres } = house;

test('a rule that is gone takes its exceptions with it, and a new version judges again', async () => {
  await complete('30');
  await arrive(event('bill.drafted', '1', { subject: 'm1' }), event('bill.received', '1', { supref: 'V:1' }));
  await detector().pass(instantOf('9'));
  const changed = FLOWS.map((one) => ({
    ...one,
    expectations: one.expectations
      .filter(({ id }) => id !== 'draft')
      .map((rule) => (rule.kind === 'response' ? { ...rule, version: 2, within: '20d' } : rule)),
  }));
  await detector(changed).pass(instantOf('10'));
  expect(await exceptions()).toEqual([
    ['draft', 'm1', 'resolved', true],
    ['posted', 'doc', 'resolved', true],
  ]);
  expect((await obligations()).map((row) => [row.rule, row.state, row.rule_version])).toEqual([
    ['posted', 'pending', 2],
  ]);
});

test('a rule that is switched off and on again, and one that is new, judge what is stored', async () => {
  await complete('30');
  await arrive(event('bill.drafted', '1', { subject: 'm1' }), event('bill.received', '1', { supref: 'V:1' }));
  await detector().pass(instantOf('9'));
  const without = FLOWS.map((one) => ({
    ...one,
    expectations: one.expectations.filter(({ id }) => id !== 'draft'),
  }));
  await detector(without).pass(instantOf('10'));
  expect(await exceptions()).toEqual([
    ['draft', 'm1', 'resolved', true],
    ['posted', 'doc', 'open', true],
  ]);
  await detector([...FLOWS, PICKS]).pass(instantOf('11'));
  expect(await exceptions()).toEqual([
    ['draft', 'm1', 'open', true],
    ['each', 'doc', 'open', true],
    ['each', 'm1', 'open', true],
    ['last', 'doc', 'open', true],
    ['last', 'm1', 'open', true],
    ['posted', 'doc', 'open', true],
  ]);
  // It is done once.
  expect(await detector([...FLOWS, PICKS]).pass(instantOf('11'))).toMatchObject({ judged: 0 });
});

test('a new rule judges what a process that does not have it passes on', async () => {
  await complete('30');
  const [old, young] = [detector(), detector([...FLOWS, PICKS])];
  const received = (n: number) => event('bill.received', '1', { supref: `V:${n}`, subject: `s${n}` });
  const open = async () =>
    (await exceptions()).filter(([rule]) => rule === 'last' || rule === 'posted').map((row) => row.join(' '));
  await arrive(received(1));
  await old.pass(instantOf('9'));
  await young.pass(instantOf('9'));
  expect(await open()).toEqual(['last s1 open true', 'posted s1 open true']);
  // The process of before goes on for a while under the rules that it knows.
  for (const n of [2, 3]) {
    await arrive(received(n));
    await old.pass(instantOf('9'));
  }
  expect(await open()).toHaveLength(4);
  const both = [1, 2, 3].flatMap((n) => [`last s${n} open true`, `posted s${n} open true`]).sort();
  await young.pass(instantOf('9'));
  expect(await open()).toEqual(both);
  await arrive(received(4));
  await old.pass(instantOf('9'));
  // One that starts later knows it too, and does it once.
  await detector([...FLOWS, PICKS]).pass(instantOf('9'));
  expect(await open()).toEqual([...both, 'last s4 open true', 'posted s4 open true'].sort());
  expect(await young.pass(instantOf('9'))).toMatchObject({ judged: 0 });
});

test('how far a new rule has come is remembered, and a pass may take it to the end', async () => {
  await complete('30');
  const drafted = (n: number) => event('bill.drafted', '1', { subject: `m${n}` });
  const big = (from: number) => Array.from({ length: 2_000 }, (_, n) => drafted(from + n));
  for (const from of [0, 2_000, 4_000]) await arrive(...big(from));
  await detector([]).pass(instantOf('9'));
  // The process ends in the second of three windows.
  let windows = 0;
  const dying: typeof events = {
    ...events,
    async *factsInBatches(after, upTo, dataTypes) {
      windows += 1;
      if (windows === 2) throw new Error('killed');
      yield* events.factsInBatches(after, upTo, dataTypes);
    },
  };
  const deps = { postgres, flows: FLOWS, companies: [ACME], logger };
  await expect(createDetector({ ...deps, events: dying }).pass(instantOf('9'))).rejects.toThrow('killed');
  expect(await obligations()).toHaveLength(2_000);
  // Reading a window takes longer than a pass may spend on what is stored.
  let clock = 0;
  const time = vi.spyOn(performance, 'now').mockImplementation(() => clock);
  const slow: typeof events = {
    ...events,
    factsInBatches(after, upTo, dataTypes) {
      clock += 6_000;
      return events.factsInBatches(after, upTo, dataTypes);
    },
  };
  try {
    const { pass } = createDetector({ ...deps, events: slow });
    await arrive(...big(6_000));
    // The second window, and what is new.
    expect(await pass(instantOf('9'))).toMatchObject({ events: 4_000, opened: 4_000 });
    await detector([]).pass(instantOf('9'));
    expect(
      await createDetector({ ...deps, events: slow }).pass(instantOf('9'), { catchUp: true }),
    ).toMatchObject({ events: 8_000, opened: 8_000 });
  } finally {
    time.mockRestore();
  }
  expect((await obligations()).filter(({ rule }) => rule === 'draft')).toHaveLength(8_000);
});
