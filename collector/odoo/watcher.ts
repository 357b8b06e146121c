import { setTimeout as sleep } from 'node:timers/promises';
import { errorCode } from '../../model/errors.ts';
import { formatInstant, nanosOf } from '../../model/time.ts';
import type { OdooCall } from '../../odoo/client.ts';
import { odooTime } from '../../odoo/clock.ts';
import type { SchemaPicture } from '../../odoo/inspect.ts';
import type { Counters } from '../../store/counters.ts';
import type { Logger } from '../../store/logger.ts';
import { oldestHint } from '../../store/postgres/odoo-hints.ts';
import { keepOdooState, type OdooSource, type OdooState } from '../../store/postgres/odoo-sources.ts';
import { completePolled } from '../../store/postgres/sources.ts';
import { endTurn, holdTurn, takeTurn } from '../../store/postgres/turns.ts';
import { doDaily } from './daily.ts';
import { ExpectedHooks } from './expected-hooks.ts';
import { PHANTOM_AFTER_MS, readBackHints } from './hints.ts';
import { nextPause } from './pause.ts';
import type { Poller } from './poller.ts';
import { type Inspection, inspect, openSession, type Session, type SessionDeps } from './session.ts';

/** What a watcher stands on. */
export interface WatcherDeps
  extends Pick<SessionDeps, 'postgres' | 'inbox' | 'sealer' | 'intake' | 'companies'> {
  readonly logger: Logger;
  readonly counters?: Counters | undefined;
  readonly now?: () => Date;
  /** Milliseconds between two rounds; 30 s when left out. */
  readonly everyMs?: number;
}

const EVERY_MS = 30_000;
const SWEEP_EVERY_MS = 5 * 60_000;
const LEAST_SETTLE_MS = 10 * 60_000;
const HINTS_EVERY_MS = 500;
const HOLD_EVERY_MS = 5_000;
const RETRY_MS = { first: 5_000, most: 5 * 60_000 } as const;
const DAY_MS = 86_400_000;
/** Calls of a round that are kept to see how slow Odoo is. */
const MAX_CALLS = 10_000;

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
  readonly #expected = new ExpectedHooks();
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
    const { source, liveFrom, installed } = this.#configured;
    const session = await openSession(
      { ...this.#configured, state: this.#state },
      {
        ...this.#deps,
        now: this.#now,
        onCall: (call) => {
          if (this.#calls.length < MAX_CALLS) this.#calls.push(call);
          const { outcome, protocol, ms } = call;
          this.#deps.counters?.add('closewatch_odoo_calls', { source, outcome, protocol });
          this.#deps.counters?.add('closewatch_odoo_call_milliseconds', { source }, Math.round(ms));
        },
        onChanged: (odoo, kind, observed, path) => {
          // What the first round finds was there before anybody could tell of it.
          if (path === 'poll' && this.#state.rounds > 0 && installed.hooked.includes(kind.model))
            this.#expected.note(odoo, kind, observed, { since: liveFrom, now: this.#now() });
        },
        onLate: (model, rows) => this.#noteLate(model, rows),
      },
    );
    const { odoo, history, poller, inspection } = session;
    const { completeUpTo } = this.#state;
    poller.assuredUpTo = completeUpTo === undefined ? '' : odooTime(new Date(completeUpTo));
    const { version, protocol } = odoo;
    this.#state = { ...this.#state, version: version.text, protocol, history: history.mode };
    this.#noteInspection(inspection);
    this.#noteProgress(poller);
    await this.#declare(session, undefined);
    this.#session = session;
    return session;
  }

  #noteInspection({ reports, picture }: Inspection): void {
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
    const { postgres, logger } = this.#deps;
    await doDaily(session, { source: this.source, postgres, logger, signal }, this.#now());
    await this.#inspectDaily(session);
    this.#everyMs = nextPause(this.#everyMs, this.#deps.everyMs ?? EVERY_MS, this.#calls);
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

  /** The models may be others after an upgrade, or when a module came: then they are read from the next round on. */
  async #inspectDaily(session: Session): Promise<void> {
    if (this.#now().getTime() - Date.parse(this.#state.inspectedAt ?? '') < DAY_MS) return;
    await session.world.load();
    this.#noteInspection(await inspect(session, this.source, this.#state.picture as SchemaPicture));
    this.#session = undefined;
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

  /** Which changes that a poll found were told by no webhook, or by a late one. */
  async #judgeHooks(): Promise<void> {
    const { postgres, counters, logger } = this.#deps;
    const { source } = this;
    const { missed, late } = await this.#expected.judge(postgres, source, this.#now());
    if (missed + late === 0) return;
    const { hooks } = this.#state;
    const sums = { missed: hooks.missed + missed, late: hooks.late + late };
    this.#state = { ...this.#state, hooks: { ...hooks, ...sums } };
    if (late > 0) counters?.add('closewatch_odoo_hints', { source, outcome: 'late' }, late);
    if (missed === 0) return;
    counters?.add('closewatch_odoo_hints', { source, outcome: 'missed' }, missed);
    logger.warn(
      { source, missed },
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
