import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { z } from 'zod';
import { ClosewatchError, errorCode } from '../../model/errors.ts';
import { BodyBudget, BodyHold, BrokenOff, readBody } from '../body.ts';
import type { Spool } from './spool.ts';

/** A source that webhooks are taken for. */
export interface HookSource {
  /** `/odoo/prod`. */
  readonly source: string;
  /** SHA-256 of the secret in its address. */
  readonly secretHash: Buffer;
}

/** What became of a webhook: `taken`, or why it was not. */
export type HookOutcome = 'taken' | 'unknown' | 'malformed' | 'too-large' | 'full' | 'failed';

export interface WebhookDeps {
  readonly spool: Pick<Spool, 'append'>;
  /** By the name in the address, `prod` of `/odoo/prod/…`. */
  readonly sourceOf: (name: string) => HookSource | undefined;
  /** Told of every request; `source` is undefined when it named none. */
  readonly onHook?: (outcome: HookOutcome, source: string | undefined) => void;
  readonly now?: () => number;
}

/** A record with some of its fields: more is read back than Odoo could send. */
const MAX_BODY = 256 * 1024;
const MAX_PENDING = 16 * 1024 * 1024;
const RETRY_AFTER_SECONDS = 30;

/** Odoo's action sends `_model` and `_id`; the fields that were chosen beside them are not looked at. */
const body = z.looseObject({
  _model: z.string().regex(/^[a-z][a-z0-9_.]{0,63}$/),
  _id: z.int().positive().optional(),
  id: z.int().positive().optional(),
});

export const hashOfSecret = (secret: string): Buffer => createHash('sha256').update(secret).digest();

/**
 * Takes Odoo's webhooks at `POST /odoo/<source>/<secret>`: answers 202 when the hint is on disk, which is all that is done while Odoo
 * waits, as it does inside of its transaction for a second at most and never asks again. Whoever does not know the secret
 * learns nothing, not even whether there is such a source: 404.
 */
export function createWebhookHandler(deps: WebhookDeps) {
  const { spool, sourceOf, onHook = () => {}, now = Date.now } = deps;
  const budget = new BodyBudget(MAX_PENDING);

  return async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const known = knownSource(request.url ?? '', sourceOf);
    if (!known) return refuse(response, 404, 'unknown', undefined);
    if (request.method !== 'POST') {
      response.setHeader('Allow', 'POST');
      return refuse(response, 405, 'malformed', known.source);
    }
    const hold = new BodyHold(budget);
    try {
      const told = body.safeParse(jsonOf(await readBody(request, MAX_BODY, hold)));
      const id = told.data?._id ?? told.data?.id;
      if (!told.success || id === undefined) return refuse(response, 400, 'malformed', known.source);
      await spool.append({ at: now(), source: known.source, model: told.data._model, id });
      onHook('taken', known.source);
      response.writeHead(202).end();
    } catch (error) {
      if (error instanceof BrokenOff) return;
      const { status, outcome } = failureOf(error);
      if (status === 503) response.setHeader('Retry-After', String(RETRY_AFTER_SECONDS));
      refuse(response, status, outcome, known.source);
    } finally {
      hold.release();
    }
  };

  function refuse(
    response: ServerResponse,
    status: number,
    outcome: HookOutcome,
    source: string | undefined,
  ): void {
    onHook(outcome, source);
    response.writeHead(status).end();
  }
}

/** Both are compared by their hashes, in a time that tells nothing; of a name that is not known with nobody's. */
function knownSource(url: string, sourceOf: WebhookDeps['sourceOf']): HookSource | undefined {
  const [, name = '', secret = ''] = /^\/odoo\/([^/?]{1,64})\/([^/?]{1,256})$/.exec(url) ?? [];
  const source = sourceOf(name);
  const isRight = timingSafeEqual(hashOfSecret(secret), source?.secretHash ?? NOBODY);
  return isRight ? source : undefined;
}
const NOBODY = Buffer.alloc(32);

function jsonOf(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8')) as unknown;
  } catch {
    return undefined;
  }
}

function failureOf(error: unknown): { status: number; outcome: HookOutcome } {
  const code = errorCode(error);
  if (code === 'request.overloaded') return { status: 503, outcome: 'full' };
  if (code === 'request.too-large') return { status: 413, outcome: 'too-large' };
  if (error instanceof ClosewatchError) return { status: error.status, outcome: 'malformed' };
  return { status: 503, outcome: 'failed' };
}
