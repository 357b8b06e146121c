import { createHash } from 'node:crypto';
import { z } from 'zod';
import { timeZone } from '../../model/company.ts';
import { ClosewatchError } from '../../model/errors.ts';
import { eventType } from '../../model/event.ts';
import { keyType } from '../../model/key.ts';
import { currencyCode } from '../../model/money.ts';
import { parseInstant } from '../../model/time.ts';
import { parseYaml } from '../../store/yaml.ts';
import { compileTimeFormat } from './times.ts';

const column = z.string().min(1).max(256);
const columns = z
  .union([column, z.array(column).min(1).max(8)])
  .describe('one column, or several whose values are joined by /');
const attributes = z.union([z.literal('*'), z.array(column).max(200)]);
const keys = z.array(
  z.strictObject({
    type: keyType.describe('key type, such as po, docno or extid'),
    columns: z.array(column).min(1).max(8).describe('values joined by /; no key when one is empty'),
  }),
);

/** What a file can be; those of `ROWS` have rows, which a map turns into events. */
export const FORMATS = ['csv', 'jsonl', 'xes', 'ocel', 'parquet', 'cloudevents', 'camt', 'mt940'] as const;
export type Format = (typeof FORMATS)[number];
const WITHOUT_ROWS: ReadonlySet<Format> = new Set(['cloudevents', 'camt', 'mt940']);
const format = z
  .enum(FORMATS)
  .describe('left out: by the content of the file, else by its name; gzip is unpacked');
const companyKey = z.string().min(1).max(128);

/** How the columns of an event log become finance events: one import map. */
export const importMap = z
  .strictObject({
    $schema: z.string().optional(),
    source: z
      .string()
      .min(1)
      .max(1024)
      .describe('the source under which the events are stored, such as /uni/payments'),
    company: companyKey.optional().describe('company of every event, when no column tells it'),
    currency: currencyCode.optional().describe('currency of every amount, when no column tells it'),
    timezone: timeZone.optional().describe('zone of times that carry none'),
    format: format.optional(),
    ocel: z
      .strictObject({
        case: z
          .union([z.string().min(1), z.array(z.string().min(1)).min(1).max(20)])
          .describe('object type of the case; of several the first that an event has'),
        keys: z
          .record(z.string().min(1), z.union([z.literal('skip'), keyType]))
          .default({})
          .describe(
            'key type by object type, such as order: po; skip leaves its objects out; left out: its own name in lower case',
          ),
      })
      .optional()
      .describe('which objects of an OCEL log make the case and the keys of its events'),
    journal: z
      .string()
      .min(1)
      .max(128)
      .optional()
      .describe('of a bank statement: the journal of the account in the books'),
    csv: z
      .strictObject({
        delimiter: z.string().length(1).default(','),
        quote: z.string().length(1).default('"'),
        encoding: z.enum(['utf-8', 'latin1', 'utf-16le']).default('utf-8'),
      })
      .prefault({}),
    decimal: z
      .enum(['.', ','])
      .default('.')
      .describe('decimal separator of amounts; the other one groups thousands'),
    kind: z
      .string()
      .regex(/^[a-z][a-z0-9_-]{0,63}$/, 'must be a lower-case word such as payment')
      .default('activity')
      .describe('first word of the event types that are made of an activity name'),
    types: z
      .record(
        z.string().min(1),
        z
          .string()
          .refine(
            (text) => text === 'skip' || eventType.safeParse(text).success,
            'must be skip or an event type <kind>.<fact> in lower case, such as bill.posted',
          ),
      )
      .default({})
      .describe(
        'event type by activity, exact or a glob (* = any text; exact wins, then the first glob); skip leaves it out',
      ),
    otherwise: z
      .enum(['slug', 'skip', 'fail'])
      .default('slug')
      .describe(
        'an activity that types does not name: <kind>.<its name in lower case with _>, left out, or a bad row',
      ),
    completeUpTo: z
      .string()
      .refine(
        (text) => text === 'last-event' || parseInstant(text) !== undefined,
        'must be last-event or an RFC 3339 instant',
      )
      .optional()
      .describe('up to when the log is complete: an instant or last-event; left out: complete without limit'),
    columns: z
      .strictObject({
        case: columns.optional().describe('the case: subject of the events, kept as it is'),
        activity: column.optional(),
        time: column.optional(),
        timeFormat: z
          .string()
          .refine(
            (text) => compileTimeFormat(text) !== undefined,
            'must be iso, unix, unix-ms or a pattern such as dd.MM.yyyy HH:mm',
          )
          .default('iso'),
        sequence: column
          .optional()
          .describe('whole number that orders events of equal time; left out: the row'),
        actor: column.optional(),
        actorKind: z.enum(['human', 'service', 'system']).default('human'),
        role: column.optional().describe('kept as attribute role'),
        company: column.optional(),
        amount: column.optional(),
        currency: column.optional(),
        eventId: column.optional().describe('id of the event in the log; it may repeat'),
        docNumber: column.optional(),
        party: column.optional(),
        state: column.optional(),
        attributes: attributes
          .default([])
          .describe('columns kept as attributes; * for all that are not named above'),
        keys: keys.default([]),
      })
      .prefault({}),
    cases: z
      .strictObject({
        file: z.string().min(1).describe('beside the map, else beside the event log'),
        format: z
          .enum(['csv', 'jsonl', 'xes'])
          .optional()
          .describe('left out: by its content, else by its name'),
        case: columns,
        company: column.optional(),
        amount: column.optional(),
        currency: column.optional(),
        docNumber: column.optional(),
        party: column.optional(),
        attributes: attributes.default('*'),
        keys: keys.default([]),
      })
      .optional()
      .describe('a second file with one row a case, joined to its events'),
  })
  .superRefine((map, context) => {
    if (map.format && WITHOUT_ROWS.has(map.format)) return;
    const issue = (path: string[], message: string) => context.addIssue({ code: 'custom', path, message });
    if (!map.company && !map.columns.company && !map.cases?.company)
      issue(['columns'], 'names no company: set company, columns.company or cases.company');
    const amount = map.columns.amount ?? map.cases?.amount;
    if (amount && !map.currency && !map.columns.currency && !map.cases?.currency)
      issue(['columns'], 'amounts need a currency: set currency, columns.currency or cases.currency');
  });
export type ImportMap = z.infer<typeof importMap>;

/** Reads an import map. Throws `import.invalid` with every problem and its line and column. */
export function parseImportMap(text: string, name: string): { map: ImportMap; hash: string } {
  const { value, problems } = parseYaml(name, text, importMap);
  if (value === undefined)
    throw new ClosewatchError('import.invalid', `the import map ${name} has ${problems.length} problem(s)`, {
      problems,
    });
  return { map: value, hash: createHash('sha256').update(JSON.stringify(value)).digest('hex') };
}

/** The JSON Schema of an import map, for editors. */
export const importMapJsonSchema = (): object =>
  z.toJSONSchema(importMap, { io: 'input', target: 'draft-2020-12' });
