import type { IngestPath } from '../../model/event.ts';
import type { Domain, Odoo } from '../../odoo/client.ts';
import { dateOfOdoo, odooTime } from '../../odoo/clock.ts';
import type { ModelReport } from '../../odoo/inspect.ts';
import { idOf, instantOf, textOf } from '../../odoo/values.ts';
import type { Postgres } from '../../store/postgres/database.ts';
import { keepOdooCursor, odooCursors } from '../../store/postgres/odoo-cursors.ts';
import { countRecords, knownIds, seenRecords } from '../../store/postgres/odoo-records.ts';
import type { History } from './history.ts';
import type { OdooRecord, RecordKind } from './kind.ts';
import { kindOfModel } from './kinds.ts';
import type { Observed, Observer } from './observer.ts';
import { allById, changedSince, type Reading, recordsOf } from './pages.ts';
import { type Stamp, writtenOf } from './teller.ts';

/** What a poller reads and where it keeps how far it came. */
export interface PollerDeps {
  readonly source: string;
  readonly odoo: Odoo;
  readonly postgres: Postgres;
  readonly observer: Observer;
  readonly history: Pick<History, 'editedLines'>;
  readonly liveFrom: Date;
  /** Told of every record that a round found changed. */
  readonly onChanged?: (kind: RecordKind, observed: Observed, path: IngestPath) => void;
  /** Told of records that became visible after it was said that all of their time were read. */
  readonly onLate?: (model: string, rows: number) => void;
  readonly pageSize?: number;
  readonly now?: () => Date;
}

const PAGE = 500;
/** Ids, or ids with their times, of a page: they are small. */
const ID_PAGE = 10_000;
const OVERLAP_MS = 30_000;
const RECONCILIATION = 'account.partial.reconcile';
/** Tracking values that may become visible after later ones. */
const ID_OVERLAP = 500;
/** So many records of a model, or so large a part, do not go at once: the key lost sight of them. */
const SUSPICIOUS = { records: 50, part: 0.1 } as const;
/** What the count of a table may cost: larger ones are counted seldom. */
const SMALL_TABLE = 20_000;
const LARGE_EVERY_MS = 3_600_000;

const WRITTEN = [{ as: 'write_date', name: 'write_date', optional: false }] as const;

interface Model {
  readonly kind: RecordKind;
  readonly reading: Reading;
}

/** How far the history of an Odoo was read. */
export interface BackfillProgress {
  readonly done: number;
  readonly total: number;
  readonly isFinished: boolean;
}

interface BackfillPosition {
  readonly after: number;
  readonly done: number;
  readonly isFinished: boolean;
}

/** Reads an Odoo round by round. Positions are in its own clock. Every method throws an OdooError when it cannot be read. */
export class Poller {
  readonly #deps: PollerDeps;
  readonly #models: readonly Model[];
  readonly #now: () => Date;
  readonly #backfills = new Map<string, BackfillPosition>();
  readonly #countedAt = new Map<string, number>();
  /** The next page of history, which is asked for while the one before is dealt with. */
  #ahead:
    | { readonly model: string; readonly after: number; readonly page: Promise<readonly OdooRecord[]> }
    | undefined;
  /** When the last round began, and the last sweep. */
  #readUntil: string;
  #sweptFrom: string;
  /** The last tracking value of a line that was seen. */
  #lineEdit: number | undefined;
  /** Up to when it was said that everything is read, in Odoo's clock. */
  assuredUpTo = '';
  #total: number | undefined;

