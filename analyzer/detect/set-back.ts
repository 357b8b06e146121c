import { typesOf } from '../../model/expectation.ts';
import type { FinanceEventStore } from '../../store/clickhouse/finance-events.ts';
import type { Logger } from '../../store/logger.ts';
import type { Postgres } from '../../store/postgres/database.ts';
import { rememberAhead } from '../../store/postgres/events-ahead.ts';
import { caseEventOf } from './case-event.ts';
import { gatherUnanswered, type Looking, unitOf } from './gather.ts';
import type { Judge } from './judge.ts';
import type { Moment } from './judgement.ts';
import type { PassTally } from './pass-tally.ts';
import { isAhead, moveClock, positions } from './positions.ts';
import type { Rule } from './rules.ts';
import { Touched } from './touched.ts';
import { inTurn } from './turn.ts';

interface SetBackDeps {
  readonly postgres: Postgres;
  readonly events: Pick<FinanceEventStore, 'datedIn'>;
  readonly rules: readonly Rule[];
  readonly looking: Looking;
  readonly judge: Judge;
  momentOf(asked: bigint): Promise<Moment & { readonly behind: boolean }>;
  readonly patienceMs: number;
  readonly logger: Logger;
}

/** Events that are taken back in one go. */
const EVENTS_A_STEP = 2_000;

/**
 * Makes what sets detection back when the last pass had a clock far ahead: all that it did for a time that is yet to come is
 * judged again as of `asked` (epoch nanoseconds). Events dated after it are as if not there, and are remembered for when
 * they come; what was found unanswered is pending again unless it is due by now. Broken off it begins again with the next
 * pass, for only its end moves the clock; while ClickHouse is behind the inbox it waits.
 */
export function createSetBack(deps: SetBackDeps) {
  const { postgres, events, rules, looking, judge, logger } = deps;
  const types = [...new Set(rules.flatMap(({ expectation }) => typesOf(expectation)))];

  async function* eventsAfter(from: bigint, to: bigint) {
    let ahead: { at: bigint; event: string }[] = [];
    let touched = new Touched();
    for await (const stored of events.datedIn({ after: from, upTo: to, types })) {
      const event = caseEventOf(stored);
      ahead.push({ at: event.at, event: event.id });
      for (const rule of looking(event.type)) touched.add(rule, unitOf(rule, event));
      if (ahead.length < EVENTS_A_STEP) continue;
      yield { ahead, touched };
      [ahead, touched] = [[], new Touched()];
    }
    yield { ahead, touched };
  }

  return async (asked: bigint, tally: PassTally): Promise<void> => {
    if (!isAhead((await positions(postgres.db)).clock, asked)) return;
    await inTurn(postgres, deps.patienceMs, async (turn) => {
      const { clock } = await positions(postgres.db);
      const { behind, ...moment } = await deps.momentOf(asked);
      if (!isAhead(clock, asked) || behind) return;
      logger.error(
        { pass: 'detect', aheadMs: Number((clock - asked) / 1_000_000n) },
        'the last pass had a clock that is ahead of this one; what it judged for a time that is yet to come is judged again',
      );
      const place = { turn, tally, ...moment };
      for await (const { ahead, touched } of eventsAfter(asked, clock))
        await judge([{ touched, last: (trx) => rememberAhead(trx, ahead) }], place);
      for await (const touched of gatherUnanswered(postgres.db, rules)) await judge([{ touched }], place);
      await turn.write((trx) => moveClock(trx, asked, moment.at));
    });
  };
}
