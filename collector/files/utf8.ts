import { isUtf8 } from 'node:buffer';
import { ClosewatchError } from '../../model/errors.ts';

const LINE_END = 0x0a;

/**
 * The bytes as they come, in pieces that end with a whole character. Throws `import.invalid` with the number of the line
 * at the first that is not UTF-8 and `advice`: read on, every odd byte would become the same mark, and cases with it.
 */
export async function* checkedUtf8(bytes: AsyncIterable<Buffer>, advice: string): AsyncGenerator<Buffer> {
  let rest: Buffer = Buffer.alloc(0);
  let line = 1;
  const check = (piece: Buffer): void => {
    const isWhole = isUtf8(piece);
    let start = 0;
    for (let end = piece.indexOf(LINE_END); end >= 0; end = piece.indexOf(LINE_END, start)) {
      if (!isWhole && !isUtf8(piece.subarray(start, end))) break;
      line++;
      start = end + 1;
    }
    if (!isWhole)
      throw new ClosewatchError('import.invalid', `the file is not UTF-8 in line ${line}${advice}`);
  };
  for await (const chunk of bytes) {
    const all = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    const whole = all.length - unfinished(all);
    rest = all.subarray(whole);
    const piece = all.subarray(0, whole);
    check(piece);
    if (piece.length > 0) yield piece;
  }
  check(rest);
}

/** How many bytes at the end begin a character that is not complete. */
function unfinished(bytes: Buffer): number {
  for (let back = 1; back <= 3 && back <= bytes.length; back++) {
    const byte = bytes[bytes.length - back] ?? 0;
    if ((byte & 0xc0) === 0x80) continue;
    const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
    return length > back ? back : 0;
  }
  return 0;
}
