import type { FinanceEvent } from '../../model/event.ts';
import { type BatchFacts, factsOfEvent } from './finance-event-rows.ts';

/** Events that are kept: one to two kilobytes each. */
const MOST = 20_000;

/**
 * The events that were written a moment ago, by batch. Who reads a batch in the process that wrote it, as detection does when all
 * parts run in one, need not ask for it. Each batch is given out once; what is not here is in ClickHouse.
 */
export class RecentBatches {
  readonly #batches = new Map<string, FinanceEvent[]>();
  readonly #most: number;
  #size = 0;

  constructor(most = MOST) {
    this.#most = most;
  }

  /** Remembers events that ClickHouse has now. */
  note(events: readonly FinanceEvent[]): void {
    if (events.length > this.#most) return;
    for (const event of events) {
      const known = this.#batches.get(event.batch);
      if (known) known.push(event);
      else this.#batches.set(event.batch, [event]);
    }
    this.#size += events.length;
    for (const batch of this.#batches.keys()) {
      if (this.#size <= this.#most) break;
      this.#forget(batch);
    }
  }

  /**
   * The facts of the events of the batches in (after, upTo], by batch, when there are as many as all of them: undefined otherwise, for then
   * others have written some. The payload comes with types that pass the test.
   */
  take(
    { after, upTo, rows }: { after: bigint; upTo: bigint; rows: number },
    hasData: (type: string) => boolean,
  ): BatchFacts[] | undefined {
    const found = [...this.#batches.keys()].filter((batch) => BigInt(batch) > after && BigInt(batch) <= upTo);
    const events = found.flatMap((batch) => this.#batches.get(batch) ?? []);
    for (const batch of found) this.#forget(batch);
    if (events.length !== rows) return undefined;
    return events
      .map((event) => factsOfEvent(event, hasData(event.type)))
      .sort((a, b) => Number(BigInt(a.batch) - BigInt(b.batch)));
  }

  #forget(batch: string): void {
    this.#size -= this.#batches.get(batch)?.length ?? 0;
    this.#batches.delete(batch);
  }
}
