import { setTimeout as sleep } from 'node:timers/promises';
import { errorCode } from '../../model/errors.ts';
import { formatInstant, nanosOf } from '../../model/time.ts';
import { connectOdoo, type Odoo, type OdooCall } from '../../odoo/client.ts';
import { odooTime } from '../../odoo/clock.ts';
import { OdooError } from '../../odoo/errors.ts';
import { inspectModels, type ModelReport, pictureOf, schemaChanges } from '../../odoo/inspect.ts';
import { odooPace } from '../../odoo/pace.ts';
import type { Counters } from '../../store/counters.ts';
import type { Intake } from '../../store/intake/intake.ts';
import type { Logger } from '../../store/logger.ts';
import type { Postgres } from '../../store/postgres/database.ts';
import type { Inbox } from '../../store/postgres/inbox.ts';
import { keepOdooCursor, odooCursors } from '../../store/postgres/odoo-cursors.ts';
import { dropOldHints, hintedAt, oldestHint } from '../../store/postgres/odoo-hints.ts';
import {
  keepOdooState,
  type OdooSource,
  type OdooState,
  readerOf,
} from '../../store/postgres/odoo-sources.ts';
import { completePolled } from '../../store/postgres/sources.ts';
import { endTurn, holdTurn, takeTurn } from '../../store/postgres/turns.ts';
import type { Sealer } from '../../store/sealed.ts';
import { accountText, openBankStandIns } from '../account-stand-ins.ts';
import { observeBalances } from './balances.ts';
import { PHANTOM_AFTER_MS, readBackHints } from './hints.ts';
import { type History, openHistory } from './history.ts';
import { isHooked } from './hooks.ts';
import type { RecordKind } from './kind.ts';
import { openLines } from './lines.ts';
import { type Observed, Observer } from './observer.ts';
import { Poller, SWEEP_EVERY_MS } from './poller.ts';
import { schemaEvents } from './schema-events.ts';
import { type NamedCompany, OdooWorld } from './surroundings.ts';

/** What a watcher stands on. */
export interface WatcherDeps {
  readonly postgres: Postgres;
  readonly inbox: Pick<Inbox, 'accept'>;
  readonly sealer: Sealer;
  readonly logger: Logger;
  readonly counters?: Counters | undefined;
  readonly intake?: Intake | undefined;
  readonly companies: readonly NamedCompany[];
  readonly now?: () => Date;
  /** Milliseconds between two rounds; 30 s when left out. */
  readonly everyMs?: number;
}

const EVERY_MS = 30_000;
const SLOWEST_MS = 5 * 60_000;
/** A call that takes longer asks for a rest. */
const SLOW_CALL_MS = 500;
const LEAST_SETTLE_MS = 10 * 60_000;
const HINTS_EVERY_MS = 500;
const HOLD_EVERY_MS = 5_000;
const RETRY_MS = { first: 5_000, most: 5 * 60_000 } as const;
const DAY_MS = 86_400_000;
/** After so long a webhook that belongs to a change that a poll found is missed. */
const HOOK_GRACE_MS = 60_000;
const KEEP_HINTS_MS = 86_400_000;
/** The day's comparison of all ids is done from this hour on, UTC. */
const NIGHT_HOUR = 1;
/** Balances to the end of the last month are read while it is being closed. */
const CLOSING_DAYS = 20;

interface Session {
  readonly odoo: Odoo;
  readonly world: OdooWorld;
  readonly history: History;
  readonly observer: Observer;
  readonly poller: Poller;
}

/** A change that a webhook should have told of, by the rules that were made in Odoo. */
interface Expected {
  readonly model: string;
  readonly id: number;
  readonly at: number;
  readonly foundAt: number;
}

/** Watches one Odoo, in one process of the deployment at a time: rounds, sweeps, history, webhooks, and what is done once a day. */
export class Watcher {
  readonly source: string;
  readonly #deps: WatcherDeps;
  readonly #configured: OdooSource;
  readonly #now: () => Date;
  readonly #stopping = new AbortController();
  #state: OdooState;
  #session: Session | undefined;
  #running: Promise<void> = Promise.resolve();
  #everyMs: number;
  #calls: OdooCall[] = [];
  #sweptAt = 0;
  #sweptFrom: Date | undefined;
  #expected: Expected[] = [];
  #isHeld = false;

