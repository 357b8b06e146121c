import type { IncomingHttpHeaders } from 'node:http';
import { ClosewatchError } from '../../model/errors.ts';
import { parseJson } from '../../model/json.ts';
import type { CloudEventsConfig } from './config.ts';
import { refuseTooManyValues } from './json-values.ts';

/** An event as it came, before anything of it is believed: the context attributes and `data` together. */
export type Envelope = Record<string, unknown>;

/** More than 16 MiB of finance events have, several times over. */
const MAX_VALUES = 2_000_000;

export type Mode = 'structured' | 'batch' | 'binary';

/** How the events of a request are packed, by its headers. Throws `request.media-type` when they are no CloudEvents. */
export function modeOf(headers: IncomingHttpHeaders): Mode {
  const [type = '', ...parameters] = (headers['content-type'] ?? '').toLowerCase().split(';');
  const charset = parameters.map((parameter) => /^\s*charset="?([^"]*)"?\s*$/.exec(parameter)?.[1]);
  if (
    charset.some((name) => name !== undefined && name !== 'utf-8' && name !== 'utf8' && name !== 'us-ascii')
  )
    throw new ClosewatchError('request.media-type', 'the character set must be UTF-8');
  switch (type.trim()) {
    case 'application/cloudevents+json':
      return 'structured';
    case 'application/cloudevents-batch+json':
      return 'batch';
  }
  const json = /^application\/(json|[a-z0-9!#$&^_.+-]+\+json)$/.test(type.trim());
  if (headers['ce-specversion'] !== undefined && json) return 'binary';
  throw new ClosewatchError(
    'request.media-type',
    'must be application/cloudevents+json, application/cloudevents-batch+json, or ce-* headers with application/json',
  );
}

/** How many bytes a body in this mode may have. */
export const maxBytesOf = (mode: Mode, config: CloudEventsConfig): number =>
  mode === 'batch' ? config.maxBatchBytes : config.maxEventBytes;

/**
 * The events of a request. Only the body as a whole is judged here: `request.malformed` when it is no JSON of the mode's
 * shape, `request.too-large` for too many events or JSON values.
 */
export function envelopesOf(
  mode: Mode,
  headers: IncomingHttpHeaders,
  body: Buffer,
  config: CloudEventsConfig,
): unknown[] {
  const parsed = jsonOf(body);
  if (mode === 'binary') return [{ ...attributesOf(headers), data: parsed }];
  if (mode === 'structured') return [parsed];
  if (!Array.isArray(parsed)) throw new ClosewatchError('request.malformed', 'a batch must be a JSON array');
  if (parsed.length > config.maxBatchEvents)
    throw new ClosewatchError('request.too-large', `a batch may hold ${config.maxBatchEvents} events`);
  return parsed;
}

function jsonOf(body: Buffer): unknown {
  refuseTooManyValues(body, MAX_VALUES);
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(body);
  } catch (cause) {
    throw new ClosewatchError('request.malformed', 'the body is not UTF-8', { cause });
  }
  try {
    return parseJson(text);
  } catch (cause) {
    // The engine's own words quote the body, which not everybody may read who sees the problem.
    const [, at] = /position (\d+)/.exec((cause as Error).message) ?? [];
    const where = at === undefined ? '' : `: not understood from character ${at}`;
    throw new ClosewatchError('request.malformed', `the body is not JSON${where}`, { cause });
  }
}

/** The context attributes of binary mode: `ce-*` headers, percent-decoded (HTTP binding 1.0.2, 3.1.3.2). */
function attributesOf(headers: IncomingHttpHeaders): Envelope {
  const attributes: Envelope = {};
  for (const [name, value] of Object.entries(headers)) {
    if (!name.startsWith('ce-') || typeof value !== 'string') continue;
    attributes[name.slice(3)] = headerText(value);
  }
  return attributes;
}

function headerText(value: string): string {
  const text = Buffer.from(value, 'latin1').toString('utf8');
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
