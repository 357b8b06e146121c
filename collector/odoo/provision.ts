import { randomBytes } from 'node:crypto';
import type { Odoo } from '../../odoo/client.ts';
import { OdooError } from '../../odoo/errors.ts';
import { inspectModels, type ModelReport } from '../../odoo/inspect.ts';
import { modelsOf } from '../../odoo/models.ts';
import { idsOf } from '../../odoo/values.ts';
import { HOOK_RULES, type HookRule } from './hooks.ts';
import { LINE_MODELS } from './lines.ts';

/** What is read beside the models that events come from. */
const BESIDE: readonly string[] = [
  ...LINE_MODELS,
  'account.account',
  'account.journal',
  'res.partner',
  'res.currency',
  'res.users',
  'mail.message',
  'mail.tracking.value',
  'ir.model',
  'ir.model.fields',
];

export const GROUP_NAME = 'Closewatch reader';
export const READER_LOGIN = 'closewatch-reader';

/** A record that was made in Odoo. */
export interface Made {
  readonly model: string;
  readonly id: number;
}

/** What `connect` will do, before it does it. */
export interface ConnectPlan {
  readonly version: string;
  readonly reports: readonly ModelReport[];
  /** Models that the group may read. */
  readonly access: readonly string[];
  readonly hooks: readonly HookRule[];
  /** Why there are no webhooks, when there are none though they were wanted. */
  readonly withoutHooks: string | undefined;
  /** Ids of all companies that the login may see. */
  readonly companies: readonly { readonly id: number; readonly name: string }[];
}

/** What a right is needed for that a key does not have. */
export interface MissingRight {
  readonly right: string;
  readonly consequence: string;
}

/**
 * What connecting would make in an Odoo. `odoo` is signed in as somebody with Settings. Throws an OdooError; `odoo.access` when the login has
 * not the rights that it takes.
 */
export async function planConnect(odoo: Odoo, wish: { readonly hooks: boolean }): Promise<ConnectPlan> {
  for (const model of ['res.groups', 'ir.model.access', 'ir.rule', 'res.users'])
    if (!(await odoo.mayAccess(model, 'create')))
      throw new OdooError(
        'odoo.access',
        `this login may not make ${model} records: connect takes one with Administration / Settings, or --read-only`,
      );
  const reports = await inspectModels(odoo);
  const isThere = async (model: string): Promise<boolean> => (await odoo.fieldsGet(model)) !== undefined;
  const beside: string[] = [];
  for (const model of BESIDE) if (await isThere(model)) beside.push(model);
  const ready = reports.filter(({ state }) => state === 'ready').map(({ model }) => model as string);
  const canHook = wish.hooks && (await isThere('base.automation'));
  const companies = await odoo.searchRead('res.company', { domain: [], fields: ['name'], order: 'id' });
  return {
    version: odoo.version.text,
    reports,
    access: [...new Set([...ready, ...beside])].sort(),
    hooks: canHook
      ? HOOK_RULES.filter(({ model, from = 0 }) => ready.includes(model) && from <= odoo.version.major)
      : [],
    withoutHooks:
      wish.hooks && !canHook
        ? 'the module base_automation is not installed; changes are found by polling'
        : undefined,
    companies: companies.map(({ id, name }) => ({ id, name: String(name) })),
  };
}

/**
 * Makes the group with its access rows and rules, the reader when none is given, and the rules that send webhooks to `hookUrl`. `onMade` is
 * told of each record as it is made, so that a failure can be taken back. Throws an OdooError.
 */
