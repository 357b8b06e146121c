import { type Kysely, sql, type Transaction } from 'kysely';
import type { Company } from '../../model/company.ts';
import type { Flow } from '../../model/flow.ts';
import type { ObligationState } from '../../model/obligation.ts';
import { dateOf } from '../../model/time.ts';
import type { SourceStream } from '../../model/watermark.ts';
import type { FinanceEventStore } from '../../store/clickhouse/finance-events.ts';
import type { Logger } from '../../store/logger.ts';
import { recordControlRun } from '../../store/postgres/control-runs.ts';
import { moveCursor, readCursor } from '../../store/postgres/cursors.ts';
import type { Postgres } from '../../store/postgres/database.ts';
import { openInbox } from '../../store/postgres/inbox.ts';
import type { Database } from '../../store/postgres/schema.ts';
import { withSpan } from '../../store/tracing.ts';
import { createCompleteness } from './completeness.ts';
import { evaluate } from './evaluators.ts';
import {
  closeOtherRules,
  forgetArrived,
  gatherDue,
  gatherEvents,
  gatherOtherVersions,
  windowsOf,
} from './gather.ts';
import { type EventsByKey, loadCases, readEvents } from './load-cases.ts';
import { type Judgement, type Recorded, record } from './record.ts';
import { companyFinder, rulesByType, rulesOf, STALE_SOURCE_RULE } from './rules.ts';
import { whenSettled } from './settled.ts';
import { recordStaleSources } from './stale-sources.ts';
import { type Touched, type TouchedPart, togetherUpTo } from './touched.ts';

export interface DetectorDeps {
  readonly postgres: Postgres;
  readonly events: Pick<FinanceEventStore, 'inBatches' | 'byJoinKeys' | 'byIds'>;
  readonly flows: readonly Flow[];
  readonly companies: readonly Company[];
  readonly logger: Logger;
}

export interface PassResult {
  /** Another pass ran at the same time and was first; this one stopped. The next goes on. */
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
   * Judges what came since the last pass and what time made due, as of `now` (epoch nanoseconds), and records it. Costs
   * what is new, not the history. With `rebuild` every stored event counts as new.
   */
  pass(now: bigint, options?: { rebuild?: boolean }): Promise<PassResult>;
}

const BATCHES = 'detect.batches';
const CLOCK = 'detect.clock';
/** Join keys judged in one transaction: others get their turn in between. */
const KEYS_A_STEP = 1_000;
/** Join keys, of all rules together, whose events are read at once. */
const KEYS_A_READ = 5_000;

/** How long a pass waits for ClickHouse to have what was accepted. */
const PATIENCE_MS = 5_000;

const WRITE = { 'db.system.name': 'postgresql', 'db.operation.name': 'detect.write' };

/** A pass found that another one had moved the cursors. */
class Overtaken extends Error {}

