import { canonicalHash } from '../../model/canonical-json.ts';
import { type Company, companyFinder } from '../../model/company.ts';
import type { Flow } from '../../model/flow.ts';
import type { ObligationState } from '../../model/obligation.ts';
import { dateOf } from '../../model/time.ts';
import type { BatchSpan, FinanceEventStore } from '../../store/clickhouse/finance-events.ts';
import type { Logger } from '../../store/logger.ts';
import { recordControlRun } from '../../store/postgres/control-runs.ts';
import type { Postgres } from '../../store/postgres/database.ts';
import { openInbox } from '../../store/postgres/inbox.ts';
import { inhibit } from '../../store/postgres/inhibitions.ts';
import { HELD_MS } from '../../store/postgres/turns.ts';
import { withSpan } from '../../store/tracing.ts';
import { createApplies } from './completeness.ts';
import { createForgetting } from './forget.ts';
import { gatherDue, gatherEvents, windowsOf } from './gather.ts';
import { createJudge, type Work } from './judge.ts';
import type { Moment } from './judgement.ts';
import { meetRules, missedBy, notePassed } from './missed.ts';
import { objectivesOf } from './objectives/objectives.ts';
import { PassTally, type RuleTally } from './pass-tally.ts';
import { instantOfPass, isAhead, moveBatches, moveClock, positions } from './positions.ts';
import { createRejudge, type Screening } from './rejudge.ts';
import { closeOtherRules, gatherOtherVersions } from './rule-changes.ts';
import { dataTypesOf, rulesByType, rulesOf, STALE_SOURCE_RULE } from './rules.ts';
import { createSetBack } from './set-back.ts';
import { whenSettled } from './settled.ts';
import { recordStaleSources } from './stale-sources.ts';
import { inTurn, Overtaken } from './turn.ts';

export interface DetectorDeps {
  readonly postgres: Postgres;
  readonly events: Pick<
    FinanceEventStore,
    | 'factsInBatches'
    | 'byRefs'
    | 'factsByJoinKeys'
    | 'refsByJoinKeys'
    | 'inGroups'
    | 'countInGroups'
    | 'countByCompany'
    | 'byIds'
    | 'datedIn'
    | 'unanswered'
    | 'deviating'
    | 'unequalTotals'
    | 'ofTypes'
    | 'extent'
    | 'keyCount'
    | 'keySums'
  >;
  readonly flows: readonly Flow[];
  readonly companies: readonly Company[];
  readonly logger: Logger;
  /** Milliseconds for which a pass waits for the turn of another; 25,000. */
  readonly turnPatienceMs?: number | undefined;
  /** When a history is screened before it is judged again. */
  readonly screening?: Screening | undefined;
  /** After a pass over so many events, and one more, the keys of all that is stored are loaded; 1,000. */
  readonly keysFrom?: number | undefined;
}

export interface PassResult {
  /** Another pass had the turn, or took it: this one did nothing, or stopped. The next goes on. */
  readonly overtaken: boolean;
  /** The instant of its judgement, epoch nanoseconds. */
  readonly asOf: bigint;
  /** Batches (from, to] were new. */
  readonly fromBatch: bigint;
  readonly toBatch: bigint;
  /** New events. */
  readonly events: number;
  /** Obligations judged; one that an event touches and that is due as well counts twice. */
  readonly judged: number;
  /** Exceptions opened, reopened included, and closed. */
  readonly opened: number;
  readonly closed: number;
  /** Obligations that came into a state. */
  readonly states: Readonly<Partial<Record<ObligationState, number>>>;
  readonly rules: readonly RuleTally[];
}

export interface PassOptions {
  /** Every stored event counts as new; other passes get their turns in between. */
  readonly rebuild?: boolean;
  /** All that new rules have not seen yet is judged first, however long it takes, and not only some seconds' worth. */
  readonly catchUp?: boolean;
}