  constructor(source: OdooSource, deps: WatcherDeps) {
    this.source = source.source;
    this.#configured = source;
    this.#deps = deps;
    this.#state = source.state;
    this.#now = deps.now ?? (() => new Date());
    this.#everyMs = deps.everyMs ?? EVERY_MS;
  }

  /** Begins to watch, until `stop`. */
  start(): void {
    this.#running = this.#run();
  }

  /** Ends what is under way, as soon as it can be left, and resolves then. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  /** One round, with all that is due: for those who do not want to wait. Throws what Odoo and the stores throw. */
  async once(): Promise<void> {
    const session = await this.#open();
    await this.#round(session);
    await this.#hints(session);
  }

  /** Reads all of the history that is left. */
  async backfill(): Promise<void> {
    const { poller } = await this.#open();
    while (await poller.backfill(this.#stopping.signal)) this.#noteProgress(poller);
    await this.#keep();
  }

  async #run(): Promise<void> {
    const { postgres, logger } = this.#deps;
    const name = `odoo ${this.source}`;
    while (!this.#isStopping) {
      const token = await takeTurn(postgres.db, name).catch(() => undefined);
      if (token === undefined) {
        await this.#pause(HOLD_EVERY_MS);
        continue;
      }
      this.#isHeld = true;
      const hold = setInterval(() => {
        holdTurn(postgres.db, name, token).then(
          (held) => {
            this.#isHeld = held;
          },
          (err) => logger.warn({ err, source: this.source }, 'the turn to watch an Odoo could not be held'),
        );
      }, HOLD_EVERY_MS);
      try {
        await this.#watch();
      } catch (err) {
        logger.error({ err, source: this.source }, 'watching an Odoo ended with an error; it is begun again');
        await this.#pause(RETRY_MS.first);
      } finally {
        clearInterval(hold);
        await endTurn(postgres.db, name, token).catch(() => {});
      }
    }
  }

  /** While the turn is held: rounds, between them history and webhooks. */
  async #watch(): Promise<void> {
    let failures = 0;
    while (!this.#isStopping && this.#isHeld) {
      const began = performance.now();
      try {
        const session = await this.#open();
        await this.#round(session);
        failures = 0;
        await this.#between(session, began + this.#everyMs);
      } catch (error) {
        if (this.#isStopping) return;
        failures++;
        await this.#failed(error);
        await this.#pause(Math.min(RETRY_MS.most, RETRY_MS.first * 2 ** (failures - 1)));
      }
    }
  }

  /** Signs in and finds out what there is, once; again after a failure. */
  async #open(): Promise<Session> {
    if (this.#session) return this.#session;
    const { postgres, sealer, inbox, intake, counters, companies } = this.#deps;
    const { source, url, database, pace, liveFrom, historyFrom } = this.#configured;
    const reader = await readerOf(postgres, sealer, source);
    const odoo = await connectOdoo(
      { url, database, login: reader.login, secret: reader.secret, pace: odooPace.optional().parse(pace) },
      {
        onCall: (call) => {
          if (this.#calls.length < 10_000) this.#calls.push(call);
          counters?.add('closewatch_odoo_calls', { source, outcome: call.outcome });
        },
      },
    );
    const world = new OdooWorld(odoo, source, companies);
    await world.load();
    const history = await openHistory(odoo);
    const lines = await openLines(odoo);
    const standIns = await openBankStandIns(postgres, this.#now());
    const standIn = (account: string): string => standIns('account', accountText(account));
    const observer = new Observer({
      ...{ source, odoo, world, history, lines, standIn, postgres, inbox, intake, liveFrom, historyFrom },
      now: this.#now,
    });
    const reports = await this.#inspect(odoo, world, observer);
    const poller = await Poller.open(
      {
        ...{ source, odoo, postgres, observer, liveFrom },
        onChanged: (kind, observed, path) => this.#noteChanged(odoo, kind, observed, path),
        onLate: (model, rows) => this.#noteLate(model, rows),
        now: this.#now,
      },
      reports,
    );
    poller.assuredUpTo = this.#state.completeUpTo ? odooTime(new Date(this.#state.completeUpTo)) : '';
    this.#state = {
      ...this.#state,
      version: odoo.version.text,
      protocol: odoo.protocol,
      history: history.mode,
    };
    this.#noteProgress(poller);
    await this.#declare({ world, poller }, undefined);
    this.#session = { odoo, world, history, observer, poller };
    return this.#session;
  }

  /** Compares what we read with what there is, tells what changed since the last time. */
  async #inspect(odoo: Odoo, world: OdooWorld, observer: Observer): Promise<readonly ModelReport[]> {
    const reports = await inspectModels(odoo);
    const picture = pictureOf(reports);
    const changes = schemaChanges(this.#state.picture as ReturnType<typeof pictureOf>, picture);
    const [first] = world.companies;
    const at = `${odooTime(odoo.clock.now()).replace(' ', 'T')}Z`;
    if (first && changes.length > 0)
      await observer.tell(
        schemaEvents(changes, { source: this.source, companyKey: first.key, at, url: odoo.url }),
      );
    this.#state = {
      ...this.#state,
      picture: picture as OdooState['picture'],
      inspectedAt: this.#now().toISOString(),
      models: reports.map(({ model, state, module, missing }) => ({
        model,
        state,
        ...(module === undefined ? {} : { module }),
        missing: [...missing],
      })),
    };
    return reports;
  }

  async #round(session: Session): Promise<void> {
    const { odoo, poller } = session;
    const { counters } = this.#deps;
    const started = performance.now();
    const startedAt = this.#now().toISOString();
    this.#calls = [];
    const signal = this.#stopping.signal;
    const began = await poller.round(this.#settleMs(session), signal);
    const sinceSweep = this.#now().getTime() - this.#sweptAt;
    if (sinceSweep >= SWEEP_EVERY_MS) {
      this.#sweptFrom = await poller.sweep(this.#settleMs(session), signal);
      this.#sweptAt = this.#now().getTime();
    }
    await this.#assure(session, began);
    await this.#judgeHooks();
    await this.#daily(session);
    this.#pace();
    const { error: _, ...state } = this.#state;
    this.#state = {
      ...state,
      roundStartedAt: startedAt,
      roundEndedAt: this.#now().toISOString(),
      roundMs: Math.round(performance.now() - started),
      roundCalls: this.#calls.length,
      rounds: state.rounds + 1,
      clockOffsetMs: odoo.clock.offsetMs,
    };
    counters?.add('closewatch_odoo_rounds', { source: this.source, outcome: 'done' });
    await this.#keep();
  }

