import type { IncomingMessage, ServerResponse } from 'node:http';
import { ClosewatchError, errorCode, type Problem } from '../../model/errors.ts';
import type { LossReason } from '../../model/loss.ts';
import type { Masking } from '../../model/masking.ts';
import { nanosOf } from '../../model/time.ts';
import type { Counters } from '../../store/counters.ts';
import type { Intake } from '../../store/intake/intake.ts';
import type { Logger } from '../../store/logger.ts';
import type { AcceptedEvent } from '../../store/postgres/accepted.ts';
import type { Postgres } from '../../store/postgres/database.ts';
import { type DeadLetter, keepDeadLetters } from '../../store/postgres/dead-letters.ts';
import type { Inbox } from '../../store/postgres/inbox.ts';
import type { SigningSecrets } from '../../store/postgres/signing-secrets.ts';
import { countErrors } from '../../store/postgres/sources.ts';
import type { Sender } from '../../store/postgres/tokens.ts';
import { BodyBudget, BodyHold, BrokenOff, readBody } from '../body.ts';
import { accountFor } from './account.ts';
import type { CloudEventsConfig } from './config.ts';
import { judgeEvent, type Reason } from './event.ts';
import { envelopesOf, type Mode, maxBytesOf, modeOf } from './modes.ts';
import { originOf } from './origin.ts';
import { createAdmission } from './signed.ts';

export interface CloudEventsDeps {
  readonly postgres: Postgres;
  readonly inbox: Inbox;
  readonly authenticate: (request: IncomingMessage) => Promise<Sender>;
  /** The secrets of senders that sign; left out, nobody does. */
  readonly secrets?: SigningSecrets | undefined;
  readonly counters: Counters;
  /** Where what came and what was refused is accounted for. */
  readonly intake?: Intake | undefined;
  readonly logger: Logger;
  /** Protects what is kept of events. */
  readonly masking?: Masking | undefined;
  readonly now?: () => Date;
}

export interface CloudEventsHandler {
  (request: IncomingMessage, response: ServerResponse): Promise<void>;
  /** Bytes of requests that are not answered yet, inflated. */
  pendingBytes(): number;
}

interface Refusal {
  readonly index: number;
  readonly id?: string | undefined;
  readonly reason: Reason;
  readonly problems: readonly Problem[];
}

/** A request of which the signature, if it needs one, is good. */
interface Received {
  readonly sender: Sender;
  /** May an event of this source be in it? */
  readonly maySend: (source: string) => boolean;
  readonly mode: Mode;
  readonly contentType: string | undefined;
  readonly bodyBytes: number;
  readonly hold: BodyHold;
}

/** A 202 tells what became of every event; with nothing accepted or known the refusals decide the status. */
interface Outcome {
  readonly accepted: number;
  readonly known: number;
  readonly refused: readonly Refusal[];
}

const STATUS: Record<Reason, number> = {
  invalid: 422,
  'unknown-version': 422,
  'too-large': 413,
  'source-denied': 403,
  'company-denied': 403,
  unsigned: 401,
  conflict: 409,
};

/** What becomes of events that are valid and that the inbox does not take. */
const REFUSALS: Readonly<Record<string, Pick<Refusal, 'reason' | 'problems'>>> = {
  conflict: {
    reason: 'conflict',
    problems: [{ where: 'id', what: 'an event with this id and another body was accepted before' }],
  },
  unstorable: { reason: 'invalid', problems: [{ where: '', what: 'the database cannot hold it' }] },
};

const UNSIGNED: Problem = {
  where: 'source',
  what: 'this source signs its requests, and none of its secrets signed this one',
};

const NO_SECRETS: SigningSecrets = { live: async () => [], noteUse() {} };

/** Why a request is refused as a whole, by error code: one dead letter, with its body when that was read. */
const WHOLE: Readonly<Record<string, LossReason>> = {
  'request.malformed': 'malformed',
  'request.too-large': 'too-large',
  'request.media-type': 'media-type',
};

/** Of a request that is refused as a whole so much is kept: nobody takes it through again. */
const KEPT_BYTES = 1 << 16;

/** The status of an outcome: 202 when at least one event stands (or none was sent); else that of the refusals, 422 when mixed. */
function statusOf({ accepted, known, refused }: Outcome): number {
  if (accepted + known > 0 || refused.length === 0) return 202;
  const [first, ...others] = new Set(refused.map((refusal) => STATUS[refusal.reason]));
  return others.length === 0 ? (first ?? 422) : 422;
}

/**
 * Handles POST /v1/events: CloudEvents 1.0 in structured, batch or binary mode, gzip or plain. A 2xx means that what it
 * counts is committed. Of a batch the valid events are accepted and the others listed; nothing is half accepted. Every
 * refused event is kept as a dead letter, and so is a request of a known sender that is refused as a whole.
 */
