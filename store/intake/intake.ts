import { END_OF_TIME } from '../../model/time.ts';
import type { Counters } from '../counters.ts';
import type { Logger } from '../logger.ts';
import type { Postgres } from '../postgres/database.ts';
import { storeIntake } from '../postgres/intake.ts';
import { LossLog } from './loss-log.ts';
import { type Arrived, IntakeTally, type Lost } from './sums.ts';

/**
 * The account of everything that comes in: every path by which something arrives tells what arrived and what of it was
 * lost. Both return at once and never throw.
 */
export interface Intake {
  /** Records came, and are stored or were known. */
  arrived(what: Arrived): void;
  /** Records came and are not among the data; says so in the log and counts them. */
  lost(what: Lost): void;
  /** Called after streams came that the database did not know yet. */
  onNewStreams(listener: () => Promise<void>): void;
  /** Stores what was summed up so far; tries no more than once. */
  flush(): Promise<void>;
  /** Stores the rest; what comes later is not accounted for. */
  close(): Promise<void>;
}

const FLUSH_EVERY_MS = 5_000;
/** So often a failure that lasts is told again. */
const TELL_EVERY_MS = 5 * 60_000;
const MAX_NAME_BYTES = 1_024;
const MAX_DETAIL = 200;

/** The text as PostgreSQL takes it, in an index too. */
function named(text: string): string {
  const clean = text.replaceAll('\0', '\ufffd').toWellFormed();
  return Buffer.byteLength(clean) <= MAX_NAME_BYTES
    ? clean
    : clean.slice(0, MAX_NAME_BYTES / 4).toWellFormed();
}

/** A time that a row can hold. */
const sensible = (newest: bigint | undefined): bigint | undefined =>
  newest !== undefined && newest >= 0n && newest < END_OF_TIME ? newest : undefined;

const whole = (count: number): number => (Number.isFinite(count) && count > 0 ? Math.floor(count) : 0);

/**
 * Opens the account. It counts in memory and stores the sums every five seconds in one statement, so that it costs the same
 * however much comes; when that fails it keeps them and tries again. A process that is killed takes the sums of the last
 * seconds with it, never the records. When the database commits and the answer is lost, these sums are stored twice.
 */
export function openIntake(deps: {
  readonly postgres: Pick<Postgres, 'db'>;
  readonly logger: Logger;
  readonly counters?: Pick<Counters, 'add'> | undefined;
  readonly now?: () => Date;
  readonly flushEveryMs?: number;
}): Intake {
  const { postgres, logger, counters, now = () => new Date(), flushEveryMs = FLUSH_EVERY_MS } = deps;
  const tally = new IntakeTally();
  const log = new LossLog(logger);
  const listeners: (() => Promise<void>)[] = [];
  let timer: NodeJS.Timeout | undefined;
  let flushing: Promise<void> = Promise.resolve();
  let toldAt = Number.NEGATIVE_INFINITY;
  let isClosed = false;
  let isUntold = false;

  function wind(): void {
    if (timer || isClosed || (tally.isEmpty && log.isQuiet && !isUntold)) return;
    timer = setTimeout(() => {
      timer = undefined;
      void flush().finally(wind);
    }, flushEveryMs);
    timer.unref();
  }

  function safely(work: () => void): void {
    if (isClosed) return;
    try {
      work();
      wind();
    } catch (error) {
      logger.error({ err: error }, 'the account of what came in is wrong: something could not be counted');
    }
  }

  async function store(): Promise<void> {
    log.tell(now().getTime(), isClosed);
    if (!tally.isEmpty) {
      const sums = tally.take(now());
      try {
        if (await storeIntake(postgres, sums)) isUntold = true;
      } catch (error) {
        tally.takeBack(sums, now());
        throw error;
      }
    }
    if (isUntold) for (const listener of listeners) await listener();
    isUntold = false;
    toldAt = Number.NEGATIVE_INFINITY;
  }

  function flush(): Promise<void> {
    flushing = flushing.then(store).catch((error: unknown) => {
      if (now().getTime() - toldAt < TELL_EVERY_MS) return;
      toldAt = now().getTime();
      logger.warn({ err: error }, 'what came in and what was lost could not be stored yet; it is kept');
    });
    return flushing;
  }

  return {
    arrived: (what) =>
      safely(() => {
        const name = {
          source: named(what.source),
          company: named(what.company ?? ''),
          stream: named(what.stream),
        };
        const counts = {
          records: whole(what.records),
          bytes: whole(what.bytes),
          known: whole(what.known ?? 0),
        };
        tally.arrived({ ...what, ...name, ...counts, newest: sensible(what.newest) }, now());
      }),
    lost: (what) =>
      safely(() => {
        const records = whole(what.records);
        if (records === 0) return;
        const detail = what.detail === undefined ? undefined : named(what.detail.slice(0, MAX_DETAIL));
        const given = {
          source: named(what.source),
          company: named(what.company ?? ''),
          stream: named(what.stream),
        };
        const name = tally.lost({ ...what, ...given, records, detail }, now());
        const { reason } = what;
        counters?.add(
          'closewatch_records_lost',
          { source: name.source, stream: name.stream, reason },
          records,
        );
        log.note({ ...name, reason, records, detail }, now().getTime());
      }),
    onNewStreams: (listener) => void listeners.push(listener),
    flush,
    async close() {
      clearTimeout(timer);
      isClosed = true;
      await flush();
    },
  };
}
