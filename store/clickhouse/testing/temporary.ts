import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Engine, type StartEngineOptions, startEngine } from '../engine/supervisor.ts';

/** An engine on a new temporary folder, for tests and benchmarks; `remove` stops it and removes the folder. */
export interface TemporaryEngine extends Engine {
  readonly dataDir: string;
  remove(): Promise<void>;
}

/** The engine's private folder in shared memory. */
export function bodiesFolder(dataDir: string): string {
  const name = createHash('sha256').update(realpathSync(dataDir)).digest('hex').slice(0, 16);
  return join('/dev/shm', `closewatch-${name}`);
}

/** The names of the private files with rows that lie in the engine's folders now. */
export function bodiesOf(dataDir: string): string[] {
  return [join(dataDir, 'bodies'), bodiesFolder(dataDir)]
    .flatMap((folder) => (existsSync(folder) ? readdirSync(folder) : []))
    .filter((file) => file.startsWith('body-'));
}

export async function temporaryEngine(options: Partial<StartEngineOptions> = {}): Promise<TemporaryEngine> {
  const dataDir = options.dataDir ?? mkdtempSync(join(tmpdir(), 'closewatch-engine-'));
  const engine = await startEngine({ ...options, dataDir });
  const remove = async () => {
    await engine.stop();
    rmSync(dataDir, { recursive: true, force: true });
  };
  return Object.assign(engine, { dataDir, remove });
}
