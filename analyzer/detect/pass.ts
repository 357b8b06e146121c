import type { Kysely } from 'kysely';
import { type Company, companyFinder } from '../../model/company.ts';
import type { Flow } from '../../model/flow.ts';
import type { ObligationState } from '../../model/obligation.ts';
import { dateOf } from '../../model/time.ts';
import type { FinanceEventStore } from '../../store/clickhouse/finance-events.ts';
import type { Logger } from '../../store/logger.ts';
import { recordControlRun } from '../../store/postgres/control-runs.ts';
import { moveCursor, readCursor } from '../../store/postgres/cursors.ts';
import type { Postgres } from '../../store/postgres/database.ts';
import { openInbox } from '../../store/postgres/inbox.ts';
import type { Database } from '../../store/postgres/schema.ts';
import { withSpan } from '../../store/tracing.ts';
import { createForgetting } from './forget.ts';
import { gatherDue, gatherEvents, windowsOf } from './gather.ts';
import { createJudge, type Moment } from './judge.ts';
import { PassTally } from './pass-tally.ts';
import { createRejudge, type Rejudging } from './rejudge.ts';
import { closeOtherRules, gatherOtherVersions, rememberRules, rulesToCatchUp } from './rule-changes.ts';
import { rulesByType, rulesOf, STALE_SOURCE_RULE } from './rules.ts';
import { whenSettled } from './settled.ts';
import { recordStaleSources } from './stale-sources.ts';
import { inTurn, Overtaken } from './turn.ts';

export interface DetectorDeps {
  readonly postgres: Postgres;
  readonly events: Pick<FinanceEventStore, 'inBatches' | 'byJoinKeys' | 'byIds'>;
  readonly flows: readonly Flow[];
  readonly companies: readonly Company[];
  readonly logger: Logger;
}

export interface PassResult {
  /** Another pass had the turn, or took it: this one did nothing, or stopped. The next goes on. */
  readonly overtaken: boolean;
  /** Batches (from, to] were new. */
  readonly fromBatch: bigint;
  readonly toBatch: bigint;
  /** New events. */
  readonly events: number;
  /** Obligations judged. */
  readonly judged: number;
  /** Exceptions opened, reopened included, and closed. */
  readonly opened: number;
  readonly closed: number;
  /** Obligations that came into a state. */
  readonly states: Readonly<Partial<Record<ObligationState, number>>>;
  readonly rules: readonly { rule: string; judged: number; opened: number; closed: number }[];
}

export interface Detector {
  /**
   * Judges what came since the last pass and what time made due, as of `now` (epoch nanoseconds) or of the last pass, if
   * that is later, and records it. Costs what is new, not the history. With `rebuild` every stored event counts as new;
   * other passes get their turns in between. Throws `detect.busy` when a rebuild cannot have its own.
   */
  pass(now: bigint, options?: { rebuild?: boolean }): Promise<PassResult>;
}

const BATCHES = 'detect.batches';
const CLOCK = 'detect.clock';

/** How long a pass waits for ClickHouse to have what was accepted. */
const PATIENCE_MS = 5_000;
/** How long a pass waits for the turn of another: a rebuild hands over every few seconds. */
const TURN_PATIENCE_MS = 10_000;
/** How long a pass judges what is stored under rules that are new, before it does what passes do. */
const CATCH_UP_MS = 5_000;
/** A clock that is behind the last pass by more is told of: two machines differ, or one was set back. */
const CLOCK_BEHIND_NANOS = 60_000_000_000n;

