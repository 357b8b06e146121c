import { LRUCache } from 'lru-cache';
import type { IngestPath } from '../../model/event.ts';
import { parseInstant } from '../../model/time.ts';
import type { Odoo } from '../../odoo/client.ts';
import { dateOfOdoo, odooTime } from '../../odoo/clock.ts';
import { recordUrl } from '../../odoo/links.ts';
import { idOf, instantOf, textOf } from '../../odoo/values.ts';
import type { Intake } from '../../store/intake/intake.ts';
import type { AcceptedEvent } from '../../store/postgres/accepted.ts';
import type { Postgres } from '../../store/postgres/database.ts';
import type { Inbox } from '../../store/postgres/inbox.ts';
import {
  childrenOf,
  forgetRecords,
  keepRecords,
  type SeenRecord,
  seenRecords,
} from '../../store/postgres/odoo-records.ts';
import { keepParties } from '../../store/postgres/parties.ts';
import { snapshotOf } from './changes.ts';
import { eventOf } from './event.ts';
import { hiddenIn, hiddenInMessages, type StandIn } from './hidden.ts';
import type { History } from './history.ts';
import { type OdooRecord, type RecordKind, type Surroundings, subjectOf } from './kind.ts';
import type { DocumentLine, LineReader } from './lines.ts';
import { type OdooWorld, partnerNames } from './surroundings.ts';
import {
  differences,
  firstSight,
  goodbye,
  type Stamp,
  sinceThen,
  type ToldFact,
  writtenOf,
} from './teller.ts';

/** What is needed to make events of what is read of an Odoo. */
export interface ObserverDeps {
  readonly source: string;
  readonly odoo: Odoo;
  readonly world: OdooWorld;
  readonly history: History;
  readonly lines: LineReader;
  /** What stands for account numbers. */
  readonly standIn: StandIn;
  readonly postgres: Postgres;
  readonly inbox: Pick<Inbox, 'accept'>;
  readonly intake?: Intake | undefined;
  /** What was made before is history, and of that what was made before `historyFrom` is not told. */
  readonly liveFrom: Date;
  readonly historyFrom: Date;
  readonly now?: () => Date;
}

/** What came of an observation. */
export interface Observed {
  /** Events that were new. */
  readonly accepted: number;
  /** Records that were not known as they are now: with what was known of them. */
  readonly changed: readonly { readonly record: OdooRecord; readonly before: SeenRecord | undefined }[];
}

/** How records came to be read. */
export interface Sight {
  readonly path: IngestPath;
  /** When and by whom they were last written, of those where that is not in the record. */
  readonly stamps?: ReadonlyMap<number, Stamp> | undefined;
  /** Whatever changed of them since they were seen did so at this time of Odoo's or later: all of it was read up to then. */
  readonly notBefore?: string | undefined;
  /** Something was recorded of them, though they are as they were. */
  readonly insist?: boolean | undefined;
}

/** Events of one call of the inbox. */
const CHUNK = 500;
/** Messages are stamped to the second, and so are records. */
const SLACK_MS = 2_000;
const DAY_MS = 86_400_000;
const RECONCILIATION = 'account.partial.reconcile';
const NOT_TRACKED: ReadonlySet<string> = new Set();
const NOTHING: Observed = { accepted: 0, changed: [] };

/**
 * Makes events of records as they are read, whoever read them: compares them with what was seen before, asks Odoo what it recorded of
 * those that changed, hands the events in, and only then remembers what was seen. So a death between finds the same events again, under
 * the same ids. One observation at a time: two of the same record would tell a difference twice.
 */
export class Observer {
  readonly #deps: ObserverDeps;
  readonly #now: () => Date;
  readonly #told = new LRUCache<string, true>({ max: 50_000 });
  readonly #named = new LRUCache<string, true>({ max: 100_000, ttl: DAY_MS });
  #turn: Promise<unknown> = Promise.resolve();

  constructor(deps: ObserverDeps) {
    this.#deps = deps;
    this.#now = deps.now ?? (() => new Date());
  }

  /** Takes records as they are now. Throws what the stores or Odoo throw; then it has to be told again. */
  async observe(kind: RecordKind, records: readonly OdooRecord[], sight: Sight): Promise<Observed> {
    if (records.length === 0) return NOTHING;
    return await this.#inTurn(() => this.#observe(kind, records, sight));
  }

