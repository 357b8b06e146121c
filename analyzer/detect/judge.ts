import { setImmediate } from 'node:timers/promises';
import type { Kysely, Transaction } from 'kysely';
import type { Company } from '../../model/company.ts';
import { eventRefKey } from '../../model/event.ts';
import { joinKeysOf } from '../../model/key.ts';
import type { FinanceEventStore } from '../../store/clickhouse/finance-events.ts';
import type { Logger } from '../../store/logger.ts';
import type { Database } from '../../store/postgres/schema.ts';
import { ahead } from './ahead.ts';
import { type CaseEvent, subjectKeyOf } from './case-event.ts';
import type { FreshEvents } from './gather.ts';
import { GroupMemory } from './group-memory.ts';
import { judgeCases, type Moment, withoutToday } from './judgement.ts';
import { KnownEvents } from './known-events.ts';
import { type CaseReading, type CaseReadingOptions, createCaseReader } from './load-cases.ts';
import { type ReadCases, readGroups } from './load-groups.ts';
import type { PassTally } from './pass-tally.ts';
import { hasNews, type Judged, type Judgement, type Recorded, record, storedOf } from './record.ts';
import { dataTypesOf, type Rule, rulesByType } from './rules.ts';
import { type NamedKeys, SeenKeys } from './seen-keys.ts';
import { StoredCases } from './stored-cases.ts';
import { type Touched, type TouchedPart, togetherUpTo } from './touched.ts';
import type { Turn } from './turn.ts';
import { CasesUnderWay } from './under-way.ts';

/** Join keys of a part, which is judged and written as one: others get at the database in between. */
const KEYS_A_STEP = 4_000;
/** Join keys, of all rules together, whose events are read at once. */
const KEYS_A_READ = 40_000;

/** Obligations of different rules that are written in one transaction, about. */
const OBLIGATIONS_A_WRITE = 4_000;

interface JudgeDeps {
  readonly events: Pick<
    FinanceEventStore,
    'factsByJoinKeys' | 'refsByJoinKeys' | 'inGroups' | 'countInGroups' | 'keyCount' | 'keySums'
  >;
  readonly rules: readonly Rule[];
  readonly db: Kysely<Database>;
  readonly companyOf: (key: string) => Company;
  readonly logger: Logger;
}

/** What is to be judged and recorded. */
export interface Work {
  readonly touched: Touched;
  /** What has just been read and touches. */
  readonly fresh?: FreshEvents | undefined;
  /** A reading of the cases that has begun, and has taken the fresh events. */
  readonly reading?: CaseReading | undefined;
  /** What is read already, to be judged with the last of what is touched. */
  readonly whole?: ReadCases | undefined;
  /** The batch up to which this pass has judged, when nothing new touches. */
  readonly upTo?: bigint | undefined;
  /** Runs in the last of the transactions. */
  last?(trx: Transaction<Database>): Promise<void>;
  /** Runs once all of it is recorded. */
  recorded?(): void;
}

interface Place extends Moment {
  readonly turn: Turn;
  readonly tally: PassTally;
}

export interface Judge {
  /** Judges the pieces of work, one after another, and records them; the next one is read while one is judged. */
  (works: Iterable<Work> | AsyncIterable<Work>, place: Place): Promise<void>;
  /** A reading of cases for whoever gathers what is touched. */
  read(options: CaseReadingOptions): CaseReading;
  /** What it knows of the keys of events that were judged. */
  readonly seen: SeenKeys;
}

/** Parts of a piece of work that are judged together, and what is being read for them. */
interface Step {
  readonly work: Work;
  readonly isLast: boolean;
  /** Parts of rules that join by keys. */
  readonly parts: readonly TouchedPart[];
  readonly reading: CaseReading;
  readonly complete: Promise<void>;
  /** What is stored of its cases, and by rule the stored obligations that it is about. */
  readonly cases: StoredCases;
  readonly ids: ReadonlyMap<string, readonly string[]>;
  readonly groups: Promise<Pick<ReadCases, 'parts' | 'of'>>;
}

/**
 * Makes the judgement of what is touched: the cases are loaded, judged as of the moment and recorded, parts of several rules
 * together.
 */