export interface Detector {
  /**
   * Judges what came since the last pass and what time made due, as of `now` (epoch nanoseconds), or of the last pass when
   * that is a little later, and records it. Costs what is new, not the history. A last pass that was further ahead had a
   * wrong clock: what it did for a time that is yet to come is taken back. Throws `detect.busy` when a rebuild or a long
   * catching up cannot have its turns.
   */
  pass(now: bigint, options?: PassOptions): Promise<PassResult>;
  /** Resolves when nothing is done between passes either: after a pass over many events, and one more, the keys of all that is stored are loaded. */
  idle(): Promise<void>;
}

/** How long a pass waits for ClickHouse to have what was accepted. */
const PATIENCE_MS = 5_000;
/** Where so many events come at once it is worth knowing which keys there are. */
const MANY_EVENTS = 1_000;
/** Longer than a turn outlives the process that held it; a rebuild hands over every few seconds. */
const TURN_PATIENCE_MS = HELD_MS + 5_000;
/** How long a pass judges what is stored under rules that are new, before it does what passes do. */
const CATCH_UP_MS = 5_000;

/** Detection over both stores under the enabled rules of the flows. */
export function createDetector(deps: DetectorDeps): Detector {
  const { postgres, logger } = deps;
  const rules = rulesOf(deps.flows);
  const objectives = objectivesOf(deps.flows).map(({ objective }) => objective.id);
  const looking = rulesByType(rules);
  const dataTypes = dataTypesOf(rules);
  const inhibitors = rules.flatMap(({ expectation: { id, inhibits } }) =>
    inhibits ? [{ rule: id, explains: inhibits }] : [],
  );
  const ruleSet = canonicalHash(rules.map(({ expectation }) => expectation));
  const companyOf = companyFinder(deps.companies);
  const inbox = openInbox(postgres);
  const judge = createJudge({ events: deps.events, db: postgres.db, rules, companyOf, logger });
  const forget = createForgetting();
  const rejudge = createRejudge({ ...deps, judge, companyOf, dataTypes, momentOf });
  const patienceMs = deps.turnPatienceMs ?? TURN_PATIENCE_MS;
  const setBack = createSetBack({ ...deps, rules, looking, judge, momentOf, patienceMs });
  let rulesChecked = false;
  /** Did many events come at once? Who makes one pass and ends has no use for it. */
  let isWorthKnowing = false;
  let running: Promise<unknown> = Promise.resolve();

  /** The instant of a judgement, and what it may rely on. */
  async function momentOf(
    asked: bigint,
  ): Promise<Moment & { readonly behind: boolean; readonly to: bigint }> {
    const { clock, batches } = await positions(postgres.db);
    judge.seen.at(batches ?? 0n);
    const now = instantOfPass(clock, asked);
    const settled = await whenSettled(postgres, inbox, PATIENCE_MS);
    // Behind its sources nothing can be said to be missing: new events are judged, deadlines wait for the next pass.
    const streams = settled.streams ?? [];
    return { now, at: dateOf(now), streams, behind: !settled.streams, to: settled.storedUpTo };
  }

  /** Once: brings what is stored into line with the rules as they are now. */
  async function checkRules(asked: bigint, tally: PassTally): Promise<void> {
    if (rulesChecked) return;
    await inTurn(postgres, patienceMs, async (turn) => {
      const moment = await momentOf(asked);
      for (let left = true; left; ) {
        const closed = await turn.write((trx) => closeOtherRules(trx, rules, objectives, moment.at));
        tally.add('', closed);
        left = closed.judged > 0;
      }
      for await (const touched of gatherOtherVersions(postgres.db, rules))
        await judge([{ touched }], { turn, tally, ...moment });
      const { batches = 0n } = await positions(postgres.db);
      await turn.write((trx) => meetRules(trx, rules, batches, moment.at));
      rulesChecked = true;
    });
  }

  /** Judges what is stored again: all of it for a rebuild, else what rules have missed, or some more of it. */
  async function judgeStored(asked: bigint, options: PassOptions, tally: PassTally): Promise<void> {
    if (options.rebuild) {
      const { batches = 0n } = await positions(postgres.db);
      return await rejudge({ rules, after: 0n, upTo: batches }, asked, tally);
    }
    const atMostMs = options.catchUp ? undefined : CATCH_UP_MS;
    let missed = await missedBy(postgres.db, rules);
    while (missed) {
      await rejudge(missed, asked, tally, atMostMs);
      missed = options.catchUp ? await missedBy(postgres.db, rules) : undefined;
    }
  }

  async function judgeNew(
    asked: bigint,
    rebuild: boolean,
    tally: PassTally,
  ): Promise<{ from: bigint; to: bigint; now: bigint }> {
    const startedAt = new Date();
    return await inTurn(postgres, patienceMs, async (turn) => {
      const before = await positions(postgres.db);
      const { behind, to, ...moment } = await momentOf(asked);
      const { now, at, streams } = moment;
      const place = { turn, tally, ...moment };
      // A clock that is ahead still is one that nothing was taken back of yet: that comes first.
      const wait = behind || isAhead(before.clock, asked);
      const from = before.batches ?? 0n;
      const given = {
        now,
        applies: createApplies(streams, companyOf),
        dataTypes,
        read: (taken: BatchSpan) => judge.read({ asOf: now, taken }),
      };
      const works = async function* (): AsyncGenerator<Work> {
        for await (const window of windowsOf(postgres.db, from, to)) {
          const gathered = await gatherEvents(deps.events, postgres.db, looking, window, given);
          tally.events += gathered.events;
          yield {
            ...gathered,
            async last(trx) {
              await gathered.remember(trx);
              await notePassed(trx, rules, window, at);
              await moveBatches(trx, window.upTo, at);
            },
          };
        }
        if (wait) return;
        // What the events above have just answered is judged once more, and nothing changes.
        const due = { rules, looking, streams, companyOf, since: before.clock ?? now, now };
        const { touched, forget } = await gatherDue(deps.events, postgres.db, due);
        yield { touched, upTo: to > from ? to : from, last: forget };
      };
      await judge(works(), place);
      if (behind) logger.warn({ pass: 'detect' }, 'ClickHouse is behind the inbox; deadlines wait');
      await turn.write(async (trx) => {
        if (!wait) {
          tally.add(STALE_SOURCE_RULE, await recordStaleSources(trx, rules, streams, { now, at, companyOf }));
          await inhibit(trx, inhibitors, at);
          await moveClock(trx, now, at);
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
          rule_set: ruleSet,
        });
      });
      await forget(turn, at);
      return { from, to, now };
    });
  }

  async function pass(asked: bigint, options: PassOptions): Promise<PassResult> {
    const { rebuild = false } = options;
    const tally = new PassTally();
    const resultOf = (overtaken: boolean, asOf: bigint, from: bigint, to: bigint): PassResult => ({
      overtaken,
      asOf,
      fromBatch: rebuild ? 0n : from,
      toBatch: to,
      events: tally.events,
      ...tally.total(),
      states: tally.states,
      rules: tally.rules().filter(({ rule, judged, screened = 0 }) => rule !== '' && judged + screened > 0),
    });
    try {
      await setBack(asked, tally);
      await checkRules(asked, tally);
      await judgeStored(asked, options, tally);
      const { from, to, now } = await judgeNew(asked, rebuild, tally);
      if (isWorthKnowing) judge.seen.load(to);
      isWorthKnowing ||= tally.events >= (deps.keysFrom ?? MANY_EVENTS);
      return resultOf(false, now, from, to);
    } catch (error) {
      if (!(error instanceof Overtaken)) throw error;
      logger.info({ pass: 'detect' }, 'another pass of detection has the turn; this one stopped');
      const { batches = 0n, clock } = await positions(postgres.db);
      return resultOf(true, instantOfPass(clock, asked), batches, batches);
    }
  }

  return {
    pass(now, options = {}) {
      const next = running.then(() => withSpan('detect.pass', {}, () => pass(now, options)));
      running = next.catch(() => {});
      return next;
    },
    idle: () => judge.seen.idle(),
  };
}
