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
  readonly silenceNanos: bigint;
  /** When anything at all last arrived (the receiver's clock). */
  readonly lastArrivalAt?: bigint | undefined;
  /** Event types it was seen to send. */
  readonly types: readonly string[];
}

/**
 * "Complete up to" of a stream at `now`, in epoch nanoseconds: never later than `now`; undefined when nothing is assured.
 * An *assumed* stream is complete up to `now − lateness` while anything arrived within its `silence`; after that, up to
 * the last arrival less the lateness.
 */
export function watermarkAt(stream: SourceStream, now: bigint): bigint | undefined {
  if (stream.completeWithoutLimit) return now;
  if (stream.kind !== 'assumed') {
    if (stream.completeUpTo === undefined) return undefined;
    return stream.completeUpTo < now ? stream.completeUpTo : now;
  }
  if (stream.lastArrivalAt === undefined) return undefined;
  const alive = now - stream.lastArrivalAt <= stream.silenceNanos;
  return (alive ? now : stream.lastArrivalAt) - stream.latenessNanos;
}

/** The lowest watermark of the streams at `now`; undefined when there is none or one of them assures nothing. */
export function lowestWatermark(streams: readonly SourceStream[], now: bigint): bigint | undefined {
  let lowest: bigint | undefined;
  for (const stream of streams) {
    const mark = watermarkAt(stream, now);
    if (mark === undefined) return undefined;
    if (lowest === undefined || mark < lowest) lowest = mark;
  }
  return lowest;
}

/** Is the stream as complete as its kind promises? Shown as fresh or stale. */
export function isFresh(stream: SourceStream, now: bigint): boolean {
  const mark = watermarkAt(stream, now);
  if (mark === undefined) return false;
  return now - mark <= stream.latenessNanos + stream.silenceNanos;
}
