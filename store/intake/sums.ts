import { type ClockReading, type DelaySlot, noteDelay, readClock } from '../../model/clock-skew.ts';
import type { LossReason } from '../../model/loss.ts';

/** What came of a stream of a source, together: a request, a message, a block of a file. */
export interface Arrived {
  /** The source of the events; of telemetry what the token of its sender speaks for. */
  readonly source: string;
  /** Left out for telemetry, which names no company. */
  readonly company?: string | undefined;
  /** '' for finance events, the name of a heartbeat's stream, or `traces`, `logs`, `metrics`. */
  readonly stream: string;
  /** New ones; 0 of a heartbeat. */
  readonly records: number;
  readonly bytes: number;
  /** Records that were here before: sent again. */
  readonly known?: number | undefined;
  /** The time of the newest record, as its sender says, epoch nanoseconds. */
  readonly newest?: bigint | undefined;
  /** False for back-fill, which says nothing of the sender's clock. */
  readonly live?: boolean | undefined;
}

/** What came and is not among the data. */
export interface Lost {
  readonly source: string;
  readonly company?: string | undefined;
  readonly stream: string;
  readonly reason: LossReason;
  readonly records: number;
  /** Names, counts and limits; never payload, personal data or secrets. 200 characters are kept. */
  readonly detail?: string | undefined;
}

export interface StreamName {
  readonly source: string;
  readonly company: string;
  readonly stream: string;
}
interface Counts {
  readonly records: number;
  readonly bytes: number;
  readonly known: number;
}
export interface StreamSum extends StreamName, Counts {
  readonly last_event_ns: bigint | null;
  readonly last_arrival_at: Date;
}
export interface RateSum extends StreamName, Counts {
  readonly width: 'minute' | 'hour';
  readonly at: Date;
}
export interface LossSum extends StreamName {
  readonly reason: LossReason;
  readonly hour: Date;
  readonly records: number;
  readonly last_at: Date;
  readonly last_detail: string | null;
}
export interface ClockRow extends ClockReading {
  readonly source: string;
}

/** The sums since the last time that they were taken, as the tables have them. */
export interface IntakeSums {
  readonly streams: readonly StreamSum[];
  readonly rates: readonly RateSum[];
  readonly losses: readonly LossSum[];
  readonly clocks: readonly ClockRow[];
}

/** How long the tables keep them. */
export const KEEP_RATES_MS = { minute: 2 * 3_600_000, hour: 48 * 3_600_000 } as const;
const WIDTH_MS = { minute: 60_000, hour: 3_600_000 } as const;

/** So many streams, and so many clocks, are told apart at a time; what is beyond counts under `(other)`. */
const MAX_NAMES = 5_000;
/** Names that nothing good has come under, of sources and their companies: so many an hour are told apart in the losses. */
const MAX_STRANGERS = 200;
const OTHER = '(other)';

const keyOf = (...parts: readonly unknown[]): string => parts.join('\n');
const startOf = (at: Date, ms: number): Date => new Date(Math.floor(at.getTime() / ms) * ms);
const larger = (a: bigint | null, b: bigint | null): bigint | null =>
  a === null ? b : b === null || a > b ? a : b;
const later = (a: Date, b: Date): Date => (a > b ? a : b);

const plus = <T extends Counts>(a: T, b: T): Counts => ({
  records: a.records + b.records,
  bytes: a.bytes + b.bytes,
  known: a.known + b.known,
});

/** Adds up what arrived and what was lost, in memory that is bounded whatever the senders call themselves. */
export class IntakeTally {
  #streams = new Map<string, StreamSum>();
  #rates = new Map<string, RateSum>();
  #losses = new Map<string, LossSum>();
  #touched = new Set<string>();
  readonly #windows = new Map<string, readonly DelaySlot[]>();
  readonly #senders = new Set<string>();
  #strangers = { hour: 0, names: new Set<string>() };

  get isEmpty(): boolean {
    return this.#streams.size === 0 && this.#losses.size === 0;
  }

