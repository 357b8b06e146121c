import type { FieldInfo, Odoo } from '../../odoo/client.ts';
import { installedLanguages } from '../../odoo/labels.ts';
import type { TrackedChange } from './tracking.ts';

/** What the labels of an entry's fields and choices mean, in the languages that people of an Odoo write in. */
export interface AuditLabels {
  readonly fields: ReadonlyMap<string, { readonly name: string; readonly type: string }>;
  /** By `field`, newline, label. */
  readonly choices: ReadonlyMap<string, string>;
}

/** Reads the labels of `account.move` in each installed language. Throws an OdooError. */
export async function readAuditLabels(odoo: Odoo): Promise<AuditLabels> {
  const readings: ReadonlyMap<string, FieldInfo>[] = [];
  for (const lang of await installedLanguages(odoo))
    readings.push((await odoo.fieldsGet('account.move', { context: { lang } })) ?? new Map());
  return auditLabelsOf(readings);
}

/** The labels in readings of the fields, one a language: the first one that has a label counts. */
export function auditLabelsOf(readings: readonly ReadonlyMap<string, FieldInfo>[]): AuditLabels {
  const fields = new Map<string, { name: string; type: string }>();
  const choices = new Map<string, string>();
  for (const reading of readings)
    for (const [name, { string, type, selection, store }] of reading) {
      if (store === false) continue;
      if (!fields.has(string)) fields.set(string, { name, type });
      for (const [value, label] of selection ?? []) choices.set(`${name}\n${label}`, String(value));
    }
  return { fields, choices };
}

const LINE = /^(.*?)\s*⇨\s*(.*?)\s*\(([^()]*(?:\([^()]*\))?[^()]*)\)$/;

/**
 * The changes in the audit log of a journal entry, `Draft ⇨ Posted (Status)` a line (18 and 19). Lines of other fields than the
 * entry's own are passed over; amounts and references come as people read them. The first line says only that something changed.
 */
export function auditedChanges(preview: string, labels: AuditLabels, messageId: number): TrackedChange[] {
  return preview.split('\n').flatMap((line, n): TrackedChange[] => {
    const [, before = '', after = '', label = ''] = LINE.exec(line.trim()) ?? [];
    const field = labels.fields.get(label);
    if (!field) return [];
    const meaningOf = (text: string): { value: unknown; unmapped: boolean } => {
      if (text === '' || text === 'False') return { value: false, unmapped: false };
      if (field.type === 'boolean') return { value: text === 'True', unmapped: false };
      if (field.type !== 'selection') return { value: text, unmapped: false };
      const value = labels.choices.get(`${field.name}\n${text}`);
      return { value: value ?? text, unmapped: value === undefined };
    };
    const [was, is] = [meaningOf(before), meaningOf(after)];
    return [
      {
        field: field.name,
        before: was.value,
        after: is.value,
        recorded: `msg:${messageId}:${n}`,
        unmapped: was.unmapped || is.unmapped,
      },
    ];
  });
}
