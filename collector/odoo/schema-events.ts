import type { SchemaChange } from '../../odoo/inspect.ts';
import type { AcceptedEvent } from '../../store/postgres/accepted.ts';
import { eventOf } from './event.ts';

/** A `schema.changed` for each field, or model, of an Odoo that is not what it was. */
export function schemaEvents(
  changes: readonly SchemaChange[],
  given: { readonly source: string; readonly companyKey: string; readonly at: string; readonly url: string },
): AcceptedEvent[] {
  return changes.map(({ model, field, before, now }) => {
    const subject = `ir.model/${model}${field === undefined ? '' : `/${field}`}`;
    return eventOf({
      id: `odoo:schema:${subject}:${given.at}`,
      source: given.source,
      companyKey: given.companyKey,
      subject,
      fact: { type: 'schema.changed', changes: [{ field: field ?? model, before, after: now }] },
      at: given.at,
      actor: undefined,
      inferred: true,
      mappingErrors: [],
      path: 'poll',
      url: given.url,
      description: {
        company: undefined,
        object: { kind: 'schema', nativeModel: model, nativeId: field ?? model },
        keys: [{ type: 'subject', value: subject }],
      },
    });
  });
}
