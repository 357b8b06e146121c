import { setTimeout as sleep } from 'node:timers/promises';
import type { Company } from '../../model/company.ts';
import { ClosewatchError } from '../../model/errors.ts';
import type { BatchSpan, FinanceEventStore } from '../../store/clickhouse/finance-events.ts';
import type { Postgres } from '../../store/postgres/database.ts';
import { createApplies } from './completeness.ts';
import { gatherEvents, windowsOf } from './gather.ts';
import type { Judge, Work } from './judge.ts';
import type { Moment } from './judgement.ts';
import { type Missed, noteJudged } from './missed.ts';
import type { PassTally } from './pass-tally.ts';
import { rulesByType } from './rules.ts';
import { inTurn, Overtaken, type Turn } from './turn.ts';

interface RejudgeDeps {
  readonly postgres: Postgres;
  readonly events: Pick<FinanceEventStore, 'factsInBatches' | 'byRefs'>;
  readonly judge: Judge;
  readonly companyOf: (key: string) => Company;
  /** Patterns of the types whose payload a rule looks into. */
  readonly dataTypes: readonly string[];
  /** The instant of a judgement and the sources then; asked for in every turn, for passes in between move it on. */
  momentOf(asked: bigint): Promise<Moment>;
}

/** One turn judges for about so long, then others get theirs. */
const TURN_MS = 2_000;
/** Long enough for whoever waits for a turn to take it. */
const PAUSE_MS = 200;
const PATIENCE_MS = 60_000;
/** So many turns in a row may be lost to others before it is given up. */
const TRIES = 10;

/**
 * Makes the judgement of what is stored again, in turns between which other passes get theirs. It stops after about
 * `atMostMs`; how far it came is remembered. Judged again nothing changes, so that a turn that was lost is simply repeated.
 * Throws `detect.busy` when it cannot have a turn.
 */
export function createRejudge({ postgres, events, judge, companyOf, dataTypes, momentOf }: RejudgeDeps) {
  return async (
    work: Missed,
    asked: bigint,
    tally: PassTally,
    atMostMs = Number.POSITIVE_INFINITY,
  ): Promise<void> => {
    const looking = rulesByType(work.rules);
    const startedAt = performance.now();
    const isOver = (): boolean => performance.now() - startedAt >= atMostMs;
    let after = work.after;
    let tries = 0;
    while (after < work.upTo && !isOver()) {
      const from = after;
      try {
        await inTurn(postgres, PATIENCE_MS, judgeSome);
      } catch (error) {
        if (!(error instanceof Overtaken)) throw error;
      }
      tries = after > from ? 0 : tries + 1;
      if (tries >= TRIES) throw busy();
      if (after < work.upTo) await sleep(PAUSE_MS);
    }

    async function judgeSome(turn: Turn): Promise<void> {
      const { now, at, streams } = await momentOf(asked);
      const given = {
        now,
        applies: createApplies(streams, companyOf),
        dataTypes,
        anchorsOnly: work.after === 0n,
        read: (taken: BatchSpan) => judge.read({ asOf: now, taken }),
      };
      const turnAt = performance.now();
      const windows = async function* (): AsyncGenerator<Work> {
        for await (const window of windowsOf(postgres.db, after, work.upTo)) {
          const gathered = await gatherEvents(events, postgres.db, looking, window, given);
          yield {
            ...gathered,
            async last(trx) {
              await gathered.remember(trx);
              await noteJudged(trx, work.rules, window, at);
            },
            recorded() {
              tally.events += gathered.events;
              after = window.upTo;
            },
          };
          if (isOver() || performance.now() - turnAt >= TURN_MS) return;
        }
      };
      await judge(windows(), { turn, tally, now, at, streams });
    }
  };
}

/** The error of who could not have a turn. */
export const busy = (): ClosewatchError =>
  new ClosewatchError(
    'detect.busy',
    'other passes of detection kept the turn; this one was not done. Try again',
  );
