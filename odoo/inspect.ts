import type { FieldInfo, Odoo } from './client.ts';
import { OdooError } from './errors.ts';
import { modelsOf, type OdooModel, type ReadField } from './models.ts';

/** What an Odoo has of a model that we read, and what the key may. */
export interface ModelReport {
  readonly model: OdooModel;
  /**
   * `ready`; `absent`: there is no such model, as its module is not installed; `forbidden`: the key may not read it.
   */
  readonly state: 'ready' | 'absent' | 'forbidden';
  /** The module that brings it, where it may not be installed. */
  readonly module: string | undefined;
  /** Those that it has of what we read. */
  readonly fields: readonly ReadField[];
  /** Fields that this version should have and does not, by their names there: changed by a module, or by an upgrade. */
  readonly missing: readonly string[];
  /** Type and choices by the names of the fields, to tell a change by. */
  readonly infos: ReadonlyMap<string, FieldInfo>;
}

/** Compares what we read with what this Odoo has, in two calls a model. Throws an OdooError when it cannot be asked. */
export async function inspectModels(odoo: Odoo): Promise<ModelReport[]> {
  return await Promise.all(
    modelsOf(odoo.version).map(async ({ model, module, fields }): Promise<ModelReport> => {
      const none = { model, module, fields: [], missing: [], infos: new Map<string, FieldInfo>() };
      const [infos, mayRead] = await Promise.all([odoo.fieldsGet(model), mayReadModel(odoo, model)]);
      if (!infos) return { ...none, state: 'absent' };
      if (!mayRead) return { ...none, state: 'forbidden' };
      const own = fields.filter(({ name }) => infos.has(name));
      return {
        model,
        module,
        state: 'ready',
        fields: own,
        missing: fields.filter(({ name, optional }) => !optional && !infos.has(name)).map(({ name }) => name),
        infos: new Map(own.flatMap(({ name }) => [[name, infos.get(name) as FieldInfo]])),
      };
    }),
  );
}

/** Of a model that is not there Odoo says neither yes nor no, it refuses. */
async function mayReadModel(odoo: Odoo, model: string): Promise<boolean> {
  try {
    return await odoo.mayAccess(model, 'read');
  } catch (error) {
    const isNo =
      error instanceof OdooError && ['odoo.refused', 'odoo.unsupported', 'odoo.access'].includes(error.code);
    if (isNo) return false;
    throw error;
  }
}

/** What changed of a model since it was last looked at. */
export interface SchemaChange {
  readonly model: OdooModel;
  /** Of a field; undefined: of the model itself. */
  readonly field: string | undefined;
  readonly before: string;
  readonly now: string;
}

/** A form of what a report says that can be kept, and compared later. */
export type SchemaPicture = Readonly<
  Record<string, Readonly<Record<string, string>> | 'absent' | 'forbidden'>
>;

export const pictureOf = (reports: readonly ModelReport[]): SchemaPicture =>
  Object.fromEntries(
    reports.map(({ model, state, infos }) => [
      model,
      state === 'ready' ? Object.fromEntries([...infos].map(([name, info]) => [name, formOf(info)])) : state,
    ]),
  );

/** The type of a field, and its choices: `selection(draft,posted,cancel)`. */
function formOf({ type, relation, selection }: FieldInfo): string {
  if (selection) return `${type}(${selection.map(([value]) => String(value)).join(',')})`;
  return relation === undefined ? type : `${type}(${relation})`;
}

/** What differs between two pictures; models that only one of them knows are no change. */
export function schemaChanges(before: SchemaPicture, now: SchemaPicture): SchemaChange[] {
  return Object.entries(now).flatMap(([model, is]): SchemaChange[] => {
    const was = before[model];
    if (was === undefined) return [];
    const change = (field: string | undefined, from: string, to: string): SchemaChange[] =>
      from === to ? [] : [{ model: model as OdooModel, field, before: from, now: to }];
    if (typeof was === 'string' || typeof is === 'string')
      return change(undefined, stateOf(was), stateOf(is));
    const names = new Set([...Object.keys(was), ...Object.keys(is)]);
    return [...names].flatMap((name) => change(name, was[name] ?? 'absent', is[name] ?? 'absent'));
  });
}

const stateOf = (picture: Readonly<Record<string, string>> | string): string =>
  typeof picture === 'string' ? picture : 'ready';
