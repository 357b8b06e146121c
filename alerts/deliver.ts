import { setTimeout as pause } from 'node:timers/promises';
import { dateOf } from '../model/time.ts';
import type { Counters } from '../store/counters.ts';
import type { Logger } from '../store/logger.ts';
import type { Postgres } from '../store/postgres/database.ts';
import {
  type ClaimedMessage,
  channelsDue,
  claimMessage,
  noteDelivered,
  noteFailed,
  notePosting,
} from '../store/postgres/messages.ts';
import type { Pace } from './pace.ts';
import type { Block } from './slack/blocks.ts';
import type { NotSent, Outgoing, Sender, Sent } from './slack/sender.ts';

export interface Deliveries {
  posted: number;
  edited: number;
  failed: number;
}

interface Parts {
  readonly postgres: Postgres;
  readonly sender: Sender;
  readonly pace: Pace;
  readonly logger: Logger;
}

/** Longer than a run and the longest delivery after it: nobody else may take a message that is still on its way. */
const LEASE_MS = 120_000;
const FIRST_RETRY_MS = 5_000;
const LONGEST_RETRY_MS = 15 * 60_000;

/**
 * Delivers what is due, one message after the other, at the pace that Slack asks for, until nothing is due that may go
 * before `runMs` are over, or `signal` aborts. A channel that must rest holds up no other one. Each message is taken by
 * one process at a time, and only when its channel may be called; what fails for a while is due again later.
 */
export async function deliver(
  deps: Parts & { counters?: Counters | undefined },
  now: bigint,
  { runMs, signal }: { runMs: number; signal: AbortSignal },
): Promise<Deliveries> {
  const { postgres, pace } = deps;
  const done: Deliveries = { posted: 0, edited: 0, failed: 0 };
  const started = performance.now();
  while (!signal.aborted) {
    const next = pace.first(await channelsDue(postgres, now));
    if (!next || performance.now() - started + next.inMs >= runMs) break;
    if (next.inMs > 0) await pause(next.inMs, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) break;
    const message = await claimMessage(postgres, next.channel, now, LEASE_MS);
    if (!message) continue;
    pace.called(message.channel);
    const outcome = await deliverOne(deps, message, now);
    if (outcome === 'posted' || outcome === 'edited') done[outcome] += 1;
    else if (outcome !== 'left') done.failed += 1;
    deps.counters?.add('closewatch_messages', { outcome });
  }
  return done;
}

type Outcome = 'posted' | 'edited' | 'left' | 'retried' | 'given-up';

async function deliverOne(deps: Parts, message: ClaimedMessage, now: bigint): Promise<Outcome> {
  const sent = await send(deps, message, now);
  if (sent.ok) {
    await noteDelivered(deps.postgres, message, sent.ts);
    return message.ts === null ? 'posted' : 'edited';
  }
  // Who deleted it has seen it: that it is resolved is no reason to write again.
  if (message.ts !== null && message.resolved && sent.gone === 'deleted') {
    await noteDelivered(deps.postgres, message, message.ts);
    return 'left';
  }
  await fail(deps, message, sent, now);
  return sent.retry ? 'retried' : 'given-up';
}

async function send(deps: Parts, message: ClaimedMessage, now: bigint): Promise<Sent> {
  const { sender } = deps;
  const { id, channel, text, ts } = message;
  const outgoing: Outgoing = { id, channel, text, blocks: message.blocks as Block[] };
  if (ts) return await sender.edit(outgoing, ts);
  if (message.posting_since) {
    const found = await sender.find(outgoing, message.posting_since);
    if (found.state === 'found') return await sender.edit(outgoing, found.ts);
    if (found.state === 'failed') return found.failure;
  } else await notePosting(deps.postgres, id, now);
  return await sender.post(outgoing);
}

async function fail(deps: Parts, message: ClaimedMessage, failure: NotSent, now: bigint): Promise<void> {
  const { retry, error, retryAfterMs, unknown = false } = failure;
  const gone = failure.gone !== undefined;
  const backoff = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(20, message.attempts - 1));
  const waitMs = gone ? 0 : (retryAfterMs ?? backoff);
  if (retryAfterMs !== undefined) deps.pace.hold(message.channel, retryAfterMs);
  await noteFailed(deps.postgres, message, {
    error,
    retryAt: retry ? new Date(dateOf(now).getTime() + waitMs) : undefined,
    unknown,
    gone,
  });
  const fields = { message: message.id, channel: message.channel, error, retry };
  if (!gone) deps.logger.warn(fields, 'a Slack message was not delivered');
}