  /** How long a transaction may last before it is taken to be over. */
  #settleMs({ history }: Pick<Session, 'history'>): number {
    return Math.max(LEAST_SETTLE_MS, this.#state.settleMs ?? 0, 3 * history.longestMs());
  }

  /** Says up to when everything was read: what a webhook told of and was not read back yet holds it. */
  async #assure(session: Session, began: Date): Promise<void> {
    const { postgres } = this.#deps;
    if (!this.#sweptFrom) return;
    const settleMs = this.#settleMs(session);
    const oldest = await oldestHint(postgres, this.source);
    const held =
      oldest && this.#now().getTime() - oldest.getTime() < PHANTOM_AFTER_MS
        ? oldest.getTime() + session.odoo.clock.offsetMs
        : Number.POSITIVE_INFINITY;
    const upTo = new Date(Math.min(began.getTime() - settleMs, this.#sweptFrom.getTime() - settleMs, held));
    // What was there before is history: nothing is claimed of it until it was read.
    if (upTo < this.#configured.liveFrom && !session.poller.progress.isFinished) return;
    await this.#declare(session, nanosOf(upTo));
    session.poller.assuredUpTo = odooTime(upTo);
    this.#state = { ...this.#state, completeUpTo: formatInstant(nanosOf(upTo)), settleMs };
  }

  /** From the first moment on it counts as a source that is polled, not as one that is complete while anything comes. */
  async #declare(
    { world, poller }: Pick<Session, 'world' | 'poller'>,
    upTo: bigint | undefined,
  ): Promise<void> {
    const companies = world.companies.map(({ key }) => key);
    await completePolled(
      this.#deps.postgres.db,
      { source: this.source, companies, upTo, types: poller.types },
      this.#now(),
    );
  }

  /** What is done once a day: look at the models, compare all ids, read balances, forget old hints. */
  async #daily(session: Session): Promise<void> {
    const { postgres } = this.#deps;
    const now = this.#now();
    const today = now.toISOString().slice(0, 10);
    const done = (await odooCursors(postgres, this.source)).get('daily') as
      | { comparedOn?: string; balancesOn?: string }
      | undefined;
    if (now.getTime() - Date.parse(this.#state.inspectedAt ?? '') >= DAY_MS) {
      await session.world.load();
      // The models that are read may be others now.
      await this.#inspect(session.odoo, session.world, session.observer);
      this.#session = undefined;
    }
    let position = done ?? {};
    if (position.balancesOn !== today) {
      await this.#balances(session, now);
      position = { ...position, balancesOn: today };
      await keepOdooCursor(postgres, this.source, 'daily', position);
    }
    const isNight = now.getUTCHours() >= NIGHT_HOUR;
    if (position.comparedOn !== today && isNight && session.poller.progress.isFinished) {
      for (const model of session.poller.models) {
        const { isSuspicious } = await session.poller.compare(
          model,
          { withTimes: true },
          this.#stopping.signal,
        );
        if (isSuspicious)
          this.#deps.logger.warn(
            { source: this.source, model },
            'so many records are gone at once that the key must have lost sight of them: nothing is told of it; closewatch odoo doctor',
          );
      }
      await dropOldHints(postgres, this.source, new Date(now.getTime() - KEEP_HINTS_MS));
      await keepOdooCursor(postgres, this.source, 'daily', { ...position, comparedOn: today });
    }
  }

  /** Balances to yesterday, and to the end of the last month while it is being closed. */
  async #balances({ odoo, world, observer, poller }: Session, now: Date): Promise<void> {
    if (!poller.models.includes('account.move')) return;
    const day = (offset: number): string =>
      new Date(now.getTime() - offset * DAY_MS).toISOString().slice(0, 10);
    const monthEnd = new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth(), 0))
      .toISOString()
      .slice(0, 10);
    const dates = new Set([day(1), ...(now.getUTCDate() <= CLOSING_DAYS ? [monthEnd] : [])]);
    const at = `${odooTime(odoo.clock.now()).replace(' ', 'T')}Z`;
    for (const company of world.companies)
      for (const date of dates) {
        await observer.tell(
          await observeBalances(odoo, { source: this.source, company, date, at }).catch((error: unknown) =>
            this.#withoutBalances(error),
          ),
        );
      }
  }

  /** A key that may not read items reads the rest all the same; what passes by itself is tried again with the round. */
  #withoutBalances(error: unknown): never[] {
    if (!(error instanceof OdooError) || error.retryable) throw error;
    this.#deps.logger.warn(
      { source: this.source, err: error },
      'the balances of accounts could not be read today',
    );
    return [];
  }

  /** Until the next round is due: webhooks at once, and a page of history after another. */
  async #between(session: Session, until: number): Promise<void> {
    let isBackfilling = !session.poller.progress.isFinished;
    while (!this.#isStopping && this.#isHeld && performance.now() < until && this.#session) {
      await this.#hints(session);
      if (isBackfilling) {
        isBackfilling = (await session.poller.backfill(this.#stopping.signal)) !== undefined;
        this.#noteProgress(session.poller);
        if (!isBackfilling) await this.#keep();
      } else await this.#pause(Math.min(HINTS_EVERY_MS, Math.max(0, until - performance.now())));
    }
  }

  async #hints({ odoo, poller, observer }: Session): Promise<void> {
    const { postgres, counters } = this.#deps;
    const deps = { postgres, source: this.source, poller, observer, version: odoo.version };
    const { confirmed, phantoms } = await readBackHints(deps, this.#now());
    if (confirmed + phantoms === 0) return;
    const { hooks } = this.#state;
    this.#state = {
      ...this.#state,
      hooks: { ...hooks, confirmed: hooks.confirmed + confirmed, phantoms: hooks.phantoms + phantoms },
    };
    if (confirmed > 0)
      counters?.add('closewatch_odoo_hints', { source: this.source, outcome: 'confirmed' }, confirmed);
    if (phantoms > 0)
      counters?.add('closewatch_odoo_hints', { source: this.source, outcome: 'phantom' }, phantoms);
  }

  #noteChanged(odoo: Odoo, kind: RecordKind, observed: Observed, path: string): void {
    if (path !== 'poll' || !this.#configured.installed.hooked.includes(kind.model)) return;
    const foundAt = this.#now().getTime();
    for (const { record, before } of observed.changed) {
      const { values } = record;
      const at = Date.parse(`${String(values.write_date).replace(' ', 'T')}Z`) - odoo.clock.offsetMs;
      const isOld = at < this.#configured.liveFrom.getTime() || (!before && this.#state.rounds === 0);
      if (!isOld && isHooked(kind.model, odoo.version.major, before?.snapshot, values))
        this.#expected.push({ model: kind.model, id: record.id, at, foundAt });
    }
  }

  /** Which changes that a poll found were told by no webhook, or by a late one. */
  async #judgeHooks(): Promise<void> {
    const { postgres, counters, logger } = this.#deps;
    const now = this.#now().getTime();
    const due = this.#expected.filter(({ foundAt }) => now - foundAt >= HOOK_GRACE_MS);
    if (due.length === 0) return;
    this.#expected = this.#expected.filter(({ foundAt }) => now - foundAt < HOOK_GRACE_MS);
    let [missed, late] = [0, 0];
    for (const [model, own] of Map.groupBy(due, (one) => one.model)) {
      const hinted = await hintedAt(postgres, this.source, model, [...new Set(own.map(({ id }) => id))]);
      for (const { id, at } of own) {
        const told = hinted.get(id)?.getTime();
        if (told === undefined || told < at - HOOK_GRACE_MS) missed++;
        else if (told > at + HOOK_GRACE_MS) late++;
      }
    }
    const { hooks } = this.#state;
    this.#state = {
      ...this.#state,
      hooks: { ...hooks, missed: hooks.missed + missed, late: hooks.late + late },
    };
    if (late > 0) counters?.add('closewatch_odoo_hints', { source: this.source, outcome: 'late' }, late);
    if (missed === 0) return;
    counters?.add('closewatch_odoo_hints', { source: this.source, outcome: 'missed' }, missed);
    logger.warn(
      { source: this.source, missed },
      'the poll found changes of which no webhook told: can Odoo reach the address of its webhooks?',
    );
  }

  #noteLate(model: string, rows: number): void {
    const { counters, logger } = this.#deps;
    const settleMs = Math.max(LEAST_SETTLE_MS, this.#state.settleMs ?? 0) * 1.5;
    this.#state = { ...this.#state, lateRows: this.#state.lateRows + rows, settleMs };
    counters?.add('closewatch_odoo_late_records', { source: this.source }, rows);
    logger.warn(
      { source: this.source, model, rows, settleMinutes: Math.round(settleMs / 60_000) },
      'records became visible after it was said that all of their time were read: more time is given from now on',
    );
  }

  #noteProgress(poller: Poller): void {
    const { done, total, isFinished } = poller.progress;
    const finishedAt =
      this.#state.backfill?.finishedAt ?? (isFinished ? this.#now().toISOString() : undefined);
    this.#state = {
      ...this.#state,
      backfill: { done, total, ...(isFinished && finishedAt ? { finishedAt } : {}) },
    };
  }

  /** Rests longer while Odoo is slow, and shorter again when it is not. */
  #pace(): void {
    const base = this.#deps.everyMs ?? EVERY_MS;
    const mean = this.#calls.reduce((sum, { ms }) => sum + ms, 0) / Math.max(1, this.#calls.length);
    this.#everyMs =
      mean > SLOW_CALL_MS ? Math.min(SLOWEST_MS, this.#everyMs * 2) : Math.max(base, this.#everyMs / 2);
  }

  async #failed(error: unknown): Promise<void> {
    const { counters, logger } = this.#deps;
    const code = errorCode(error) ?? 'internal';
    const message = error instanceof Error ? error.message.slice(0, 500) : '';
    this.#session = undefined;
    const { error: before } = this.#state;
    if (before?.code !== code)
      logger.warn({ source: this.source, code, err: error }, 'a round of an Odoo failed; it is tried again');
    this.#state = {
      ...this.#state,
      error: { code, message, since: before?.code === code ? before.since : this.#now().toISOString() },
    };
    counters?.add('closewatch_odoo_rounds', { source: this.source, outcome: 'failed' });
    await this.#keep().catch(() => {});
  }

  async #keep(): Promise<void> {
    await keepOdooState(this.#deps.postgres, this.source, this.#state);
  }

  get #isStopping(): boolean {
    return this.#stopping.signal.aborted;
  }

  async #pause(ms: number): Promise<void> {
    await sleep(ms, undefined, { signal: this.#stopping.signal }).catch(() => {});
  }
}