  private constructor(
    deps: PollerDeps,
    reports: readonly ModelReport[],
    cursors: ReadonlyMap<string, unknown>,
  ) {
    this.#deps = deps;
    this.#now = deps.now ?? (() => new Date());
    this.#models = reports.flatMap((report) => {
      const kind = kindOfModel(report.model);
      if (report.state !== 'ready' || !kind) return [];
      const { model, fields } = report;
      const derive =
        kind.derive &&
        ((values: OdooRecord['values']) => kind.derive?.(values, odooTime(deps.odoo.clock.now())) ?? values);
      return [{ kind, reading: { model, fields, pageSize: deps.pageSize ?? PAGE, derive } }];
    });
    const read = cursors.get('round') as { until: string; sweptFrom: string } | undefined;
    this.#readUntil = read?.until ?? odooTime(deps.liveFrom);
    this.#sweptFrom = read?.sweptFrom ?? this.#readUntil;
    this.#lineEdit = (cursors.get('line edits') as { last: number } | undefined)?.last;
    for (const { kind } of this.#models) {
      const position = cursors.get(`backfill ${kind.model}`) as BackfillPosition | undefined;
      this.#backfills.set(kind.model, position ?? { after: 0, done: 0, isFinished: false });
    }
  }

  /** Goes on where it was left. */
  static async open(deps: PollerDeps, reports: readonly ModelReport[]): Promise<Poller> {
    return new Poller(deps, reports, await odooCursors(deps.postgres, deps.source));
  }

  /** Types of all events that it may tell. */
  get types(): readonly string[] {
    return [...new Set(this.#models.flatMap(({ kind }) => kind.types))].sort();
  }

  /**
   * Reads what was written since the last round and a while before. Returns the time at which this one began, in Odoo's clock: up to it, less the
   * settle time, everything was read.
   */
  async round(settleMs: number, signal?: AbortSignal): Promise<Date> {
    const { odoo } = this.#deps;
    const began = odoo.clock.now();
    const since = odooTime(new Date(dateOfOdoo(this.#readUntil).getTime() - OVERLAP_MS));
    for (const model of this.#models)
      for await (const page of this.#readingOf(model, since, signal))
        await this.#observe(model, page, 'poll', this.#windowOf(settleMs));
    this.#readUntil = odooTime(began);
    await this.#keepPosition();
    return began;
  }

  /**
   * What was not seen yet was written at this time or later, in Odoo's clock: all that was visible when the last sweep began was seen by it,
   * and what was not had not lasted longer than the settle time.
   */
  #windowOf(settleMs: number): string {
    return odooTime(new Date(dateOfOdoo(this.#sweptFrom).getTime() - settleMs - OVERLAP_MS));
  }

  async #keepPosition(): Promise<void> {
    const { postgres, source } = this.#deps;
    await keepOdooCursor(postgres, source, 'round', { until: this.#readUntil, sweptFrom: this.#sweptFrom });
  }

  /** What was written since; all of it where rows change without a stamp. */
  #readingOf({ kind, reading }: Model, since: string, signal: AbortSignal | undefined) {
    const { odoo } = this.#deps;
    return kind.happenedAt
      ? allById(odoo, { ...reading, signal })
      : changedSince(odoo, { ...reading, signal }, since);
  }

  /**
   * Looks again at what was written within the settle time before the last sweep, and since: a transaction that lasted becomes visible with the time at which it began. Reads
   * two fields, and then what it did not know. Looks for records that are gone, too, where the numbers say so. Returns when it
   * began, in Odoo's clock.
   */
  async sweep(settleMs: number, signal?: AbortSignal): Promise<Date> {
    const { odoo, postgres, source } = this.#deps;
    const began = odoo.clock.now();
    const since = this.#windowOf(settleMs);
    for (const model of this.#models) {
      const { kind, reading } = model;
      if (kind.happenedAt) continue;
      const unknown: number[] = [];
      const times = { ...reading, fields: WRITTEN, pageSize: ID_PAGE, signal };
      for await (const page of changedSince(odoo, times, since)) {
        const known = await seenRecords(
          postgres,
          source,
          kind.model,
          page.map(({ id }) => id),
        );
        const missed = page.filter(({ id, values }) => known.get(id)?.written !== values.write_date);
        unknown.push(...missed.map(({ id }) => id));
      }
      if (unknown.length > 0)
        this.#noteLate(kind.model, await this.readBack(kind.model, unknown, 'poll', signal));
      if (await this.#hasFewer(model)) await this.compare(kind.model, { withTimes: false }, signal);
    }
    await this.#tellLineEdits(signal);
    this.#sweptFrom = odooTime(began);
    await this.#keepPosition();
    return began;
  }

  /**
   * Tells of documents whose lines were edited. Ids are given out before they are visible, so that those of a while before are asked for
   * again.
   */
  async #tellLineEdits(signal: AbortSignal | undefined): Promise<void> {
    const { history, postgres, source } = this.#deps;
    const from = this.#lineEdit;
    const { documents, last } = await history.editedLines(from && Math.max(0, from - ID_OVERLAP));
    for (const [name, ids] of documents) await this.readBack(name, [...ids], 'poll', signal, true);
    if (last === from) return;
    this.#lineEdit = last;
    await keepOdooCursor(postgres, source, 'line edits', { last });
  }

  #noteLate(model: string, { changed }: Observed): void {
    const late = changed.filter(({ record }) => String(record.values.write_date) < this.assuredUpTo).length;
    if (late > 0) this.#deps.onLate?.(model, late);
  }

  /** Does Odoo have fewer records of the model than are known? Only asked when all of them are known. */
  async #hasFewer({ kind: { model } }: Model): Promise<boolean> {
    const { odoo, postgres, source } = this.#deps;
    if (!this.#backfills.get(model)?.isFinished) return false;
    const at = this.#now().getTime();
    if (at < (this.#countedAt.get(model) ?? 0)) return false;
    const known = await countRecords(postgres, source, model);
    if (known > SMALL_TABLE) this.#countedAt.set(model, at + LARGE_EVERY_MS);
    if (known === 0) return false;
    return (await odoo.searchCount(model, [], { context: { active_test: false } })) < known;
  }

  /** Compares all ids of a model with those that are known, and with `withTimes` when they were written: what is gone, and what was missed. */
  async compare(
    name: string,
    { withTimes }: { readonly withTimes: boolean },
    signal?: AbortSignal,
  ): Promise<{ readonly gone: number; readonly missed: number; readonly isSuspicious: boolean }> {
    const { odoo, postgres, source, observer } = this.#deps;
    const model = this.#models.find(({ kind }) => kind.model === name);
    if (!model || !this.#backfills.get(name)?.isFinished) return { gone: 0, missed: 0, isSuspicious: false };
    const gone: number[] = [];
    const missed: number[] = [];
    let all = 0;
    for (let after = 0; ; ) {
      const page = await this.#idsAfter(name, after, withTimes, signal);
      const isLast = page.length < ID_PAGE;
      const to = isLast ? Number.MAX_SAFE_INTEGER : (page.at(-1)?.id ?? after);
      const known = await knownIds(postgres, source, name, { from: after + 1, to });
      all += known.size;
      const there = new Set(page.map(({ id }) => id));
      for (const id of known.keys()) if (!there.has(id)) gone.push(id);
      for (const { id, written } of page) {
        const was = known.get(id);
        if (was === undefined || (written !== undefined && was !== written)) missed.push(id);
      }
      if (isLast) break;
      after = to;
    }
    // What was made or deleted while this read is known by now, or is no longer.
    const left =
      gone.length === 0
        ? []
        : await odoo.read(name, gone, ['id'], { context: { active_test: false }, signal });
    const reallyGone = gone.filter((id) => !left.some((row) => row.id === id));
    const isSuspicious = reallyGone.length > Math.max(SUSPICIOUS.records, all * SUSPICIOUS.part);
    if (!isSuspicious) await observer.gone(model.kind, reallyGone);
    if (missed.length > 0) this.#noteLate(name, await this.readBack(name, missed, 'poll', signal));
    return { gone: isSuspicious ? 0 : reallyGone.length, missed: missed.length, isSuspicious };
  }

  async #idsAfter(
    model: string,
    after: number,
    withTimes: boolean,
    signal: AbortSignal | undefined,
  ): Promise<{ readonly id: number; readonly written: string | undefined }[]> {
    const { odoo } = this.#deps;
    const search = {
      domain: [['id', '>', after]] satisfies Domain,
      fields: withTimes ? ['write_date'] : ['id'],
      order: 'id',
      limit: ID_PAGE,
    };
    const rows = await odoo.searchRead(model, search, { context: { active_test: false }, signal });
    return rows.map((row) => ({ id: row.id, written: withTimes ? textOf(row.write_date) : undefined }));
  }

  /** The models that are read, by name. */
  get models(): readonly string[] {
    return this.#models.map(({ kind }) => kind.model);
  }

  /** Reads records again, all at once, and tells what there is to tell; those that are not there are left out. */
  async readBack(
    name: string,
    ids: readonly number[],
    path: IngestPath,
    signal?: AbortSignal,
    insist = false,
  ): Promise<Observed & { readonly found: ReadonlySet<number> }> {
    const model = this.#models.find(({ kind }) => kind.model === name);
    if (!model) return { accepted: 0, changed: [], found: new Set() };
    const found = new Set<number>();
    const changed: Observed['changed'][number][] = [];
    let accepted = 0;
    for (let from = 0; from < ids.length; from += model.reading.pageSize) {
      const some = ids.slice(from, from + model.reading.pageSize);
      const records = await recordsOf(this.#deps.odoo, { ...model.reading, signal }, some);
      const observed = await this.#observe(model, records, path, undefined, insist);
      accepted += observed.accepted;
      changed.push(...observed.changed);
      for (const { id } of records) found.add(id);
    }
    return { accepted, changed, found };
  }

  /** Reads the next page of history; undefined when all of it was read. */
  async backfill(signal?: AbortSignal): Promise<BackfillProgress | undefined> {
    const { postgres, source } = this.#deps;
    const next = this.#models.find(({ kind }) => !this.#backfills.get(kind.model)?.isFinished);
    if (!next) return undefined;
    const { kind, reading } = next;
    this.#total ??= await this.#countAll();
    const before = this.#backfills.get(kind.model) as BackfillPosition;
    const records = await this.#pageAfter(next, before.after, signal);
    if (records.length === reading.pageSize) this.#askAhead(next, records.at(-1)?.id ?? before.after, signal);
    await this.#observe(next, records, 'backfill');
    const position: BackfillPosition = {
      after: records.at(-1)?.id ?? before.after,
      done: before.done + records.length,
      isFinished: records.length < reading.pageSize,
    };
    this.#backfills.set(kind.model, position);
    await keepOdooCursor(postgres, source, `backfill ${kind.model}`, position);
    return this.progress;
  }

  /** The page of history after the id: the one that was asked for ahead, when it is that. */
  async #pageAfter(
    model: Model,
    after: number,
    signal: AbortSignal | undefined,
  ): Promise<readonly OdooRecord[]> {
    const ahead = this.#ahead;
    this.#ahead = undefined;
    if (ahead?.model === model.kind.model && ahead.after === after) return await ahead.page;
    const { value, done } = await allById(this.#deps.odoo, { ...model.reading, signal }, after).next();
    return done ? [] : (value as readonly OdooRecord[]);
  }

  #askAhead(model: Model, after: number, signal: AbortSignal | undefined): void {
    const page = this.#pageAfter(model, after, signal);
    // Whoever takes it is told.
    page.catch(() => {});
    this.#ahead = { model: model.kind.model, after, page };
  }

  /** How much of the history was read; `total` as it was counted when this began. */
  get progress(): BackfillProgress {
    const positions = [...this.#backfills.values()];
    const done = positions.reduce((sum, one) => sum + one.done, 0);
    return {
      done,
      total: Math.max(done, this.#total ?? 0),
      isFinished: positions.every(({ isFinished }) => isFinished),
    };
  }

  async #countAll(): Promise<number> {
    let total = 0;
    for (const { kind } of this.#models)
      total += await this.#deps.odoo.searchCount(kind.model, [], { context: { active_test: false } });
    return total;
  }

  async #observe(
    model: Model,
    records: readonly OdooRecord[],
    path: IngestPath,
    notBefore?: string,
    insist?: boolean,
  ): Promise<Observed> {
    const { observer, odoo, onChanged } = this.#deps;
    const stamps = stampsOf(model.kind, records, odooTime(odoo.clock.now()));
    const observed = await observer.observe(model.kind, records, { path, stamps, notBefore, insist });
    if (observed.changed.length === 0) return observed;
    if (path !== 'backfill') onChanged?.(model.kind, observed, path);
    if (model.kind.model === 'account.move') {
      const entries = observed.changed.map(({ record }) => record);
      const reconciliations = this.#models.find(({ kind }) => kind.model === RECONCILIATION);
      const rewritten = observed.changed.filter(({ before }) => before).map(({ record }) => record);
      if (reconciliations) await observer.undone(reconciliations.kind, rewritten);
      if (odoo.version.major <= 17) await this.#paymentsOf(entries, path);
    }
    return observed;
  }

  /** Up to 17 the state of a payment is that of its entry, and is written there alone. */
  async #paymentsOf(entries: readonly OdooRecord[], path: IngestPath): Promise<void> {
    const payments = this.#models.find(({ kind }) => kind.model === 'account.payment');
    const byPayment = new Map(
      entries.flatMap((entry) => {
        const payment = idOf(entry.values.origin_payment_id);
        return payment === undefined ? [] : [[payment, writtenOf(entry)] as const];
      }),
    );
    if (!payments || byPayment.size === 0) return;
    const records = await recordsOf(this.#deps.odoo, payments.reading, [...byPayment.keys()]);
    await this.#deps.observer.observe(payments.kind, records, { path, stamps: byPayment });
  }
}

/** When something last happened to records whose stamp does not tell; of one that somebody wrote later the stamp holds. */
function stampsOf(
  { happenedAt }: RecordKind,
  records: readonly OdooRecord[],
  now: string,
): ReadonlyMap<number, Stamp> | undefined {
  if (!happenedAt) return undefined;
  return new Map(
    records.flatMap((record) => {
      const at = instantOf(happenedAt(record, now));
      return at && at > writtenOf(record).at ? [[record.id, { at, userId: undefined }] as const] : [];
    }),
  );
}
