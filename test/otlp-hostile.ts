import { ProtobufWriter } from '../collector/otlp/protobuf-writer.ts';

/** A request with `count` empty messages as `field` of the message at the end of `path`; the third one of the path gets the ids that a span must have. */
export function emptyMessages(path: readonly number[], field: number, count: number, withIds = true): Buffer {
  const out = new ProtobufWriter();
  const opened = path.map((number, depth) => {
    const start = out.open(number);
    if (withIds && depth === 2 && number === 2) {
      out.binary(1, Buffer.alloc(16, 1));
      out.binary(2, Buffer.alloc(8, 1));
    }
    return start;
  });
  for (let i = 0; i < count; i++) out.binary(field, Buffer.alloc(0));
  for (const start of opened.reverse()) out.close(start);
  return out.bytes();
}
