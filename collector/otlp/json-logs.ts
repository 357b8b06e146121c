import { ANY_VALUE, attributes, request } from './json-common.ts';
import { enumeration, fixed32, fixed64, id, type Message, message, text, unstored } from './json-fields.ts';

const SEVERITIES = ['TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL'].flatMap((name) =>
  ['', '2', '3', '4'].map((step) => name + step),
);

const LOG_RECORD: Message = {
  timeUnixNano: fixed64(1),
  severityNumber: enumeration(2, 'SEVERITY_NUMBER_', ['UNSPECIFIED', ...SEVERITIES]),
  severityText: text(3),
  body: message(5, () => ANY_VALUE),
  attributes: attributes(6),
  droppedAttributesCount: unstored,
  flags: fixed32(8),
  traceId: id(9),
  spanId: id(10),
  observedTimeUnixNano: fixed64(11),
  eventName: text(12),
};

export const LOGS = request('resourceLogs', 'scopeLogs', 'logRecords', LOG_RECORD);
