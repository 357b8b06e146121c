import type { Readable } from 'node:stream';
import { EngineError } from './errors.ts';
import { plainName } from './request.ts';

/** The query and the parameters of a request that sends them as a form, as clients do when they are long for a URL. */
export interface Form {
  readonly query: string;
  /** `param_x` as `x` → the raw text. */
  readonly params: ReadonlyMap<string, string>;
}

export const isForm = (contentType: string | undefined): boolean => /^multipart\//i.test(contentType ?? '');

/**
 * Reads a multipart/form-data body of at most `maxBytes`. Throws code 48 for files (external tables) and for fields other
 * than `query` and `param_…`, 307 for one that is larger, 36 for one that cannot be read.
 */
export async function readForm(body: Readable, contentType: string, maxBytes: number): Promise<Form> {
  const held: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    // What is a little too large is read to its end, so that its sender is there for the answer: one that still writes into a
    // connection that is closed loses it.
    if (bytes > 2 * maxBytes) break;
    if (bytes <= maxBytes) held.push(chunk);
  }
  if (bytes > maxBytes)
    throw new EngineError(307, `The form is larger than ${maxBytes} bytes.`, 'TOO_MANY_BYTES');
  const headers = { 'content-type': contentType };
  const form = await new Response(Buffer.concat(held), { headers }).formData().catch(() => {
    throw new EngineError(36, 'The multipart body cannot be read.', 'BAD_ARGUMENTS');
  });
  let query = '';
  const params = new Map<string, string>();
  for (const [name, value] of form) {
    if (typeof value !== 'string')
      throw new EngineError(48, 'External tables (files in a form) are not supported.', 'NOT_IMPLEMENTED');
    if (name === 'query') query += value;
    else if (name.startsWith('param_')) params.set(plainName(name.slice(6)), value);
    else {
      const field = name.slice(0, 80);
      throw new EngineError(48, `A form holds query and param_…, not '${field}'.`, 'NOT_IMPLEMENTED');
    }
  }
  return { query, params };
}
