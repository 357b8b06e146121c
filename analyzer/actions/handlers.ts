import { Webhook } from 'standardwebhooks';
import type { z } from 'zod';
import type { ACTION_PARAMETERS, ActionKind } from '../../model/action.ts';
import { ClosewatchError } from '../../model/errors.ts';
import type { Flow } from '../../model/flow.ts';
import { createActivity, postMessage, rerunPosting, retryJob } from '../../odoo/actor.ts';
import type { Odoo } from '../../odoo/client.ts';
import { accrue, hasControlException, waive } from '../../store/postgres/action-effects.ts';
import type { Postgres } from '../../store/postgres/database.ts';
import { sendOn } from '../../store/postgres/inbox-replay.ts';
import { asExecutor } from '../../store/postgres/proposals.ts';

/** What came of an action. */
export interface Effect {
  /** `done` now, `already` by an earlier try; of a dry run `would`, or `done` where what was done is taken back. */
  readonly outcome: string;
  readonly before?: unknown;
  readonly after?: unknown;
}

export interface HandlerDeps {
  readonly postgres: Postgres;
  readonly flows: readonly Flow[];
  /** An Odoo by the credential of its writer; undefined while it has none: then no action runs there. */
  readonly writer: (source: string) => Promise<Odoo | undefined>;
  /** Where tickets are opened, and the secret (`whsec_…`) with which requests to others are signed. */
  readonly ticketUrl?: string | undefined;
  readonly signingSecret?: string | undefined;
}

/** What is carried out: the proposal's id, which is the key under which it is done once, and what it is about. */
export interface Task {
  readonly id: string;
  readonly company: string;
  readonly incident: string;
  readonly reason: string;
  readonly at: Date;
  /** Only find out what would be done. */
  readonly dryRun: boolean;
}

type Parameters<Kind extends ActionKind> = z.infer<(typeof ACTION_PARAMETERS)[Kind]>;
type Handlers = {
  readonly [Kind in ActionKind]: {
    /** What is still missing for it to run; undefined: nothing. It waits meanwhile, and uses no approval up. */
    missing(parameters: Parameters<Kind>, deps: HandlerDeps): Promise<string | undefined>;
    run(parameters: Parameters<Kind>, task: Task, deps: HandlerDeps): Promise<Effect>;
  };
};

const nothing = async (): Promise<undefined> => undefined;
const needsWriter = async (
  { source }: { source: string },
  { writer }: HandlerDeps,
): Promise<string | undefined> =>
  (await writer(source)) ? undefined : `no writer is set for ${source}: closewatch odoo writer`;

async function writerOf(source: string, { writer }: HandlerDeps): Promise<Odoo> {
  const odoo = await writer(source);
  if (!odoo) throw new ClosewatchError('state.conflict', `no writer is set for ${source}`);
  return odoo;
}

const REQUEST_MS = 15_000;

/** Sends something to an address of the configuration, signed as Standard Webhooks says; the id is the same at every try. */
async function post(
  url: string,
  { id, dryRun }: Pick<Task, 'id' | 'dryRun'>,
  body: object,
  secret: string | undefined,
): Promise<Effect> {
  // What stands behind the host may be a secret.
  if (dryRun) return { outcome: 'would', after: { to: new URL(url).host, body } };
  const text = JSON.stringify(body);
  const at = new Date();
  const headers: Record<string, string> = {
    'content-type': 'application/json',
    'idempotency-key': id,
    'webhook-id': id,
    'webhook-timestamp': `${Math.floor(at.getTime() / 1000)}`,
  };
  if (secret) headers['webhook-signature'] = new Webhook(secret).sign(id, at, text);
  let response: Response;
  try {
    const signal = AbortSignal.timeout(REQUEST_MS);
    response = await fetch(url, { method: 'POST', headers, body: text, redirect: 'error', signal });
  } catch (cause) {
    throw new ClosewatchError('action.unreachable', 'the other side does not answer', { cause });
  }
  await response.body?.cancel();
  if (response.status === 429 || response.status >= 500)
    throw new ClosewatchError('action.unreachable', `the other side answers ${response.status}`);
  if (!response.ok)
    throw new ClosewatchError('action.refused', `the other side refuses it: ${response.status}`);
  return { outcome: 'done', after: { status: response.status } };
}