export async function provision(
  odoo: Odoo,
  plan: ConnectPlan,
  wish: {
    /** Of an existing reader, who is given the group; undefined: one is made. */
    readonly readerLogin: string | undefined;
    readonly hookUrl: string | undefined;
  },
  onMade: (made: Made) => void,
): Promise<{ readonly login: string; readonly password: string | undefined }> {
  const createAll = async (model: string, values: readonly Record<string, unknown>[]): Promise<number[]> => {
    const answer = await odoo.call(model, 'create', { vals_list: values });
    const ids = idsOf(answer);
    if (ids.length !== values.length) throw new OdooError('odoo.protocol', `${model}.create: other ids came`);
    for (const id of ids) onMade({ model, id });
    return ids;
  };
  const create = async (model: string, values: Record<string, unknown>): Promise<number> =>
    (await createAll(model, [values]))[0] as number;
  const modelIds = await idsByName(odoo, 'ir.model', 'model', plan.access);
  const group = await create('res.groups', { name: GROUP_NAME });
  const rights = plan.access.flatMap((model) => {
    const model_id = modelIds.get(model);
    if (model_id === undefined) return [];
    const perms = { perm_read: true, perm_write: false, perm_create: false, perm_unlink: false };
    return [{ name: `Closewatch reads ${model}`, model, model_id, perms }];
  });
  await createAll(
    'ir.model.access',
    rights.map(({ name, model_id, perms }) => ({ name, model_id, group_id: group, ...perms })),
  );
  await createAll(
    'ir.rule',
    rights.map(({ name, model, model_id, perms }) => ({
      ...{ name, model_id, groups: [[6, 0, [group]]], ...perms },
      // Some models show people their own records alone; of tracking values those of our models are enough.
      domain_force:
        model === 'mail.tracking.value'
          ? `[('field_id.model', 'in', [${plan.access.map((one) => `'${one}'`).join(', ')}])]`
          : "[(1, '=', 1)]",
    })),
  );
  const reader = await giveReader(odoo, plan, group, wish.readerLogin, create);
  if (wish.hookUrl !== undefined) await makeHooks(odoo, plan, { url: wish.hookUrl, modelIds }, create);
  return reader;
}

async function giveReader(
  odoo: Odoo,
  plan: ConnectPlan,
  group: number,
  login: string | undefined,
  create: (model: string, values: Record<string, unknown>) => Promise<number>,
): Promise<{ login: string; password: string | undefined }> {
  const groupsField = odoo.version.major >= 19 ? 'group_ids' : 'groups_id';
  const context = { active_test: false };
  const [known] = await odoo.searchRead(
    'res.users',
    { domain: [['login', '=', login ?? READER_LOGIN]], fields: [groupsField], limit: 1 },
    { context },
  );
  if (login !== undefined) {
    if (!known) throw new OdooError('odoo.refused', `there is no user with the login ${login} in this Odoo`);
    const groups = [...idsOf(known[groupsField]), group];
    await odoo.call('res.users', 'write', { ids: [known.id], vals: { [groupsField]: [[6, 0, groups]] } });
    return { login, password: undefined };
  }
  if (known)
    throw new OdooError(
      'odoo.refused',
      `there is a user ${READER_LOGIN} already: disconnect first, or give its login with --reader-login`,
    );
  const [internal] = await odoo.searchRead('ir.model.data', {
    domain: [
      ['module', '=', 'base'],
      ['name', '=', 'group_user'],
    ],
    fields: ['res_id'],
    limit: 1,
  });
  const password = randomBytes(24).toString('base64url');
  const companies = plan.companies.map(({ id }) => id);
  await create('res.users', {
    name: GROUP_NAME,
    login: READER_LOGIN,
    password,
    company_id: companies[0],
    company_ids: [[6, 0, companies]],
    [groupsField]: [[6, 0, [...(internal ? [Number(internal.res_id)] : []), group]]],
  });
  return { login: READER_LOGIN, password };
}

async function makeHooks(
  odoo: Odoo,
  plan: ConnectPlan,
  { url, modelIds }: { readonly url: string; readonly modelIds: ReadonlyMap<string, number> },
  create: (model: string, values: Record<string, unknown>) => Promise<number>,
): Promise<void> {
  for (const rule of plan.hooks) {
    const model_id = modelIds.get(rule.model);
    const fields = await odoo.searchRead('ir.model.fields', {
      domain: [
        ['model', '=', rule.model],
        ['name', 'in', rule.fields],
      ],
      fields: ['name'],
    });
    const name = `Closewatch: ${rule.name}`;
    const base_automation_id = await create('base.automation', {
      name,
      model_id,
      trigger: rule.trigger,
      ...(rule.trigger === 'on_unlink'
        ? {}
        : {
            trigger_field_ids: [[6, 0, fields.map(({ id }) => id)]],
            filter_pre_domain: rule.before,
            filter_domain: rule.after,
          }),
    });
    // No fields are sent: what happened is read back.
    await create('ir.actions.server', {
      ...{ name, model_id, base_automation_id, state: 'webhook', usage: 'base_automation' },
      webhook_url: url,
    });
  }
}

