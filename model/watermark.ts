import { addDuration, type BusinessClock } from './business-time.ts';
import type { Duration } from './duration.ts';
import { formatInstant } from './time.ts';

/** One stream of a source as the collector knows it. */
export interface SourceStream {
  readonly source: string;
  readonly company: string;
  readonly stream: string;
  readonly kind: 'polled' | 'declared' | 'imported' | 'assumed';
  /** Up to where the source says it is complete; for `assumed` unused. */
  readonly completeUpTo?: bigint | undefined;
  /** An imported file closes its source. */
  readonly completeWithoutLimit: boolean;
  readonly latenessNanos: bigint;
  /** For how long it may say nothing before it counts as silent; left out: one business day of its company. */
  readonly silenceNanos?: bigint | undefined;
  /** When anything at all last arrived (the receiver's clock). */
  readonly lastArrivalAt?: bigint | undefined;
  /** Event types it was seen to send. */
  readonly types: readonly string[];
}

const ONE_BUSINESS_DAY: Duration = { clock: 'business', days: 1, text: '1bd' };

/** When a stream that was last heard of at the instant counts as silent, on its company's calendar unless it has a silence of its own. */
const silentFrom = (stream: SourceStream, heardAt: bigint, clock: BusinessClock): bigint =>
  stream.silenceNanos === undefined
    ? addDuration(heardAt, ONE_BUSINESS_DAY, clock)
    : heardAt + stream.silenceNanos;

const isAlive = (stream: SourceStream, heardAt: bigint, now: bigint, clock: BusinessClock): boolean =>
  now <= silentFrom(stream, heardAt, clock);

/**
 * "Complete up to" of a stream at `now`, in epoch nanoseconds: never later than `now`; undefined when nothing is assured.
 * An *assumed* stream is complete up to `now − lateness` while anything arrived within its `silence`, by default one
 * business day on `clock`; after that, up to the last arrival less the lateness.
 */
export function watermarkAt(stream: SourceStream, now: bigint, clock: BusinessClock): bigint | undefined {
  if (stream.completeWithoutLimit) return now;
  if (stream.kind !== 'assumed') {
    if (stream.completeUpTo === undefined) return undefined;
    return stream.completeUpTo < now ? stream.completeUpTo : now;
  }
  if (stream.lastArrivalAt === undefined) return undefined;
  const alive = isAlive(stream, stream.lastArrivalAt, now, clock);
  return (alive ? now : stream.lastArrivalAt) - stream.latenessNanos;
}

/**
 * Is the stream as complete as its kind promises? An assumed one while it is not silent, another while its mark is no older
 * than its silence and lateness together. Shown as fresh or stale; only a stale one is a fault of its own.
 */
export function isFresh(stream: SourceStream, now: bigint, clock: BusinessClock): boolean {
  if (stream.completeWithoutLimit) return true;
  const heardAt = stream.kind === 'assumed' ? stream.lastArrivalAt : stream.completeUpTo;
  if (heardAt === undefined) return false;
  const grace = stream.kind === 'assumed' ? 0n : stream.latenessNanos;
  return isAlive(stream, heardAt, now - grace, clock);
}

const UNITS = [
  ['d', 86_400n],
  ['h', 3_600n],
  ['min', 60n],
  ['s', 1n],
] as const;

/** `90 s`, `5 min`, `30 h`, `4 d`, of nanoseconds. */
function spanText(nanos: bigint): string {
  const seconds = nanos / 1_000_000_000n;
  const [unit, size] = UNITS.find(([, size]) => seconds >= 2n * size) ?? (['s', 1n] as const);
  return `${seconds / size} ${unit}`;
}

/** One sentence on why the stream is not as complete as its kind promises; undefined of one that is. */
export function whyStale(stream: SourceStream, now: bigint, clock: BusinessClock): string | undefined {
  if (isFresh(stream, now, clock)) return undefined;
  const allowed = stream.silenceNanos === undefined ? 'one business day' : spanText(stream.silenceNanos);
  const late = spanText(stream.latenessNanos);
  if (stream.kind === 'assumed') {
    if (stream.lastArrivalAt === undefined) return 'Nothing has arrived yet.';
    const ago = spanText(now - stream.lastArrivalAt);
    return `Nothing has arrived for ${ago}; it may be silent for ${allowed}, and counts as complete up to ${late} before that.`;
  }
  const upTo = stream.completeUpTo;
  if (upTo === undefined)
    return stream.kind === 'polled'
      ? 'It is read, and nothing of it is assured yet: its past is still being read.'
      : 'It has never said up to when it is complete.';
  const told = `up to ${formatInstant(upTo)}, ${spanText(now - upTo)} ago`;
  const allow = `its silence of ${allowed} and lateness of ${late} allow less`;
  if (stream.kind === 'declared') return `Its last heartbeat says that it is complete ${told}; ${allow}.`;
  if (stream.kind === 'imported') return `Its file closes it ${told}, and nothing later was imported.`;
  return `The last round that read all of it was complete ${told}; ${allow}.`;
}
