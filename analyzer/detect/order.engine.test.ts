import fc from 'fast-check';
import { afterAll, beforeEach, expect, test } from 'vitest';
import type { FinanceEvent } from '../../model/event.ts';
import type { Flow } from '../../model/flow.ts';
import { formatInstant } from '../../model/time.ts';
import type { SourceStream } from '../../model/watermark.ts';
import { ACME, detectionHouse, event, FLOWS, PICKS } from '../../test/detection-house.ts';
import { caseEventOf } from './case-event.ts';
import { casesOf } from './cases.ts';
import { createCompleteness } from './completeness.ts';
import { evaluate } from './evaluators.ts';
import { instantOf } from './fixture.ts';
import type { Detector } from './pass.ts';
import { rulesOf } from './rules.ts';

/** However events come and passes run, detection ends where one judgement of everything ends. */
const house = await detectionHouse();
afterAll(() => house.remove());
beforeEach(() => house.clear());
const { arrive, clear, complete, detector, obligations, postgres } = house;

/** What was never a question leaves no row. */
const isTold = ({ state }: { state: string }): boolean =>
  ['open', 'pending', 'indeterminate'].includes(state);

/** What one judgement of all the events at once says. */
async function atOnce(flows: readonly Flow[], all: readonly FinanceEvent[], now: bigint): Promise<string[]> {
  const streams: SourceStream[] = [
    {
      source: 'erp',
      company: 'acme',
      stream: '',
      kind: 'declared',
      completeUpTo: instantOf('30'),
      completeWithoutLimit: false,
      latenessNanos: 0n,
      silenceNanos: 0n,
      types: ['bill.posted'],
    },
  ];
  return rulesOf(flows)
    .flatMap((rule) => {
      const complete = createCompleteness(rule.expectation, streams, { at: now, now, companyOf: () => ACME });
      const seen = all.map(caseEventOf).filter(({ at, type }) => at <= now && rule.looksAt(type));
      return casesOf(rule.expectation, seen).flatMap((events) =>
        evaluate(rule.expectation, events, {
          flow: 'ap',
          at: now,
          company: ACME,
          live: true,
          complete: (source) => complete('acme', source),
        }),
      );
    })
    .filter(isTold)
    .map(
      (o) =>
        `${o.rule} ${o.subject} ${o.occurrence} ${o.state} ${o.dueAt} ${o.answeredAt ?? ''} ${o.events.join()}`,
    )
    .sort();
}

const someEvent = fc.record({
  type: fc.constantFrom('bill.received', 'bill.drafted', 'bill.posted', 'bill.cancelled'),
  hour: fc.integer({ min: 0, max: 23 * 8 }),
  subject: fc.constantFrom('d1', 'd2', 'd3', 'd4'),
  supref: fc.option(fc.constantFrom('V:1', 'V:2'), { nil: undefined }),
  docno: fc.option(fc.constantFrom('B1', 'B2'), { nil: undefined }),
  amount: fc.constantFrom('100', '100.00', '7'),
  ingestPath: fc.constantFrom('push' as const, 'push' as const, 'backfill' as const),
});

const SEED = 20260501;

test(`whatever the order of arrival, the passes between and their clocks, the end is that of one judgement (seed ${SEED})`, async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(someEvent, { minLength: 1, maxLength: 14 }),
      fc.infiniteStream(fc.integer({ min: 1, max: 4 })),
      fc.infiniteStream(fc.integer({ min: 1, max: 80 })),
      // Now and then a pass has a clock that is days ahead.
      fc.infiniteStream(fc.constantFrom(0, 0, 0, 1, 2, 20)),
      // Of two processes mostly the first one passes.
      fc.infiniteStream(fc.constantFrom(0, 0, 0, 0, 1)),
      async (drawn, sizes, steps, ahead, who) => {
        await clear();
        await complete('30');
        const all = drawn.map(({ type, hour, ...given }) =>
          event(type, formatInstant(instantOf('1') + BigInt(hour) * 3_600_000_000_000n), {
            ...given,
            supref: given.supref as string,
            docno: given.docno as string,
          }),
        );
        const flows = [...FLOWS, PICKS];
        // Both know which keys there are, as far as nobody else passed a batch.
        const detectors = [detector(flows, { keysFrom: 1 }), detector(flows, { keysFrom: 1 })];
        const pass = async (at: bigint): Promise<void> => {
          const one = detectors[who.next().value as number] as Detector;
          await one.pass(at);
          await one.idle();
        };
        let now = instantOf('1');
        for (let at = 0; at < all.length; ) {
          const size = sizes.next().value as number;
          await arrive(...all.slice(at, at + size));
          at += size;
          now += BigInt(steps.next().value as number) * 1_800_000_000_000n;
          const days = ahead.next().value as number;
          if (days > 0) await pass(now + BigInt(days) * 86_400_000_000_000n);
          await pass(now);
        }
        const end = now > instantOf('12') ? now : instantOf('12');
        await pass(end);
        const stored = (await obligations())
          .filter(isTold)
          .map(
            (o) =>
              `${o.rule} ${o.subject} ${o.occurrence} ${o.state} ${o.due_ns} ${o.answered_ns ?? ''} ${o.events.join()}`,
          );
        expect(stored.sort()).toEqual(await atOnce(flows, all, end));
        const open = await postgres.db
          .selectFrom('exceptions')
          .select('id')
          .where('state', 'in', ['open', 'indeterminate'])
          .orderBy('id')
          .execute();
        const unmet = (await obligations()).filter(
          ({ state }) => state === 'open' || state === 'indeterminate',
        );
        expect(open.map(({ id }) => id)).toEqual(unmet.map(({ id }) => id));
      },
    ),
    { numRuns: 12, seed: SEED },
  );
});