  /** Tells that records are gone, of those that are known; returns how many events were new. */
  async gone(
    kind: RecordKind,
    ids: readonly number[],
    at: Stamp = { at: this.#deps.odoo.clock.instant(), userId: undefined },
    stamps: ReadonlyMap<number, Stamp> = new Map(),
  ): Promise<number> {
    if (ids.length === 0) return 0;
    return await this.#inTurn(async () => {
      const { source, postgres, world } = this.#deps;
      const known = await seenRecords(postgres, source, kind.model, ids);
      const records = [...known.values()].map(({ id, snapshot }): OdooRecord => ({ id, values: snapshot }));
      const around = await world.around(kind.model, records);
      const events = records.flatMap((record) =>
        this.#eventsOf(kind, record, around, goodbye(kind, record, stamps.get(record.id) ?? at), 'poll'),
      );
      const accepted = await this.#accept(events);
      await forgetRecords(postgres, source, kind.model, [...known.keys()]);
      return accepted;
    });
  }

  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const run = this.#turn.then(work);
    this.#turn = run.catch(() => undefined);
    return await run;
  }

  async #observe(
    kind: RecordKind,
    read: readonly OdooRecord[],
    { path, stamps, notBefore, insist = false }: Sight,
  ): Promise<Observed> {
    const { source, postgres, world, history, standIn } = this.#deps;
    const records = read.map((record) => hiddenIn(kind, record, standIn));
    const known = await seenRecords(
      postgres,
      source,
      kind.model,
      records.map(({ id }) => id),
    );
    const changed = records.flatMap((record) => {
      const before = known.get(record.id);
      const isSame =
        before?.written === writtenText(record) && isSameSnapshot(before, snapshotOf(kind, record));
      return isSame && !insist ? [] : [{ record, before }];
    });
    if (changed.length === 0) return NOTHING;
    const told = changed.filter(({ record, before }) => before !== undefined || this.#isOfInterest(record));
    const [histories, around] = await Promise.all([
      this.#historiesOf(kind, told, notBefore),
      world.around(
        kind.model,
        changed.map(({ record }) => record),
      ),
    ]);
    const tracked = history.tracked(kind.model);
    const facts = told.map(({ record, before }) => {
      const messages = hiddenInMessages(kind, histories.get(record.id) ?? [], standIn);
      const reading = {
        kind,
        record,
        messages,
        // An audit log that says nothing may be off: then nothing is known of when a field got its value.
        tracked: history.mode === 'audit-log' && messages.length === 0 ? NOT_TRACKED : tracked,
        stamp: stamps?.get(record.id),
      };
      const news = before
        ? differences(reading, before)
        : this.#isPast(record)
          ? sinceThen(reading)
          : firstSight(reading);
      return { record, before, facts: news.filter(({ id }) => !this.#told.has(id)) };
    });
    const lines = await this.#linesOf(kind, facts);
    const events = facts.flatMap(({ record, before, facts: own }) =>
      this.#eventsOf(kind, record, around, own, this.#pathOf(record, before, path), lines.get(record.id)),
    );
    const accepted = await this.#accept(events);
    const seenAt = this.#now();
    await keepRecords(
      postgres,
      source,
      kind.model,
      changed.map(({ record }) => ({
        id: record.id,
        written: writtenText(record),
        snapshot: snapshotOf(kind, record),
        parents: kind.model === RECONCILIATION ? entriesOf(record, around) : undefined,
        seenAt,
      })),
    );
    return { accepted, changed };
  }

  /** The lines of the documents of which a fact carries them. */
  async #linesOf(
    kind: RecordKind,
    told: readonly { readonly record: OdooRecord; readonly facts: readonly ToldFact[] }[],
  ): Promise<ReadonlyMap<number, readonly DocumentLine[]>> {
    const { lines } = this.#deps;
    const wanted = told.filter(({ facts }) => facts.some(({ fact }) => lines.carries(kind.model, fact.type)));
    return await lines.of(
      kind.model,
      wanted.map(({ record }) => record.id),
    );
  }

  /** Reconciliations that are gone since entries changed: a row of them is deleted when it is undone, and leaves no trace. */
  async undone(kind: RecordKind, entries: readonly OdooRecord[]): Promise<number> {
    const { source, postgres, odoo } = this.#deps;
    const children = await childrenOf(
      postgres,
      source,
      kind.model,
      entries.map(({ id }) => id),
    );
    if (children.length === 0) return 0;
    const ids = children.map(({ id }) => id);
    const left = new Set((await odoo.read(kind.model, ids, ['company_id'])).map(({ id }) => id));
    const gone = children.filter(({ id }) => !left.has(id));
    const written = new Map(entries.map((record) => [record.id, writtenOf(record)]));
    const stamps = new Map(
      gone.flatMap(({ id, parents }) => {
        const [last] = parents
          .flatMap((entry) => written.get(entry) ?? [])
          .sort((a, b) => (a.at < b.at ? 1 : -1));
        return last ? [[id, last]] : [];
      }),
    );
    return await this.gone(
      kind,
      gone.map(({ id }) => id),
      undefined,
      stamps,
    );
  }

  /** What Odoo recorded: of a record that is new to us ever, of another since it was last seen. */
  async #historiesOf(kind: RecordKind, told: Observed['changed'], notBefore = '') {
    const { history } = this.#deps;
    const fresh = told.filter(({ record, before }) => !before && !this.#isPast(record));
    const old = told.filter(({ record, before }) => !before && this.#isPast(record));
    const idsOf = (some: Observed['changed']): number[] => some.map(({ record }) => record.id);
    const sinces = new Map(
      told.flatMap(({ record, before }) => {
        const since = before && (before.written > notBefore ? before.written : notBefore);
        return since === undefined ? [] : [[record.id, earlier(since, SLACK_MS)] as const];
      }),
    );
    const since = [...sinces.values()].sort()[0];
    const [whole, late, recent] = await Promise.all([
      history.of(kind.model, idsOf(fresh), undefined),
      history.of(kind.model, idsOf(old), odooTime(this.#deps.historyFrom)),
      since === undefined ? new Map<number, never>() : history.of(kind.model, [...sinces.keys()], since),
    ]);
    // The longest unseen of them says from when on all are asked: of each what was told before is left out.
    const own = [...recent].map(([id, messages]) => {
      const from = Date.parse(instantOf(sinces.get(id)) ?? '');
      return [id, messages.filter(({ at }) => Date.parse(at) >= from)] as const;
    });
    return new Map([...whole, ...late, ...own]);
  }

  /** One that was last written before what is told of the past begins has nothing to tell. */
  #isOfInterest(record: OdooRecord): boolean {
    return !this.#isPast(record) || writtenText(record) >= odooTime(this.#deps.historyFrom);
  }

  /** Was it made before what is told of the past begins? */
  #isPast({ values }: OdooRecord): boolean {
    const made = textOf(values.create_date);
    return made !== undefined && made < odooTime(this.#deps.historyFrom);
  }

  /** What is first seen of an old record is history, whoever comes upon it. */
  #pathOf({ values }: OdooRecord, before: SeenRecord | undefined, path: IngestPath): IngestPath {
    const made = textOf(values.create_date) ?? '';
    return before === undefined && made < odooTime(this.#deps.liveFrom)
      ? 'backfill'
      : path === 'backfill'
        ? 'poll'
        : path;
  }

  #eventsOf(
    kind: RecordKind,
    record: OdooRecord,
    around: Surroundings,
    facts: readonly ToldFact[],
    path: IngestPath,
    ownLines?: readonly DocumentLine[],
  ): AcceptedEvent[] {
    if (facts.length === 0) return [];
    const { source, odoo, world, lines, liveFrom } = this.#deps;
    const description = kind.describe(record, around);
    const companyKey = world.companyKey(description.company);
    if (companyKey === undefined) return [];
    return facts.map(({ id, fact, at, userId, inferred, isRecorded, mappingErrors }) => {
      // What Odoo recorded has its own time: it is live although the record is old, and history although it is seen now.
      const isLive = Date.parse(at) >= liveFrom.getTime();
      const recordedPath: IngestPath = isLive ? (path === 'webhook' ? 'webhook' : 'tracking') : 'backfill';
      return eventOf({
        id,
        source,
        companyKey,
        subject: subjectOf(kind.model, record.id),
        fact,
        at,
        actor: userId === undefined ? undefined : { userId, kind: userId === 1 ? 'system' : 'human' },
        inferred,
        mappingErrors,
        description,
        lines: lines.carries(kind.model, fact.type) ? ownLines : undefined,
        path: isRecorded ? recordedPath : path,
        url: recordUrl(odoo.url, odoo.version, { model: kind.model, id: record.id }),
      });
    });
  }

  /** Hands in events that are of no record. Returns how many were new. */
  async tell(events: readonly AcceptedEvent[]): Promise<number> {
    return await this.#inTurn(() => this.#accept(events.filter(({ event }) => !this.#told.has(event.id))));
  }

  /** Hands events in and accounts for them; those of documents whose party has no name yet bring it. */
  async #accept(events: readonly AcceptedEvent[]): Promise<number> {
    const { source, inbox, intake } = this.#deps;
    let accepted = 0;
    for (let from = 0; from < events.length; from += CHUNK) {
      const some = events.slice(from, from + CHUNK);
      await this.#name(some);
      const results = await inbox.accept(some);
      for (const [company, own] of Map.groupBy(some.entries(), ([, { event }]) => event.company)) {
        const of = (result: string) => own.filter(([i]) => results[i] === result);
        const fresh = of('accepted');
        accepted += fresh.length;
        const newest = own
          .map(([, { event }]) => parseInstant(event.time) ?? 0n)
          .reduce((a, b) => (a > b ? a : b), 0n);
        intake?.arrived({
          source,
          company,
          stream: '',
          records: fresh.length,
          bytes: fresh.reduce((sum, [, { event }]) => sum + event.data.length, 0),
          known: of('known').length + of('conflict').length,
          newest,
          live: own.every(([, { event }]) => event.ingestPath !== 'backfill'),
        });
        const unstorable = of('unstorable').length;
        if (unstorable > 0)
          intake?.lost({ source, company, stream: '', reason: 'invalid', records: unstorable });
      }
      for (const { event } of some) this.#told.set(event.id, true);
    }
    return accepted;
  }

  /** Keeps the names of partners that events name for the first time. */
  async #name(events: readonly AcceptedEvent[]): Promise<void> {
    const { source, odoo, postgres } = this.#deps;
    const wanted = new Map<string, { company: string; id: number }>();
    for (const { event } of events) {
      const id = Number(/^res\.partner\/(\d+)$/.exec(event.partyKey ?? '')?.[1]);
      const key = `${event.company}\n${id}`;
      if (id > 0 && !this.#named.has(key)) wanted.set(key, { company: event.company, id });
    }
    if (wanted.size === 0) return;
    const names = await partnerNames(odoo, [...new Set([...wanted.values()].map(({ id }) => id))]);
    for (const [company, own] of Map.groupBy(wanted.values(), (one) => one.company)) {
      const parties = own.flatMap(({ id }) => {
        const name = names.get(id);
        return name === undefined ? [] : [{ partyKey: `res.partner/${id}`, name }];
      });
      await keepParties(postgres, { company, source, parties, at: this.#now() });
    }
    for (const key of wanted.keys()) this.#named.set(key, true);
  }
}

const earlier = (time: string, ms: number): string => odooTime(new Date(dateOfOdoo(time).getTime() - ms));

const writtenText = ({ values }: OdooRecord): string => textOf(values.write_date) ?? '';

/** Kept as JSON: a field that was added since is no difference. */
const isSameSnapshot = (before: SeenRecord, now: Readonly<Record<string, unknown>>): boolean =>
  Object.entries(now).every(
    ([field, value]) => JSON.stringify(before.snapshot[field]) === JSON.stringify(value),
  );

/** The entries whose lines a reconciliation joins. */
const entriesOf = ({ values }: OdooRecord, around: Surroundings): number[] => {
  const entry = (line: unknown) => idOf(around.other('account.move.line', idOf(line))?.values.move_id) ?? [];
  return [entry(values.debit_move_id), entry(values.credit_move_id)].flat();
};