export function createCloudEventsHandler(
  config: CloudEventsConfig,
  deps: CloudEventsDeps,
): CloudEventsHandler {
  const { counters, intake, logger } = deps;
  const now = deps.now ?? (() => new Date());
  const budget = new BodyBudget(config.maxPendingBytes);
  const admit = createAdmission({
    authenticate: deps.authenticate,
    secrets: deps.secrets ?? NO_SECRETS,
    onFlaw(source, flaw) {
      counters.add('closewatch_events_refused', { source, reason: flaw });
      intake?.lost({ source, stream: '', reason: 'bad-signature', records: 1, detail: flaw });
    },
    now,
  });

  async function take(request: IncomingMessage, hold: BodyHold): Promise<Outcome> {
    if (request.method !== 'POST') throw new ClosewatchError('request.method', 'only POST is served here');
    const { sender, mustSign, isStranger, verify } = await admit(request);
    const contentType = request.headers['content-type'];
    let isKnown = !mustSign;
    let mode: Mode;
    let body: Buffer | undefined;
    let maySend: (source: string) => boolean;
    let envelopes: unknown[];
    try {
      mode = modeOf(request.headers);
      if (mode === 'binary' && mustSign)
        throw new ClosewatchError(
          'request.media-type',
          'a signed request must be structured or a batch: a signature does not cover ce-* headers',
        );
      const most = isStranger ? config.maxEventBytes : maxBytesOf(mode, config);
      body = await readBody(request, most, hold);
      maySend = verify(mode === 'binary' ? undefined : body);
      isKnown = true;
      envelopes = envelopesOf(mode, request.headers, body, config);
    } catch (error) {
      const reason = WHOLE[errorCode(error) ?? ''];
      // A sender that went away in the middle sends again: it was not refused.
      if (reason && isKnown && !(error instanceof BrokenOff)) {
        const problems = [{ where: '', what: (error as Error).message }];
        const text = body?.subarray(0, KEPT_BYTES).toString() ?? '';
        const cut = (body?.length ?? 0) > KEPT_BYTES;
        await keepLetters(
          [{ source: sender.source, reason, problems, contentType, body: text, cut }],
          sender,
        );
        counters.add('closewatch_events_refused', { source: sender.source, reason });
        intake?.lost({ source: sender.source, stream: '', reason, records: 1 });
      }
      throw error;
    }
    return await acceptAll(envelopes, { sender, maySend, mode, contentType, bodyBytes: body.length, hold });
  }

  async function acceptAll(envelopes: readonly unknown[], from: Received): Promise<Outcome> {
    const { sender } = from;
    const facts = {
      sender: sender.source,
      companies: sender.companies,
      now: nanosOf(now()),
      masking: deps.masking,
    };
    const large = from.mode === 'batch' && from.bodyBytes > config.maxEventBytes;
    const refused: Refusal[] = [];
    const valid: { index: number; item: AcceptedEvent }[] = [];
    for (const [index, envelope] of envelopes.entries()) {
      if (large && Buffer.byteLength(textOf(envelope)) > config.maxEventBytes) {
        const problems = [{ where: '', what: `an event may have ${config.maxEventBytes} bytes` }];
        refused.push({ index, id: idOf(envelope), reason: 'too-large', problems });
        continue;
      }
      // First of all: what was refused for something else is taken through again without a signature.
      if (!from.maySend(sourceOf(envelope))) {
        refused.push({ index, id: idOf(envelope), reason: 'unsigned', problems: [UNSIGNED] });
        continue;
      }
      const judged = judgeEvent(envelope, facts);
      if ('refused' in judged) {
        refused.push({ index, id: idOf(envelope), reason: judged.refused, problems: judged.problems });
        continue;
      }
      if (judged.noTrace) counters.add('closewatch_events_without_trace', { source: sender.source });
      valid.push({ index, item: judged.accepted });
    }
    const items = valid.map(({ item }) => item);
    // What is less urgent leaves room for what is more.
    if (items.length > 0) from.hold.yieldAbove(deps.inbox.shareOf(items));
    const results = await deps.inbox.accept(items);
    for (const [i, { index, item }] of valid.entries()) {
      const refusal = REFUSALS[results[i] ?? ''];
      if (refusal) refused.push({ index, id: item.event.id, ...refusal });
    }
    const { bodyBytes: bytes } = from;
    if (intake)
      accountFor(
        intake,
        valid.map(({ item }) => item),
        results,
        { bytes, sent: envelopes.length },
      );
    refused.sort((a, b) => a.index - b.index);
    await keep(refused, envelopes, sender, from.contentType);
    const count = (result: string): number => results.filter((one) => one === result).length;
    const outcome = { accepted: count('accepted'), known: count('known'), refused };
    counters.add('closewatch_events_accepted', { source: sender.source }, outcome.accepted);
    counters.add('closewatch_events_known', { source: sender.source }, outcome.known);
    for (const [i, { item }] of valid.entries())
      if (item.event.ingestPath === 'replay')
        counters.add('closewatch_events_replayed', {
          outcome: REFUSALS[results[i] ?? '']?.reason ?? results[i] ?? '',
        });
    return outcome;
  }

  async function keep(
    refused: readonly Refusal[],
    envelopes: readonly unknown[],
    sender: Sender,
    contentType: string | undefined,
  ): Promise<void> {
    if (refused.length === 0) return;
    const letters = refused.map(
      ({ index, id, reason, problems }): DeadLetter => ({
        ...originOf(envelopes[index], sender.source),
        reason,
        problems,
        contentType,
        eventId: id,
        eventType: shortTypeOf(envelopes[index]),
        body: textOf(envelopes[index]),
      }),
    );
    await keepLetters(letters, sender);
    for (const [i, { reason, problems }] of refused.entries()) {
      counters.add('closewatch_events_refused', { source: sender.source, reason });
      const { source, company } = letters[i] ?? { source: sender.source };
      intake?.lost({
        source,
        company,
        stream: '',
        reason: reason === 'unsigned' ? 'bad-signature' : reason,
        records: 1,
        detail: problems[0]?.where,
      });
    }
    await countErrors(deps.postgres, letters);
  }

  async function keepLetters(letters: readonly DeadLetter[], sender: Sender): Promise<void> {
    const kept = await keepDeadLetters(deps.postgres, sender.source, letters, {
      bodyBytes: config.maxEventBytes,
    });
    if (kept === letters.length) return;
    const dropped = letters.length - kept;
    counters.add('closewatch_dead_letters_dropped', { source: sender.source }, dropped);
    intake?.lost({ source: sender.source, stream: '', reason: 'dead-letters-full', records: dropped });
  }

  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const hold = new BodyHold(budget);
    try {
      const outcome = await take(request, hold);
      answer(response, statusOf(outcome), outcome);
    } catch (error) {
      const failure = failureOf(error);
      counters.add('closewatch_event_requests_failed', { code: failure.code });
      if (failure.status >= 500) logger.warn({ err: error, code: failure.code }, 'events could not be taken');
      refuse(response, failure);
    } finally {
      hold.release();
    }
  };
  return Object.assign(handle, { pendingBytes: () => budget.bytes });
}