/** Detection over both stores under the enabled rules of the flows. */
export function createDetector(deps: DetectorDeps): Detector {
  const { postgres, logger } = deps;
  const rules = rulesOf(deps.flows);
  const looking = rulesByType(rules);
  const companyOf = companyFinder(deps.companies);
  const inbox = openInbox(postgres);
  const judge = createJudge({ events: deps.events, rules, companyOf, logger });
  const forget = createForgetting();
  const rejudge = createRejudge({ postgres, events: deps.events, judge, momentOf });
  /** Not known before the rules were compared with those of the last start. */
  let catchUp: Rejudging | undefined;
  let rulesChecked = false;
  let running: Promise<unknown> = Promise.resolve();

  /** The instant of a judgement, never before the last pass: what that judged would not have happened yet. */
  async function momentOf(
    asked: bigint,
  ): Promise<Moment & { readonly behind: boolean; readonly to: bigint }> {
    const { clock } = await positions(postgres.db);
    const now = clock !== undefined && clock > asked ? clock : asked;
    if (now - asked > CLOCK_BEHIND_NANOS)
      logger.warn(
        { pass: 'detect', behindMs: Number((now - asked) / 1_000_000n) },
        'the clock is behind the last pass',
      );
    const settled = await whenSettled(postgres, inbox, PATIENCE_MS);
    // Behind its sources nothing can be said to be missing: new events are judged, deadlines wait for the next pass.
    const streams = settled.streams ?? [];
    return { now, at: dateOf(now), streams, behind: !settled.streams, to: settled.storedUpTo };
  }

  /** Once: brings what is stored into line with the rules as they are now. */
  async function checkRules(asked: bigint, tally: PassTally): Promise<void> {
    if (rulesChecked) return;
    await inTurn(postgres, TURN_PATIENCE_MS, async (turn) => {
      const moment = await momentOf(asked);
      for (let left = true; left; ) {
        const closed = await turn.write((trx) => closeOtherRules(trx, rules, moment.at));
        tally.add('', closed);
        left = closed.judged > 0;
      }
      for await (const touched of gatherOtherVersions(postgres.db, rules))
        await judge(touched, { turn, tally, ...moment });
      const fresh = await turn.write((trx) => rulesToCatchUp(trx, rules, moment.at));
      const { batches } = await positions(postgres.db);
      if (fresh.length > 0) catchUp = { looking: rulesByType(fresh), after: 0n, upTo: batches ?? 0n };
      rulesChecked = true;
    });
  }

  /** Judges what is stored again: all of it for a rebuild, else some more of what new rules have not seen. */
  async function judgeStored(asked: bigint, rebuild: boolean, tally: PassTally): Promise<void> {
    if (rebuild) {
      const { batches } = await positions(postgres.db);
      await rejudge({ looking, after: 0n, upTo: batches ?? 0n }, asked, tally);
    } else if (catchUp) {
      catchUp = await rejudge(catchUp, asked, tally, CATCH_UP_MS);
      if (catchUp.after < catchUp.upTo) return;
    } else return;
    catchUp = undefined;
    await inTurn(postgres, TURN_PATIENCE_MS, (turn) =>
      turn.write((trx) => rememberRules(trx, rules, dateOf(asked))),
    );
  }

  async function judgeNew(
    asked: bigint,
    rebuild: boolean,
    tally: PassTally,
  ): Promise<{ from: bigint; to: bigint }> {
    const startedAt = new Date();
    return await inTurn(postgres, TURN_PATIENCE_MS, async (turn) => {
      const before = await positions(postgres.db);
      const { behind, to, ...moment } = await momentOf(asked);
      const { now, at, streams } = moment;
      const place = { turn, tally, ...moment };
      const from = before.batches ?? 0n;
      for await (const window of windowsOf(postgres.db, from, to)) {
        const gathered = await gatherEvents(deps.events, postgres.db, looking, window, now);
        tally.events += gathered.events;
        await judge(gathered.touched, place, async (trx) => {
          await gathered.remember(trx);
          await moveCursor(trx, BATCHES, window.upTo, at);
        });
      }
      if (behind) logger.warn({ pass: 'detect' }, 'ClickHouse is behind the inbox; deadlines wait');
      else {
        const since = before.clock ?? now;
        const due = { rules, looking, streams, companyOf, since, now };
        const gathered = await gatherDue(deps.events, postgres.db, due);
        await judge(gathered.touched, place, gathered.forget);
      }
      await turn.write(async (trx) => {
        if (!behind) {
          tally.add(STALE_SOURCE_RULE, await recordStaleSources(trx, rules, streams, { now, at, companyOf }));
          await moveCursor(trx, CLOCK, now, at);
        }
        const total = tally.total();
        await recordControlRun(trx, {
          pass: rebuild ? 'rebuild' : 'live',
          started_at: startedAt,
          ended_at: new Date(),
          from_batch: rebuild ? 0n : from,
          to_batch: to,
          events: tally.events,
          obligations_touched: total.judged,
          opened: total.opened,
          closed: total.closed,
          as_of_ns: now,
          rules: JSON.stringify(tally.rules()),
        });
      });
      await forget(turn, at);
      return { from, to };
    });
  }

  async function pass(asked: bigint, rebuild: boolean): Promise<PassResult> {
    const tally = new PassTally();
    const resultOf = (overtaken: boolean, from: bigint, to: bigint): PassResult => ({
      overtaken,
      fromBatch: rebuild ? 0n : from,
      toBatch: to,
      events: tally.events,
      ...tally.total(),
      states: tally.states,
      rules: tally.rules().filter(({ rule, judged }) => rule !== '' && judged > 0),
    });
    try {
      await checkRules(asked, tally);
      await judgeStored(asked, rebuild, tally);
      const { from, to } = await judgeNew(asked, rebuild, tally);
      return resultOf(false, from, to);
    } catch (error) {
      if (!(error instanceof Overtaken)) throw error;
      logger.info({ pass: 'detect' }, 'another pass of detection has the turn; this one stopped');
      const { batches = 0n } = await positions(postgres.db);
      return resultOf(true, batches, batches);
    }
  }

  return {
    pass(now, { rebuild = false } = {}) {
      const next = running.then(() => withSpan('detect.pass', {}, () => pass(now, rebuild)));
      running = next.catch(() => {});
      return next;
    },
  };
}

async function positions(
  db: Kysely<Database>,
): Promise<{ batches: bigint | undefined; clock: bigint | undefined }> {
  return { batches: await readCursor(db, BATCHES), clock: await readCursor(db, CLOCK) };
}
