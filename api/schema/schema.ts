import { lexicographicSortSchema, printSchema } from 'graphql';
import { builder } from './builder.ts';
import './scalars.ts';
import './enums.ts';
import './incident.ts';
import './exception.ts';
import './proposal.ts';
import './audit.ts';
import './cause.ts';
import './silence.ts';
import './event.ts';
import './trace.ts';
import './log.ts';
import './metric.ts';
import './case.ts';
import './source.ts';
import './loss.ts';
import './readiness.ts';
import './dead-letter.ts';
import './message.ts';
import './company.ts';
import './viewer.ts';

export const schema = builder.toSchema();

/** The schema as docs/schema.graphql has it. */
export const printedSchema = (): string => `${printSchema(lexicographicSortSchema(schema))}\n`;
