import { createReadStream } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { createGunzip } from 'node:zlib';
import { parse } from 'csv-parse';
import { z } from 'zod';
import type { LabelledSeries } from '../analyzer/backtest/anomaly-windows.ts';
import { ClosewatchError } from '../model/errors.ts';

/** `2014-04-10 07:15:00.000000` or RFC 3339; without a zone it is UTC. Epoch milliseconds. */
function msOf(text: string): number | undefined {
  const written = text.trim().replace(' ', 'T');
  const ms = Date.parse(/(Z|[+-]\d\d:?\d\d)$/.test(written) ? written : `${written}Z`);
  return Number.isNaN(ms) ? undefined : ms;
}

const windowsFile = z.record(z.string(), z.array(z.tuple([z.string(), z.string()])));

/**
 * Series of a file or a folder with its folders, as the Numenta Anomaly Benchmark has them: CSV with `timestamp` and `value`, one
 * file a series, or one file with a column `file` that names the series. The windows are a JSON object of lists of
 * `[from, to]` by series; one that it does not name has none. Throws `import.invalid`.
 */
export async function readSeries(path: string, windowsPath: string): Promise<LabelledSeries[]> {
  const windows = await readWindows(windowsPath);
  const info = await stat(path).catch((cause: unknown) => {
    throw new ClosewatchError('import.invalid', `there are no series at ${path}`, { cause });
  });
  const files = info.isDirectory() ? await csvFiles(path) : [path];
  const series = new Map<string, [number, number][]>();
  for (const file of files)
    for await (const { name, point } of pointsOf(file, info.isDirectory() ? relative(path, file) : file)) {
      const known = series.get(name);
      if (known) known.push(point);
      else series.set(name, [point]);
    }
  if (series.size === 0) throw new ClosewatchError('import.invalid', `there are no series at ${path}`);
  return [...series].map(([name, points]) => ({
    name,
    points,
    windows: windows.get(name) ?? windows.get(name.replace(/\.gz$/, '')) ?? [],
  }));
}

async function readWindows(path: string): Promise<Map<string, [number, number][]>> {
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new ClosewatchError('import.invalid', `cannot read the windows ${path}`, { cause });
  });
  const read = windowsFile.safeParse(JSON.parse(text));
  if (!read.success) throw new ClosewatchError('import.invalid', `${path}: ${z.prettifyError(read.error)}`);
  return new Map(
    Object.entries(read.data).map(([name, spans]) => [
      name,
      spans.map(([from, to]): [number, number] => {
        const [start, end] = [msOf(from), msOf(to)];
        if (start === undefined || end === undefined)
          throw new ClosewatchError('import.invalid', `${path}: ${name} has a window from ${from} to ${to}`);
        return [start, end];
      }),
    ]),
  );
}

async function csvFiles(dir: string): Promise<string[]> {
  const entries = await readdir(dir, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile() && /\.csv(\.gz)?$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

async function* pointsOf(
  path: string,
  name: string,
): AsyncGenerator<{ name: string; point: [number, number] }> {
  const bytes = createReadStream(path);
  const plain = path.endsWith('.gz') ? bytes.pipe(createGunzip()) : bytes;
  const rows = plain.pipe(parse({ columns: true, skip_empty_lines: true }));
  let line = 1;
  for await (const row of rows as AsyncIterable<Record<string, string>>) {
    line += 1;
    const [at, value] = [msOf(row.timestamp ?? ''), Number(row.value)];
    if (at === undefined || row.value === undefined || !Number.isFinite(value))
      throw new ClosewatchError('import.invalid', `${path}, line ${line}: needs a timestamp and a value`);
    yield { name: row.file ?? name, point: [at, value] };
  }
}
