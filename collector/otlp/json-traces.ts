import { attributes, request } from './json-common.ts';
import { enumeration, fixed64, id, type Message, message, repeated, text, unstored } from './json-fields.ts';

const EVENT: Message = {
  timeUnixNano: fixed64(1),
  name: text(2),
  attributes: attributes(3),
  droppedAttributesCount: unstored,
};
const LINK: Message = {
  traceId: id(1),
  spanId: id(2),
  traceState: text(3),
  attributes: attributes(4),
  droppedAttributesCount: unstored,
  flags: unstored,
};
const STATUS: Message = {
  message: text(2),
  code: enumeration(3, 'STATUS_CODE_', ['UNSET', 'OK', 'ERROR']),
};
const SPAN: Message = {
  traceId: id(1),
  spanId: id(2),
  traceState: text(3),
  parentSpanId: id(4),
  name: text(5),
  kind: enumeration(6, 'SPAN_KIND_', ['UNSPECIFIED', 'INTERNAL', 'SERVER', 'CLIENT', 'PRODUCER', 'CONSUMER']),
  startTimeUnixNano: fixed64(7),
  endTimeUnixNano: fixed64(8),
  attributes: attributes(9),
  droppedAttributesCount: unstored,
  events: repeated(11, () => EVENT),
  droppedEventsCount: unstored,
  links: repeated(13, () => LINK),
  droppedLinksCount: unstored,
  status: message(15, () => STATUS),
  flags: unstored,
};

export const TRACES = request('resourceSpans', 'scopeSpans', 'spans', SPAN);
