import { z } from 'zod';
import { companiesFile } from '../../model/company.ts';
import { flow } from '../../model/flow.ts';

/** The JSON Schemas of the files that people write, by the name of the published file: editors complete and check with them. */
export const FILE_SCHEMAS = {
  'flow.schema.json': { title: 'Closewatch flow file', schema: flow },
  'companies.schema.json': { title: 'Closewatch companies.yaml', schema: companiesFile },
} as const;

/** The text of a published schema (JSON Schema draft 7, which YAML editors read), ending in a line feed. */
export function schemaText(name: keyof typeof FILE_SCHEMAS): string {
  const { title, schema } = FILE_SCHEMAS[name];
  const json = z.toJSONSchema(schema, { io: 'input', target: 'draft-7', reused: 'ref' });
  return `${JSON.stringify({ ...json, title }, null, 2)}\n`;
}
