import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { Said } from '../analyzer/backtest/score.ts';
import { cloudEventsFormat } from '../collector/files/cloudevents.ts';
import { openLogFile } from '../collector/files/log-file.ts';
import { ClosewatchError } from '../model/errors.ts';
import type { FinanceEvent } from '../model/event.ts';
import { formatInstant } from '../model/time.ts';
import type { SourceStream } from '../model/watermark.ts';

/** A landscape that somebody wrote down: its events in the order in which a store gives them out, and how complete its sources are. */
export interface Landscape {
  readonly events: readonly FinanceEvent[];
  readonly sources: readonly SourceStream[];
  /** Instants of the first and the last event, epoch nanoseconds. */
  readonly from: bigint;
  readonly to: bigint;
}

const EVENTS = /\.jsonl(\.gz)?$/;

/**
 * The landscape of a folder: every `*.jsonl` and `*.jsonl.gz` in it holds CloudEvents, one a line, as `POST /v1/events` takes them. An
 * event that stands there twice counts once. A source that sends heartbeats is complete up to the last of them, any other is
 * closed. Throws `import.invalid` with file and line at the first line that is none.
 */
export async function readLandscape(dir: string, now: bigint): Promise<Landscape> {
  const names = await readdir(dir).catch((cause: unknown) => {
    throw new ClosewatchError('import.invalid', `cannot read the folder of events ${dir}`, { cause });
  });
  const files = names.filter((name) => EVENTS.test(name)).sort();
  if (files.length === 0)
    throw new ClosewatchError('import.invalid', `there is no *.jsonl of events in ${dir}`);
  const events = new Map<string, FinanceEvent>();
  const declared = new Map<string, bigint>();
  const types = new Map<string, Set<string>>();
  let [from, to] = [now, 0n];
  for (const name of files) {
    const file = await openLogFile(join(dir, name));
    for await (const item of cloudEventsFormat.read(file, { source: '*', now } as never)) {
      if (!('result' in item)) continue;
      const { where, result } = item;
      if (!('event' in result)) {
        const what = 'bad' in result ? result.bad : 'is no event';
        throw new ClosewatchError('import.invalid', `${name}, ${where}: ${what}`);
      }
      const { event, at, declares } = result;
      const place = `${event.company}\n${event.source}`;
      if (declares) {
        const known = declared.get(place);
        if (known === undefined || declares.completeUpTo > known) declared.set(place, declares.completeUpTo);
        continue;
      }
      types.set(place, (types.get(place) ?? new Set()).add(event.type));
      if (at < from) from = at;
      if (at > to) to = at;
      const stored = { ...event, ingestPath: 'push', batch: '1', receivedAt: formatInstant(at) } as const;
      events.set(`${event.source}\n${event.id}`, stored);
    }
  }
  const sources = [...new Set([...types.keys(), ...declared.keys()])].map((place): SourceStream => {
    const [company = '', source = ''] = place.split('\n');
    const upTo = declared.get(place);
    return {
      source,
      company,
      stream: '',
      kind: upTo === undefined ? 'imported' : 'declared',
      completeUpTo: upTo,
      completeWithoutLimit: upTo === undefined,
      latenessNanos: 0n,
      silenceNanos: 0n,
      types: [...(types.get(place) ?? [])],
    };
  });
  return { events: [...events.values()].sort(inStoreOrder), sources, from, to };
}

function inStoreOrder(a: FinanceEvent, b: FinanceEvent): number {
  for (const field of ['company', 'source', 'subject', 'time', 'id'] as const)
    if (a[field] !== b[field]) return a[field] < b[field] ? -1 : 1;
  return 0;
}

const said = z.object({
  rule: z.string().min(1),
  company: z.string().min(1),
  subject: z.string().min(1),
});

/** The truth of a file: what must be said, a JSON object `{rule, company, subject}` a line, or one list of them. Throws `import.invalid`. */
export async function readTruth(path: string): Promise<Said[]> {
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new ClosewatchError('import.invalid', `cannot read the truth ${path}`, { cause });
  });
  if (text.trimStart().startsWith('[')) return parsed(z.array(said), text, path);
  return text
    .split('\n')
    .flatMap((line, index) => (line.trim() === '' ? [] : [parsed(said, line, `${path}, line ${index + 1}`)]));
}

function parsed<T>(schema: z.ZodType<T>, text: string, where: string): T {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new ClosewatchError('import.invalid', `${where}: is not JSON`, { cause });
  }
  const result = schema.safeParse(value);
  if (!result.success)
    throw new ClosewatchError('import.invalid', `${where}: ${z.prettifyError(result.error)}`);
  return result.data;
}
