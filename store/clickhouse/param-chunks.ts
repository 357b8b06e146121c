/** So many bytes of ids or keys in one parameter: ClickHouse takes 128 KiB of one (`http_max_field_value_size`). */
const MAX_PARAM_BYTES = 100_000;

const ESCAPED = /[\\'\s\p{Cc}]/gu;

/** The values in runs whose length as a parameter, quoted and escaped, stays under the limit. */
export function chunksOf(values: Iterable<string>): string[][] {
  const chunks: string[][] = [];
  let chunk: string[] = [];
  let bytes = 0;
  for (const value of values) {
    const size = Buffer.byteLength(value.replace(ESCAPED, '__')) + 3;
    if (chunk.length > 0 && bytes + size > MAX_PARAM_BYTES) {
      chunks.push(chunk);
      chunk = [];
      bytes = 0;
    }
    chunk.push(value);
    bytes += size;
  }
  if (chunk.length > 0) chunks.push(chunk);
  return chunks;
}
