import { ClosewatchError } from '../../model/errors.ts';
import { checkedUtf8 } from './utf8.ts';

const HEAD_BYTES = 200;

/**
 * The text of an XML document in the encoding of its byte order mark, else of its declaration, else UTF-8. Throws
 * `import.invalid` for an encoding that is not known and for bytes that it does not have; `what` names the document.
 */
export async function* xmlTextOf(bytes: AsyncIterable<Buffer>, what: string): AsyncGenerator<string> {
  const pieces = headFirst(bytes);
  try {
    const { value: head = Buffer.alloc(0) } = await pieces.next();
    const encoding = encodingOf(head);
    const decoder = decoderOf(encoding, what);
    const all = async function* (): AsyncGenerator<Buffer> {
      yield head;
      yield* pieces;
    };
    const advice = '; say its encoding in the XML declaration';
    const checked = decoder.encoding === 'utf-8' ? checkedUtf8(all(), advice) : all();
    for await (const piece of checked) yield decode(decoder, encoding, what, piece);
    yield decode(decoder, encoding, what);
  } finally {
    await pieces.return(undefined);
  }
}

/** The bytes, the first piece long enough to tell the encoding, unless that is all there is. */
async function* headFirst(bytes: AsyncIterable<Buffer>): AsyncGenerator<Buffer, undefined> {
  let head: Buffer | undefined = Buffer.alloc(0);
  for await (const chunk of bytes) {
    if (head === undefined) {
      yield chunk;
      continue;
    }
    head = Buffer.concat([head, chunk]);
    if (head.length < HEAD_BYTES) continue;
    yield head;
    head = undefined;
  }
  if (head !== undefined) yield head;
}

function decode(decoder: TextDecoder, encoding: string, what: string, piece?: Buffer): string {
  try {
    return decoder.decode(piece, { stream: piece !== undefined });
  } catch (cause) {
    throw new ClosewatchError('import.invalid', `the ${what} is not ${encoding}, as it says`, { cause });
  }
}

/** The name of the encoding, as the document gives it. */
function encodingOf(head: Buffer): string {
  if (head[0] === 0xff && head[1] === 0xfe) return 'utf-16le';
  if (head[0] === 0xfe && head[1] === 0xff) return 'utf-16be';
  const isMarked = head[0] === 0xef && head[1] === 0xbb && head[2] === 0xbf;
  const start = head.toString('latin1', isMarked ? 3 : 0, HEAD_BYTES);
  const [, declared] = /^\s*<\?xml\s[^>]*?\bencoding\s*=\s*["']([A-Za-z][\w.:-]*)["']/.exec(start) ?? [];
  return isMarked ? 'utf-8' : (declared ?? 'utf-8');
}

function decoderOf(encoding: string, what: string): TextDecoder {
  try {
    return new TextDecoder(encoding, { fatal: true });
  } catch (cause) {
    throw new ClosewatchError(
      'import.invalid',
      `the ${what} has an encoding that is not known: ${encoding}`,
      {
        cause,
      },
    );
  }
}

/** The local name of the root element of a document of which this is the beginning; undefined when it is none. */
export function rootOf(head: Buffer): string | undefined {
  const encoding = encodingOf(head);
  let text: string;
  try {
    text = new TextDecoder(encoding).decode(head);
  } catch {
    return undefined;
  }
  const start = text.replace(/^\ufeff/, '').trimStart();
  if (!start.startsWith('<')) return undefined;
  return /^(?:<\?[^>]*>|<!--(?:[^-]|-(?!->))*-->|<!DOCTYPE[^>[]*>|\s)*<(?:[\w.-]+:)?([\w.-]+)/.exec(
    start,
  )?.[1];
}
