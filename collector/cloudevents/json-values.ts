import { ClosewatchError } from '../../model/errors.ts';

const QUOTE = 0x22;
const COMMA = 0x2c;
const BRACKET = 0x5b;
const BACKSLASH = 0x5c;
const BRACE = 0x7b;

/**
 * Throws `request.too-large` when a JSON text has more values than `most`: `{`, `[` and `,` outside of strings, each of
 * which begins at most one. Call before parsing: `{},` is 3 bytes in a body and some hundred as an object.
 */
export function refuseTooManyValues(body: Buffer, most: number): void {
  if (body.length <= most) return;
  let values = 0;
  let inString = false;
  for (let i = 0; i < body.length; i++) {
    const byte = body[i];
    if (byte === QUOTE) inString = !inString;
    else if (inString) {
      if (byte === BACKSLASH) i++;
    } else if (byte === COMMA || byte === BRACE || byte === BRACKET) values++;
  }
  if (values > most) throw new ClosewatchError('request.too-large', `a body may hold ${most} JSON values`);
}
