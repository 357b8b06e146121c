import { z } from 'zod';
import type { FieldInfo, Odoo } from './client.ts';

const languages = z.array(z.tuple([z.string(), z.string()]));

/** What a label of a choice stands for, in any of the languages that people of this Odoo write in. */
export interface Labels {
  /** The value of the choice; undefined for a label that no language knows. */
  valueOf(model: string, field: string, label: string): string | undefined;
}

/** The labels of readings of the fields of models, by model: several, one a language. The first one that has a label counts. */
export function labelsOf(
  ...readings: readonly ReadonlyMap<string, ReadonlyMap<string, FieldInfo>>[]
): Labels {
  const values = new Map<string, string>();
  for (const reading of readings)
    for (const [model, infos] of reading)
      for (const [field, { selection }] of infos)
        for (const [value, label] of selection ?? []) {
          const key = `${model}\n${field}\n${label}`;
          if (!values.has(key)) values.set(key, String(value));
        }
  return { valueOf: (model, field, label) => values.get(`${model}\n${field}\n${label}`) };
}

/** The languages that people of an Odoo write in, `de_DE`. Throws an OdooError. */
export async function installedLanguages(odoo: Odoo): Promise<string[]> {
  const answer = await odoo.call('res.lang', 'get_installed', {}, { again: true });
  return languages.parse(answer).map(([code]) => code);
}

/**
 * Reads the labels of the fields of the models in each installed language: Odoo keeps the old and the new value of a change as
 * the label that its writer saw.
 */
export async function readLabels(odoo: Odoo, models: readonly string[]): Promise<Labels> {
  const readings = (await installedLanguages(odoo)).map(async (lang) => {
    const read = models.map(
      async (model) => [model, await odoo.fieldsGet(model, { context: { lang } })] as const,
    );
    return new Map((await Promise.all(read)).flatMap(([model, infos]) => (infos ? [[model, infos]] : [])));
  });
  return labelsOf(...(await Promise.all(readings)));
}