/** What we did not foresee came from the database: it is away, so the sender may try again. */
const failureOf = (error: unknown): ClosewatchError =>
  error instanceof ClosewatchError
    ? error
    : new ClosewatchError('store.unavailable', 'the event store does not answer', { cause: error });

function refuse(response: ServerResponse, error: ClosewatchError): void {
  if (response.headersSent || response.destroyed) return;
  if (error.status === 405) response.setHeader('allow', 'POST');
  if (error.status === 401) response.setHeader('www-authenticate', 'Bearer');
  if (error.retryable) response.setHeader('retry-after', '5');
  // As the collector answers spans: too much at once is the sender's pace, not a fault here.
  const status = error.code === 'request.overloaded' ? 429 : error.status;
  const message = error.status < 500 || error.retryable ? error.message : 'internal error';
  answer(response, status, { error: { code: error.code, message, problems: error.problems } });
}

function answer(response: ServerResponse, status: number, body: object): void {
  if (response.destroyed) return;
  const text = JSON.stringify(body);
  response.writeHead(status, {
    'content-type': 'application/json; charset=utf-8',
    'content-length': Buffer.byteLength(text),
  });
  response.end(text);
}

function idOf(envelope: unknown): string | undefined {
  const id = (envelope as { id?: unknown } | null)?.id;
  return typeof id === 'string' ? id.slice(0, 1024) : undefined;
}

/** The source that an event names; of one that names none, nobody's. */
function sourceOf(envelope: unknown): string {
  const source = (envelope as { source?: unknown } | null)?.source;
  return typeof source === 'string' ? source : '';
}

/** The short type that an event names, when it has the form of one of ours. */
function shortTypeOf(envelope: unknown): string | undefined {
  const type = (envelope as { type?: unknown } | null)?.type;
  return typeof type === 'string' ? /^closewatch\.(.{1,128})\.v\d{1,4}$/.exec(type)?.[1] : undefined;
}

/** The event as JSON; of one that is nested beyond reason only that. */
function textOf(envelope: unknown): string {
  try {
    return JSON.stringify(envelope) ?? '';
  } catch {
    return '(nested too deeply)';
  }
}
