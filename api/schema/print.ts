import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { printedSchema } from './schema.ts';

/** Writes docs/schema.graphql anew. */
writeFileSync(join(import.meta.dirname, '../../docs/schema.graphql'), printedSchema());