/** How each action of the catalogue is carried out. Every one may be tried again: done twice it is done once. */
export const HANDLERS: Handlers = {
  'reprocess-events': {
    missing: nothing,
    async run({ events }, { at, dryRun }, { postgres }) {
      const { sent, pending, gone } = await sendOn(postgres, events, { by: 'closewatch', at }, (work) =>
        asExecutor(postgres, work, { dryRun }),
      );
      if (sent.length + pending.length === 0)
        throw new ClosewatchError('action.refused', 'none of the events is kept any more');
      return { outcome: 'done', after: { sent: sent.length, underWay: pending.length, gone: gone.length } };
    },
  },
  'redrive-events': {
    missing: async ({ flow }, { flows, signingSecret }) => {
      if (!flows.find((one) => one.flow === flow)?.redriveUrl) return `the flow ${flow} names no redriveUrl`;
      return signingSecret ? undefined : 'CLOSEWATCH_SIGNING_SECRET is not set';
    },
    async run({ flow, events }, task, { flows, signingSecret }) {
      const { company } = task;
      const url = flows.find((one) => one.flow === flow)?.redriveUrl ?? '';
      return await post(url, task, { type: 'closewatch.redrive', flow, company, events }, signingSecret);
    },
  },
  'requeue-job': {
    missing: needsWriter,
    run: async ({ source, job }, { id, dryRun }, deps) =>
      retryJob(await writerOf(source, deps), job, { key: id, dryRun }),
  },
  'nudge-approver': {
    missing: needsWriter,
    async run({ source, model, id: record }, { id, dryRun }, deps) {
      const text = 'This document waits for an approval, and is overdue.';
      return await postMessage(
        await writerOf(source, deps),
        { model, id: record },
        { text },
        { key: id, dryRun },
      );
    },
  },
  'create-odoo-activity': {
    missing: needsWriter,
    async run({ source, model, id: record, user, summary, note, deadline }, { id, dryRun }, deps) {
      const target = { model, id: record };
      const given = { userId: user, summary, note, deadline };
      return await createActivity(await writerOf(source, deps), target, given, { key: id, dryRun });
    },
  },
  'rerun-posting': {
    missing: needsWriter,
    async run({ source, id: record }, { id, dryRun }, deps) {
      if (await hasControlException(deps.postgres, source, `account.move/${record}`))
        throw new ClosewatchError(
          'action.refused',
          'a control of this document was not kept: it is not posted from here',
        );
      return await rerunPosting(await writerOf(source, deps), record, { key: id, dryRun });
    },
  },
  'mark-for-accrual': {
    missing: nothing,
    run: ({ exceptions }, { id, incident, at, dryRun }, { postgres }) =>
      accrue(postgres, { proposal: id, incident, exceptions, at, dryRun }),
  },
  waive: {
    missing: nothing,
    run: ({ exceptions, until }, { id, incident, reason, at, dryRun }, { postgres }) =>
      waive(postgres, {
        proposal: id,
        incident,
        exceptions,
        reason,
        until: new Date(`${until}T00:00:00Z`),
        at,
        dryRun,
      }),
  },
  'open-ticket': {
    missing: async (_, { ticketUrl }) => (ticketUrl ? undefined : 'CLOSEWATCH_TICKET_URL is not set'),
    async run({ title, text }, task, { ticketUrl, signingSecret }) {
      const { id, company, incident } = task;
      const ticket = { type: 'closewatch.ticket', id, title, text, company, incident };
      return await post(ticketUrl ?? '', task, ticket, signingSecret);
    },
  },
  investigate: { missing: nothing, run: async () => ({ outcome: 'done' }) },
};

/** Is it worth another try? */
export const passes = (error: unknown): boolean => error instanceof ClosewatchError && error.retryable;