/** Detection over both stores under the enabled rules of the flows. */
export function createDetector(deps: DetectorDeps): Detector {
  const { postgres } = deps;
  const rules = rulesOf(deps.flows);
  const looking = rulesByType(rules);
  const companyOf = companyFinder(deps.companies);
  const inbox = openInbox(postgres);
  let rulesChecked = false;
  let running: Promise<unknown> = Promise.resolve();

  async function pass(now: bigint, rebuild: boolean): Promise<PassResult> {
    const startedAt = new Date();
    const at = dateOf(now);
    const before = await positions(postgres.db);
    const from = rebuild ? 0n : (before.batches ?? 0n);
    const settled = await whenSettled(postgres, inbox, PATIENCE_MS);
    const to = settled.storedUpTo;
    // Behind its sources nothing can be said to be missing: new events are judged, deadlines wait for the next pass.
    const streams = settled.streams ?? [];
    const sums = new Map<string, { rule: string; judged: number; opened: number; closed: number }>();
    const states: Partial<Record<ObligationState, number>> = {};
    const count = (rule: string, { judged, opened, closed, became = [] }: Recorded): void => {
      for (const state of became) states[state] = (states[state] ?? 0) + 1;
      const sum = sums.get(rule) ?? { rule, judged: 0, opened: 0, closed: 0 };
      sums.set(rule, {
        rule,
        judged: sum.judged + judged,
        opened: sum.opened + opened,
        closed: sum.closed + closed,
      });
    };
    // The cursor as this pass knows it: each transaction holds only while nobody else has moved it.
    const known = { ...before };
    const write = async <T>(work: (trx: Transaction<Database>) => Promise<T>): Promise<T> =>
      await withSpan('detect.write', WRITE, () =>
        postgres.db.transaction().execute(async (trx) => {
          await sql`SELECT pg_advisory_xact_lock(hashtext('closewatch.detect'))`.execute(trx);
          const { batches, clock } = await positions(trx);
          if (batches !== known.batches || clock !== known.clock) throw new Overtaken();
          return await work(trx);
        }),
      );
    const judge = async (touched: Touched, last?: (trx: Transaction<Database>) => Promise<void>) => {
      let lastDone = false;
      const parts = [...touched.parts(KEYS_A_STEP)];
      for (const group of togetherUpTo(KEYS_A_READ, parts)) {
        const read = await readEvents(
          deps.events,
          rules,
          group.flatMap(({ keys }) => keys),
          now,
        );
        for (const part of group) {
          const judgement = await judgeCases(read, part, streams, now, companyOf);
          lastDone = part === parts.at(-1);
          await write(async (trx) => {
            count(
              judgement.rule.expectation.id,
              await record(trx, judgement, { now, at, companyOf, logger: deps.logger }),
            );
            if (lastDone && last) await last(trx);
          });
        }
      }
      if (!lastDone && last) await write(last);
    };

    let events = 0;
    try {
      if (!rulesChecked) {
        count('', await write((trx) => closeOtherRules(trx, rules, at)));
        await judge(await gatherOtherVersions(postgres.db, rules));
        rulesChecked = true;
      }
      for await (const window of windowsOf(postgres.db, from, to)) {
        const gathered = await gatherEvents(deps.events, postgres.db, looking, window, now);
        events += gathered.events;
        await judge(gathered.touched, async (trx) => {
          await gathered.remember(trx, at);
          if (rebuild && known.batches !== undefined && window.upTo < known.batches) return;
          await moveCursor(trx, BATCHES, window.upTo, at);
        });
        if (!rebuild || known.batches === undefined || window.upTo > known.batches)
          known.batches = window.upTo;
      }
      const since = before.clock ?? now;
      if (settled.streams)
        await judge(
          await gatherDue(deps.events, postgres.db, { rules, looking, streams, companyOf, since, now }),
        );
      else deps.logger.warn({ pass: 'detect' }, 'ClickHouse is behind the inbox; deadlines wait');
      await write(async (trx) => {
        if (settled.streams) {
          count(STALE_SOURCE_RULE, await recordStaleSources(trx, rules, streams, { now, at, companyOf }));
          await forgetArrived(trx, now, at);
          if (before.clock === undefined || now > before.clock) await moveCursor(trx, CLOCK, now, at);
        }
        const total = totalOf(sums.values());
        await recordControlRun(trx, {
          pass: rebuild ? 'rebuild' : 'live',
          started_at: startedAt,
          ended_at: new Date(),
          from_batch: from,
          to_batch: to,
          events,
          obligations_touched: total.judged,
          opened: total.opened,
          closed: total.closed,
          as_of_ns: now,
          rules: JSON.stringify([...sums.values()]),
        });
      });
    } catch (error) {
      if (!(error instanceof Overtaken)) throw error;
      deps.logger.info({ pass: 'detect' }, 'another pass of detection was first; this one stopped');
      return resultOf(true);
    }
    return resultOf(false);

    function resultOf(overtaken: boolean): PassResult {
      return {
        overtaken,
        fromBatch: from,
        toBatch: to,
        events,
        ...totalOf(sums.values()),
        states,
        rules: [...sums.values()].filter(({ rule, judged }) => rule !== '' && judged > 0),
      };
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

function totalOf(sums: Iterable<Recorded>): { judged: number; opened: number; closed: number } {
  const total = { judged: 0, opened: 0, closed: 0 };
  for (const sum of sums) {
    total.judged += sum.judged;
    total.opened += sum.opened;
    total.closed += sum.closed;
  }
  return total;
}

/** Loads and judges the cases that a part touches, live, as of `now`. */
async function judgeCases(
  events: EventsByKey,
  { rule, keys, obligations: ids }: TouchedPart,
  streams: readonly SourceStream[],
  now: bigint,
  companyOf: (key: string) => Company,
): Promise<Judgement> {
  const loaded = await loadCases(events, rule, keys);
  const complete = createCompleteness(rule.expectation, streams, { at: now, now, companyOf });
  const obligations = loaded.cases.flatMap((caseEvents) => {
    const company = caseEvents[0]?.company ?? '';
    return evaluate(rule.expectation, caseEvents, {
      flow: rule.flow.flow,
      at: now,
      company: companyOf(company),
      live: true,
      complete: (source) => complete(company, source),
    });
  });
  return { rule, ids, keys: loaded.keys, obligations };
}
