import { dateOf } from '../model/time.ts';
import type { Counters } from '../store/counters.ts';
import type { Logger } from '../store/logger.ts';
import type { Postgres } from '../store/postgres/database.ts';
import {
  claimMessage,
  type MessageRow,
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

/** Longer than a run and the longest delivery after it: nobody else may take a message that is still on its way. */
const LEASE_MS = 120_000;
const FIRST_RETRY_MS = 5_000;
const LONGEST_RETRY_MS = 15 * 60_000;

/**
 * Delivers what is due, one message after the other, at the pace that Slack asks for, until nothing is due or `runMs` is
 * over. Each is taken by one process at a time; what fails for a while is due again later.
 */
export async function deliver(
  deps: { postgres: Postgres; sender: Sender; pace: Pace; logger: Logger; counters?: Counters | undefined },
  now: bigint,
  runMs: number,
): Promise<Deliveries> {
  const done: Deliveries = { posted: 0, edited: 0, failed: 0 };
  const started = performance.now();
  while (performance.now() - started < runMs && !deps.pace.stopped(runMs)) {
    const message = await claimMessage(deps.postgres, now, LEASE_MS);
    if (!message) break;
    const known = message.ts !== null;
    const sent = await send(deps, message, now);
    if (sent.ok) {
      await noteDelivered(deps.postgres, message, sent.ts);
      const outcome = known ? 'edited' : 'posted';
      done[outcome] += 1;
      deps.counters?.add('closewatch_messages', { outcome });
      continue;
    }
    done.failed += 1;
    deps.counters?.add('closewatch_messages', { outcome: sent.retry ? 'retried' : 'given-up' });
    await fail(deps, message, sent, now);
  }
  return done;
}

async function send(
  deps: { postgres: Postgres; sender: Sender; pace: Pace },
  message: MessageRow,
  now: bigint,
): Promise<Sent> {
  const { sender, pace } = deps;
  const { id, channel, text, ts } = message;
  const outgoing: Outgoing = { id, channel, text, blocks: message.blocks as Block[] };
  await pace.wait(channel);
  if (ts) return await sender.edit(outgoing, ts);
  if (message.posting_since) {
    const found = await sender.find(outgoing, message.posting_since);
    if (found.state === 'found') return await sender.edit(outgoing, found.ts);
    if (found.state === 'failed') return found.failure;
  } else await notePosting(deps.postgres, id, now);
  return await sender.post(outgoing);
}

async function fail(
  deps: { postgres: Postgres; pace: Pace; logger: Logger },
  message: MessageRow,
  failure: NotSent,
  now: bigint,
): Promise<void> {
  const { retry, error, retryAfterMs, unknown = false, gone = false } = failure;
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
