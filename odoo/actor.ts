import { createHash } from 'node:crypto';
import type { Odoo } from './client.ts';
import { OdooError } from './errors.ts';
import { numberOf, type OdooRow, textOf } from './values.ts';

/** A record that is acted on. */
export interface Target {
  readonly model: string;
  readonly id: number;
}

export interface ActOptions {
  /** The same for every try of the same action: what was done under it is not done again. */
  readonly key: string;
  /** Only say what would be done. */
  readonly dryRun?: boolean;
}

/** What came of an action. */
export interface ActOutcome {
  /** `done` now; `already` by an earlier try; `would`: nothing was done, as only that was asked. */
  readonly outcome: 'done' | 'already' | 'would';
  /** What of the record, or of what hangs on it, was looked at: before, and after (of a dry run the same). */
  readonly before: Readonly<Record<string, unknown>>;
  readonly after: Readonly<Record<string, unknown>>;
}

/** What stands in a text of ours, so that it is found again: short, and nobody's words. */
const markOf = (key: string): string =>
  `Closewatch ${createHash('sha256').update(key).digest('hex').slice(0, 12)}`;

/** Text as the HTML of Odoo's notes. */
const htmlOf = (text: string): string =>
  text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll('\n', '<br/>');

/** Reads the record. Throws 'odoo.missing' when it is not there. */
async function recordOf(odoo: Odoo, { model, id }: Target, fields: readonly string[]): Promise<OdooRow> {
  const [row] = await odoo.read(model, [id], fields);
  if (!row) throw new OdooError('odoo.missing', `${model}/${id} is not there`);
  return row;
}

/**
 * Does something that cannot be done twice: looks first whether it was done, and again when no answer came, for it may have been done
 * all the same. Throws an OdooError; 'odoo.refused' when Odoo answered and nothing changed.
 */
async function once(
  look: () => Promise<Readonly<Record<string, unknown>>>,
  isDone: (state: Readonly<Record<string, unknown>>) => boolean,
  act: () => Promise<unknown>,
  { dryRun = false }: ActOptions,
): Promise<ActOutcome> {
  const before = await look();
  if (isDone(before)) return { outcome: 'already', before, after: before };
  if (dryRun) return { outcome: 'would', before, after: before };
  try {
    await act();
  } catch (error) {
    const isUnknown = error instanceof OdooError && ['odoo.timeout', 'odoo.unreachable'].includes(error.code);
    if (!isUnknown) throw error;
    const after = await look();
    if (!isDone(after)) throw error;
    return { outcome: 'done', before, after };
  }
  const after = await look();
  // Buttons of Odoo answer with a dialogue, or with nothing, where they did not do what they say.
  if (!isDone(after)) throw new OdooError('odoo.refused', 'Odoo answered, and nothing changed');
  return { outcome: 'done', before, after };
}

/** Our texts on a record that hold the mark. */
async function marked(
  odoo: Odoo,
  { model, id }: Target,
  mark: string,
): Promise<{ activities: number; messages: number }> {
  const [activities, messages] = await Promise.all([
    odoo.searchCount(
      'mail.activity',
      [
        ['res_model', '=', model],
        ['res_id', '=', id],
        ['note', 'ilike', mark],
      ],
      { context: { active_test: false } },
    ),
    odoo.searchCount('mail.message', [
      ['model', '=', model],
      ['res_id', '=', id],
      ['body', 'ilike', mark],
    ]),
  ]);
  return { activities, messages };
}

/**
 * Puts an activity on a record for a user, who is told as Odoo tells of activities. `deadline` is a date, `2026-11-30`. One that was done,
 * and so became a message, is not made again. Throws an OdooError.
 */
export async function createActivity(
  odoo: Odoo,
  target: Target,
  given: {
    readonly userId: number;
    readonly summary: string;
    readonly note: string;
    readonly deadline: string;
  },
  options: ActOptions,
): Promise<ActOutcome> {
  const mark = markOf(options.key);
  await recordOf(odoo, target, ['id']);
  return await once(
    () => marked(odoo, target, mark),
    ({ activities, messages }) => Number(activities) + Number(messages) > 0,
    () =>
      odoo.call(target.model, 'activity_schedule', {
        ids: [target.id],
        act_type_xmlid: 'mail.mail_activity_data_todo',
        date_deadline: given.deadline,
        summary: given.summary,
        note: `<p>${htmlOf(given.note)}</p><p>${mark}</p>`,
        user_id: given.userId,
      }),
    options,
  );
}

/** Posts a note into the chatter of a record: nobody is sent mail. Throws an OdooError. */
export async function postMessage(
  odoo: Odoo,
  target: Target,
  given: { readonly text: string },
  options: ActOptions,
): Promise<ActOutcome> {
  const mark = markOf(options.key);
  await recordOf(odoo, target, ['id']);
  return await once(
    () => marked(odoo, target, mark),
    ({ messages }) => Number(messages) > 0,
    // Odoo takes the body of a call for plain text, and escapes it.
    () =>
      odoo.call(target.model, 'message_post', {
        ids: [target.id],
        body: `${given.text}\n\n${mark}`,
        subtype_xmlid: 'mail.mt_note',
      }),
    options,
  );
}

const JOB_FIELDS = ['state', 'retry', 'exc_name', 'date_done'] as const;

/** Puts a failed job of the OCA's queue back into it. One that is not failed is left as it is: `already`. Throws an OdooError. */
export async function retryJob(odoo: Odoo, id: number, options: ActOptions): Promise<ActOutcome> {
  const target = { model: 'queue.job', id };
  return await once(
    async () => plainOf(await recordOf(odoo, target, JOB_FIELDS)),
    ({ state }) => state !== 'failed',
    () => odoo.call('queue.job', 'requeue', { ids: [id] }),
    options,
  );
}

const MOVE_FIELDS = ['state', 'name', 'date', 'amount_total', 'payment_state'] as const;

/**
 * Posts a draft entry. One that is posted is left as it is: `already`; one that is cancelled is refused. Throws an OdooError,
 * 'odoo.refused' with Odoo's own words when it may not be posted: locked, unbalanced, without a date.
 */
export async function rerunPosting(odoo: Odoo, id: number, options: ActOptions): Promise<ActOutcome> {
  const target = { model: 'account.move', id };
  const look = async () => {
    const row = await recordOf(odoo, target, MOVE_FIELDS);
    return { ...plainOf(row), name: numberOf(row.name) ?? false };
  };
  const { state } = (await look()) as { state?: unknown };
  if (textOf(state) === 'cancel') throw new OdooError('odoo.refused', `account.move/${id} is cancelled`);
  return await once(
    look,
    (now) => now.state === 'posted',
    () => odoo.call('account.move', 'action_post', { ids: [id] }),
    options,
  );
}

const plainOf = ({ id: _, ...values }: OdooRow): Readonly<Record<string, unknown>> => values;
