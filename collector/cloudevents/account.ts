import { isHistory } from '../../model/event.ts';
import { parseInstant } from '../../model/time.ts';
import type { Intake } from '../../store/intake/intake.ts';
import type { AcceptedEvent, AcceptResult } from '../../store/postgres/accepted.ts';

interface Sum {
  readonly source: string;
  readonly company: string;
  readonly stream: string;
  readonly live: boolean;
  records: number;
  known: number;
  events: number;
  newest: bigint;
}

/**
 * Accounts for events that the inbox has answered, by source, company and stream. Their request had `bytes` bytes for
 * `sent` events, of which each counts for as much. A heartbeat counts as no record; back-fill and replays say nothing of
 * the sender's clock.
 */
export function accountFor(
  intake: Pick<Intake, 'arrived'>,
  events: readonly AcceptedEvent[],
  results: readonly AcceptResult[],
  request: { readonly bytes: number; readonly sent: number },
): void {
  const sums = new Map<string, Sum>();
  for (const [i, { event, declares }] of events.entries()) {
    const result = results[i];
    if (result !== 'accepted' && result !== 'known') continue;
    const { source, company } = event;
    const stream = declares?.stream ?? '';
    const live = result === 'accepted' && event.ingestPath !== 'replay' && !isHistory(event.ingestPath);
    const key = [source, company, stream, live].join('\n');
    const sum = sums.get(key) ?? {
      source,
      company,
      stream,
      live,
      records: 0,
      known: 0,
      events: 0,
      newest: 0n,
    };
    sums.set(key, sum);
    sum.events++;
    if (result === 'known') sum.known++;
    else if (!declares) sum.records++;
    const at = parseInstant(event.time) ?? 0n;
    if (at > sum.newest) sum.newest = at;
  }
  for (const { events: count, ...sum } of sums.values())
    intake.arrived({ ...sum, bytes: Math.round((request.bytes * count) / request.sent) });
}