export function createJudge({ events, rules, db, companyOf, logger }: JudgeDeps): Judge {
  const seen = new SeenKeys(events);
  const known = new KnownEvents(events, dataTypesOf(rules), { seen });
  const read = createCaseReader(known, rules);
  const memory = new GroupMemory();
  /** What is stored, of steps that are judged or read: what is written meanwhile is looked for anew. */
  const asked = new Set<StoredCases>();
  let lastGroups: Promise<unknown> = Promise.resolve();
  const anchoring = rulesByType(rules);
  const mayAnchor = (type: string): boolean => anchoring(type).some((rule) => rule.mayAnchor(type));

  function anchorsOf(events: Iterable<CaseEvent>): string[] {
    const keys: string[] = [];
    for (const event of events) if (mayAnchor(event.type)) keys.push(subjectKeyOf(event));
    return keys;
  }

  async function* stepsOf(works: Iterable<Work> | AsyncIterable<Work>, moment: Moment): AsyncGenerator<Step> {
    let step: Step | undefined;
    try {
      for await (const work of works) {
        const { touched, fresh, upTo } = work;
        if (fresh) memory.take(fresh, [...fresh.events, ...fresh.others]);
        else if (upTo !== undefined) memory.at(upTo);
        const all = [...touched.parts(KEYS_A_STEP, moment.now)];
        // What is being read already is read together.
        const groups = work.reading ? [all] : [...togetherUpTo(KEYS_A_READ, all)];
        if (groups.length === 0) groups.push([]);
        for (const [index, parts] of groups.entries()) {
          step = stepOf(work, parts, index === groups.length - 1, moment);
          // All events that came are in the reading by now, or are yet to come; their own keys have been asked for.
          if (fresh) passed(fresh, step.reading);
          yield step;
        }
      }
    } finally {
      // What is remembered of groups is put in order while the turn is held.
      await Promise.allSettled([step?.complete, step?.groups]);
      asked.clear();
    }
  }

  function passed(fresh: FreshEvents, { taken }: CaseReading): void {
    const hidden = fresh.others.map((event): NamedKeys => [eventRefKey(event), joinKeysOf(event)]);
    seen.pass(fresh, taken, hidden);
  }

  function stepOf(work: Work, all: readonly TouchedPart[], isLast: boolean, moment: Moment): Step {
    const { fresh } = work;
    const [parts, grouped] = partition(all, ({ rule }) => !rule.expectation.group);
    const reading = work.reading ?? read({ asOf: moment.now, taken: fresh });
    if (!work.reading) {
      const touched = new Set(parts.flatMap(({ events }) => events));
      for (const event of fresh?.events ?? []) reading.take(event, touched.has(event));
    }
    for (const { keys } of parts) reading.want(keys);
    const complete = reading.complete();
    const cases = new StoredCases(db);
    asked.add(cases);
    // One step's groups after those of the one before: what it remembers is not read again.
    const given = isLast ? work.whole : undefined;
    const known = given && cases.seekCompanies(given.companies);
    known?.catch(() => {});
    const groups = given
      ? Promise.resolve(given)
      : lastGroups.then(() => readParts(grouped, cases, work, moment));
    lastGroups = groups.catch(() => {});
    // Under a subject of which there was no event there is no obligation.
    const [young, old] = partition(anchorsOf(fresh?.events ?? []), (key) => seen.isNew(key));
    cases.none(young);
    const sought = cases.seek(old);
    // Whoever judges the step is told.
    for (const one of [complete, groups, sought]) one.catch(() => {});
    return { work, isLast, parts: inTurns(parts), reading, complete, cases, ids: idsOf(all), groups };
  }

  async function readParts(
    grouped: readonly TouchedPart[],
    cases: StoredCases,
    { fresh, upTo }: Work,
    { now }: Moment,
  ): Promise<Pick<ReadCases, 'parts' | 'of'>> {
    await cases.seek(grouped.flatMap(({ keys }) => keys));
    const parts: TouchedPart[] = [];
    for (const part of grouped) parts.push(await withoutToday(part, cases, now, companyOf));
    const remembered = fresh || upTo !== undefined ? memory : undefined;
    return { parts, of: await readGroups(events, parts, now, remembered) };
  }

  /** The parts of a step with their judgements; those of groups come last, for they take longest to read. */
  async function* judgementsOf(
    { parts, reading, groups }: Step,
    moment: Moment,
  ): AsyncGenerator<readonly [TouchedPart, Judgement]> {
    for (const part of parts) yield [part, judgeCases(await reading.load(part), part, moment, companyOf)];
    const grouped = await groups;
    for (const part of grouped.parts) yield [part, judgeCases(grouped.of(part), part, moment, companyOf)];
  }

  async function judgeStep(step: Step, { turn, tally, ...moment }: Place): Promise<void> {
    await step.complete;
    const { cases } = step;
    const sought = cases.seek(anchorsOf(step.reading.found())).then(() => cases.renew(step.ids));
    sought.catch(() => {});
    // It is asked for before this thread is busy.
    await setImmediate();
    let waiting: Judged[] = [];
    let writing = Promise.resolve();
    const [isWaiting, isBeingWritten] = [new CasesUnderWay(), new CasesUnderWay()];

    /** Begins to write what waits, once what is being written is done. */
    async function write(also?: Work['last']): Promise<void> {
      await writing;
      const together = waiting;
      waiting = [];
      isWaiting.clear();
      for (const { judgement } of together) isBeingWritten.add(judgement);
      writing = written(together, also);
      writing.catch(() => {});
    }
    async function written(together: readonly Judged[], also: Work['last']): Promise<void> {
      const recorded = await turn.write(async (trx) => {
        const done =
          together.length === 0 ? [] : await record(trx, together, { ...moment, companyOf, logger });
        await also?.(trx);
        return done;
      });
      for (const [index, { judgement }] of together.entries()) {
        const { id } = judgement.rule.expectation;
        tally.add(id, recorded[index] as Recorded);
        for (const one of asked) one.note(id, judgement.caseKeys);
      }
      isBeingWritten.clear();
    }

    try {
      for await (const [part, judgement] of ahead(judgementsOf(step, moment))) {
        const { id } = part.rule.expectation;
        await sought;
        // What is being written goes on while the next part is judged.
        await setImmediate();
        // Another part of the rule may be of the same cases.
        if (isWaiting.has(judgement)) await write();
        if (isBeingWritten.has(judgement)) await writing;
        // The turn keeps others from writing obligations, and no transaction is needed where there is nothing to write.
        const stored = await storedOf(cases, judgement);
        // What is as it should be, and was never otherwise, leaves nothing to write.
        if (stored.isAny || hasNews(judgement)) {
          waiting.push({ judgement, stored });
          isWaiting.add(judgement);
        } else tally.add(id, { judged: judgement.obligations.length, opened: 0, closed: 0 });
        const size = waiting.reduce((sum, one) => sum + one.judgement.obligations.length, 0);
        if (size >= OBLIGATIONS_A_WRITE) await write();
      }
      const last = step.isLast ? step.work.last : undefined;
      if (waiting.length > 0 || last) await write(last);
    } finally {
      await Promise.allSettled([writing]);
      asked.delete(cases);
    }
    await writing;
    if (step.isLast) step.work.recorded?.();
  }

  const judge = async (works: Iterable<Work> | AsyncIterable<Work>, place: Place): Promise<void> => {
    seen.turn(place.turn.token);
    for await (const step of ahead(stepsOf(works, place))) await judgeStep(step, place);
  };
  return Object.assign(judge, { read, seen });
}

/** By rule the stored obligations that the parts are about. */
function idsOf(parts: readonly TouchedPart[]): Map<string, string[]> {
  const ids = new Map<string, string[]>();
  for (const { rule, obligations } of parts) {
    const known = ids.get(rule.expectation.id);
    if (known) known.push(...obligations);
    else ids.set(rule.expectation.id, [...obligations]);
  }
  return ids;
}

/** The first part of each rule, then the second ones: what is written of one is written while others are judged. */
function inTurns(parts: readonly TouchedPart[]): TouchedPart[] {
  const turns = new Map<Rule, number>();
  const placed = parts.map((part) => {
    const turn = turns.get(part.rule) ?? 0;
    turns.set(part.rule, turn + 1);
    return { part, turn };
  });
  return placed.sort((a, b) => a.turn - b.turn).map(({ part }) => part);
}

/** The items that pass the test, and the others. */
function partition<T>(items: readonly T[], test: (item: T) => boolean): [T[], T[]] {
  const [passed, others]: [T[], T[]] = [[], []];
  for (const item of items) (test(item) ? passed : others).push(item);
  return [passed, others];
}
