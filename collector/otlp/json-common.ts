import {
  base64,
  boolean,
  double,
  type Field,
  int64,
  type Message,
  message,
  repeated,
  text,
  uint32,
  unstored,
} from './json-fields.ts';

export const ANY_VALUE: Message = {
  stringValue: text(1),
  boolValue: boolean(2),
  intValue: int64(3, 4),
  doubleValue: double(4),
  arrayValue: message(5, () => ARRAY_VALUE),
  kvlistValue: message(6, () => KEY_VALUE_LIST),
  bytesValue: base64(7),
};
const ARRAY_VALUE: Message = { values: repeated(1, () => ANY_VALUE) };
const KEY_VALUE: Message = { key: text(1), value: message(2, () => ANY_VALUE) };
const KEY_VALUE_LIST: Message = { values: repeated(1, () => KEY_VALUE) };
export const attributes = (number: number): Field => repeated(number, () => KEY_VALUE);

const SCOPE: Message = {
  name: text(1),
  version: text(2),
  attributes: attributes(3),
  droppedAttributesCount: uint32(4),
};
const RESOURCE: Message = { attributes: attributes(1), droppedAttributesCount: unstored };

/**
 * A request of any signal: `request('resourceSpans', 'scopeSpans', 'spans', SPAN)`. The numbers of these fields are the same
 * in all of them.
 */
export function request(ofResources: string, ofScopes: string, records: string, record: Message): Message {
  const ofScope: Message = {
    scope: message(1, () => SCOPE),
    [records]: repeated(2, () => record),
    schemaUrl: text(3),
  };
  const ofResource: Message = {
    resource: message(1, () => RESOURCE),
    [ofScopes]: repeated(2, () => ofScope),
    schemaUrl: text(3),
  };
  return { [ofResources]: repeated(1, () => ofResource) };
}