async function idsByName(
  odoo: Odoo,
  model: string,
  field: string,
  names: readonly string[],
): Promise<Map<string, number>> {
  const rows = await odoo.searchRead(model, { domain: [[field, 'in', names]], fields: [field] });
  return new Map(rows.map((row) => [String(row[field]), row.id]));
}

/** What became of a record that should go. */
export interface Removal extends Made {
  readonly outcome: 'removed' | 'absent' | 'archived' | 'failed';
  readonly reason?: string;
}

/** Rules first, so that nothing is sent any more; who has the group before the group. */
const ORDER = [
  'base.automation',
  'ir.actions.server',
  'res.users',
  'ir.rule',
  'ir.model.access',
  'res.groups',
];

/** Takes away what was made, as far as it can. A user who cannot be deleted is archived. Throws an OdooError when Odoo does not answer. */
export async function deprovision(odoo: Odoo, made: readonly Made[]): Promise<Removal[]> {
  const removals: Removal[] = [];
  for (const model of ORDER) {
    const ids = made.filter((one) => one.model === model).map(({ id }) => id);
    if (ids.length === 0) continue;
    const there = new Set((await odoo.read(model, ids, ['id'], EVEN_ARCHIVED)).map(({ id }) => id));
    for (const id of ids) if (!there.has(id)) removals.push({ model, id, outcome: 'absent' });
    removals.push(...(await remove(odoo, model, [...there])));
  }
  return removals;
}
const EVEN_ARCHIVED = { context: { active_test: false } };

/** All at once; when Odoo refuses, one by one. */
async function remove(odoo: Odoo, model: string, ids: readonly number[]): Promise<Removal[]> {
  if (ids.length === 0) return [];
  try {
    await odoo.call(model, 'unlink', { ids });
    return ids.map((id) => ({ model, id, outcome: 'removed' }));
  } catch (error) {
    if (!(error instanceof OdooError) || error.retryable) throw error;
    if (ids.length > 1) return (await Promise.all(ids.map((id) => remove(odoo, model, [id])))).flat();
    const [id] = ids as [number];
    const reason = error.message;
    if (error.code === 'odoo.missing') return [{ model, id, outcome: 'absent' }];
    if (model !== 'res.users') return [{ model, id, outcome: 'failed', reason }];
    await odoo.call(model, 'write', { ids, vals: { active: false } });
    return [{ model, id, outcome: 'archived', reason }];
  }
}

const CONSEQUENCES: Readonly<Record<string, string>> = {
  'mail.tracking.value':
    'who changed what, and when, is inferred from readings (on 18 and 19 from the audit log, for journal entries)',
  'ir.model.fields': 'tracking values cannot be read without the names of the fields',
  'account.move.line': 'no balances of accounts, and reconciliations are not joined with their entries',
  'res.partner': 'suppliers and customers have no names',
};

/** Which rights a reader's key does not have, and what follows. Throws an OdooError. */
export async function missingRights(odoo: Odoo): Promise<MissingRight[]> {
  const missing: MissingRight[] = [];
  const models = [
    ...modelsOf(odoo.version).map(({ model }) => model as string),
    ...Object.keys(CONSEQUENCES),
  ];
  for (const model of models) {
    if ((await odoo.fieldsGet(model)) === undefined) continue;
    if (await odoo.mayAccess(model, 'read')) continue;
    missing.push({
      right: `read ${model}`,
      consequence:
        CONSEQUENCES[model] ?? 'nothing is known of these records: rules that need them do not apply',
    });
  }
  return missing;
}