  arrived(given: Arrived, at: Date): void {
    if (this.#senders.size < MAX_NAMES)
      this.#senders.add(given.source).add(keyOf(given.source, given.company ?? ''));
    const name = this.#nameOf(given);
    const counts = { records: given.records, bytes: given.bytes, known: given.known ?? 0 };
    this.#addStream({ ...name, ...counts, last_event_ns: given.newest ?? null, last_arrival_at: at });
    for (const width of ['minute', 'hour'] as const)
      this.#addRate({ ...name, ...counts, width, at: startOf(at, WIDTH_MS[width]) });
    if (given.newest !== undefined && (given.live ?? true)) this.#noteDelay(name.source, given, at);
  }

  /** Counts it under the name that it returns: of names that nothing good has come under only the first are kept. */
  lost(given: Lost, at: Date): StreamName {
    const { source, company = '', stream } = given;
    const isSource = this.#isTold(source, at);
    const isCompany = isSource && company !== '' && this.#isTold(keyOf(source, company), at);
    const name = { source: isSource ? source : OTHER, company: isCompany ? company : '', stream };
    this.#addLoss({
      ...name,
      reason: given.reason,
      hour: startOf(at, WIDTH_MS.hour),
      records: given.records,
      last_at: at,
      last_detail: given.detail ?? null,
    });
    return name;
  }

  /** Everything since the last time, in one order, so that two processes never wait for each other in a circle. */
  take(now: Date): IntakeSums {
    const inOrder = <T>(sums: Map<string, T>): T[] =>
      [...sums].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, sum]) => sum);
    const clocks = [...this.#touched].sort().flatMap((source) => {
      const reading = readClock(this.#windows.get(source) ?? [], now.getTime());
      return reading ? [{ source, ...reading }] : [];
    });
    const taken = {
      streams: inOrder(this.#streams),
      rates: inOrder(this.#rates),
      losses: inOrder(this.#losses),
      clocks,
    };
    this.#streams = new Map();
    this.#rates = new Map();
    this.#losses = new Map();
    this.#touched = new Set();
    return taken;
  }

  /** Adds what was taken and could not be stored; of rates only what the table would still keep. */
  takeBack(taken: IntakeSums, now: Date): void {
    for (const sum of taken.streams) this.#addStream(sum);
    for (const sum of taken.rates)
      if (now.getTime() - sum.at.getTime() < KEEP_RATES_MS[sum.width]) this.#addRate(sum);
    for (const sum of taken.losses) this.#addLoss(sum);
    for (const { source } of taken.clocks) this.#touched.add(source);
  }

  #nameOf({ source, company = '', stream }: Arrived): StreamName {
    const isRoom = this.#streams.size < MAX_NAMES || this.#streams.has(keyOf(source, company, stream));
    return isRoom ? { source, company, stream } : { source: OTHER, company: '', stream };
  }

  #isTold(name: string, at: Date): boolean {
    if (this.#senders.has(name)) return true;
    const hour = Math.floor(at.getTime() / WIDTH_MS.hour);
    if (this.#strangers.hour !== hour) this.#strangers = { hour, names: new Set() };
    const { names } = this.#strangers;
    if (names.size < MAX_STRANGERS) names.add(name);
    return names.has(name);
  }

  #addStream(sum: StreamSum): void {
    const key = keyOf(sum.source, sum.company, sum.stream);
    const before = this.#streams.get(key);
    if (!before) return void this.#streams.set(key, sum);
    this.#streams.set(key, {
      ...sum,
      ...plus(before, sum),
      last_event_ns: larger(before.last_event_ns, sum.last_event_ns),
      last_arrival_at: later(before.last_arrival_at, sum.last_arrival_at),
    });
  }

  #addRate(sum: RateSum): void {
    const key = keyOf(sum.source, sum.company, sum.stream, sum.width, sum.at.toISOString());
    const before = this.#rates.get(key);
    this.#rates.set(key, before ? { ...sum, ...plus(before, sum) } : sum);
  }

  #addLoss(sum: LossSum): void {
    const key = keyOf(sum.source, sum.company, sum.stream, sum.reason, sum.hour.toISOString());
    const before = this.#losses.get(key);
    if (!before) return void this.#losses.set(key, sum);
    const [older, newer] = before.last_at > sum.last_at ? [sum, before] : [before, sum];
    this.#losses.set(key, {
      ...newer,
      records: before.records + sum.records,
      last_detail: newer.last_detail ?? older.last_detail,
    });
  }

  #noteDelay(source: string, { newest = 0n, records }: Arrived, at: Date): void {
    const window = this.#windows.get(source) ?? [];
    const leastMs = at.getTime() - Number(newest / 1_000_000n);
    // Anew at the end: the first one is the one that was silent for longest.
    this.#windows.delete(source);
    const [silent] = this.#windows.keys();
    if (silent !== undefined && this.#windows.size >= MAX_NAMES) this.#windows.delete(silent);
    this.#windows.set(source, noteDelay(window, at.getTime(), { records: Math.max(1, records), leastMs }));
    this.#touched.add(source);
  }
}
