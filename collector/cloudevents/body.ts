import type { IncomingMessage } from 'node:http';
import { createGunzip } from 'node:zlib';
import { ClosewatchError } from '../../model/errors.ts';

/**
 * The body of a request, inflated. Throws `request.too-large` beyond `maxBytes` inflated bytes (nothing more is read),
 * `request.media-type` for an encoding other than gzip, `request.malformed` for broken gzip or a body that breaks off.
 */
export async function readBody(request: IncomingMessage, maxBytes: number): Promise<Buffer> {
  const tooLarge = new ClosewatchError('request.too-large', `the body is larger than ${maxBytes} bytes`);
  if (Number(request.headers['content-length'] ?? 0) > maxBytes) throw tooLarge;
  const encoding = (request.headers['content-encoding'] ?? 'identity').trim().toLowerCase();
  if (encoding !== 'identity' && encoding !== 'gzip')
    throw new ClosewatchError('request.media-type', 'the content encoding must be gzip or none');
  const bytes = encoding === 'gzip' ? request.pipe(createGunzip()) : request;
  if (bytes !== request) request.once('error', (error) => bytes.destroy(error));
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of bytes) {
      size += (chunk as Buffer).length;
      if (size > maxBytes) throw tooLarge;
      chunks.push(chunk as Buffer);
    }
  } catch (error) {
    if (error === tooLarge) throw error;
    throw new ClosewatchError('request.malformed', 'the body breaks off or is not gzip', { cause: error });
  }
  return Buffer.concat(chunks, size);
}
