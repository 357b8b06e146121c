import fc from 'fast-check';
import { anyValue, attributes, maybeId, nanos, resource, scope, text } from './otlp-arbitrary.ts';

const logRecord = fc.record({
  timeUnixNano: fc.oneof(nanos, fc.constant('0')),
  observedTimeUnixNano: nanos,
  severityNumber: fc.integer({ min: -1, max: 300 }),
  severityText: text,
  body: fc.option(anyValue),
  attributes,
  droppedAttributesCount: fc.nat(),
  flags: fc.nat({ max: 2 ** 32 - 1 }),
  traceId: maybeId(16),
  spanId: maybeId(8),
  eventName: text,
});

/** Any request of logs; ids may be missing or of a wrong length. */
export const logs = fc.record({
  resourceLogs: fc.array(
    fc.record({
      resource,
      scopeLogs: fc.array(
        fc.record({ scope, logRecords: fc.array(logRecord, { maxLength: 3 }), schemaUrl: text }),
        { maxLength: 2 },
      ),
      schemaUrl: text,
    }),
    { maxLength: 2 },
  ),
});
