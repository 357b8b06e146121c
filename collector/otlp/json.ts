import type { Signal } from './decoder.ts';
import { type Field, type Message, WrongValue, writeMessage } from './json-fields.ts';
import { foreignMembers } from './json-foreign.ts';
import { LOGS } from './json-logs.ts';
import { METRICS } from './json-metrics.ts';
import { JsonReader } from './json-reader.ts';
import { TRACES } from './json-traces.ts';
import { ProtobufWriter } from './protobuf-writer.ts';
import { MalformedRequest } from './wire.ts';

const REQUESTS: Record<Signal, Message> = { traces: TRACES, logs: LOGS, metrics: METRICS };

export interface Translated {
  /** The request in protobuf. */
  readonly body: Buffer;
  /** Records in members of other signals, such as `resourceLogs` of a request of traces: they are not in `body`. */
  readonly foreign: number;
}

/**
 * The same request in protobuf, from OTLP/JSON (opentelemetry-proto docs/specification.md, JSON Protobuf Encoding): ids in
 * hexadecimal, 64-bit integers as text or numbers, unknown fields ignored, `null` as absent. Enums may be given by their
 * names too, as the Collector takes them. Throws `MalformedRequest` with the path of what is wrong, and
 * `request.too-large` when it has more than `maxBytes` in protobuf.
 *
 * An id that is no hexadecimal text becomes an id of a wrong length: the record is refused, not the request.
 */
export function translateJson(body: Buffer, signal: Signal, maxBytes = Number.POSITIVE_INFINITY): Translated {
  const out = new ProtobufWriter(maxBytes);
  let foreign = 0;
  const others = [...foreignMembers(signal)].map(([member, count]): [string, Field] => [
    member,
    (_out, json) => {
      foreign += count(json);
    },
  ]);
  try {
    const json = new JsonReader(body.toString('utf8'));
    writeMessage(out, { ...REQUESTS[signal], ...Object.fromEntries(others) }, json, 0);
    json.end();
  } catch (error) {
    if (!(error instanceof WrongValue)) throw error;
    throw new MalformedRequest('json', `${error.path || 'the body'} must be ${error.expected}`);
  }
  return { body: out.bytes(), foreign };
}

/** The request of `translateJson`, without what is of other signals. */
export const protobufOfJson = (body: Buffer, signal: Signal = 'traces'): Buffer =>
  translateJson(body, signal).body;
