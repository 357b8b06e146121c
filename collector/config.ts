import { join } from 'node:path';
import { z } from 'zod';
import { ClosewatchError, type Problem } from '../model/errors.ts';
import { privacyConfig } from '../model/masking.ts';
import { retentionConfig } from '../model/retention.ts';
import { readYaml } from '../store/yaml.ts';
import { cloudEventsConfig } from './cloudevents/config.ts';
import { inboxConfig } from './cloudevents/inbox-config.ts';
import { otlpConfig } from './otlp/config.ts';
import { sourcesConfig } from './sources-config.ts';

/** The settings of the collector, as `collector.yaml` beside the flows gives them; every one has a default. */
export const collectorConfig = z.strictObject({
  otlp: otlpConfig.prefault({}),
  cloudEvents: cloudEventsConfig.prefault({}),
  sources: sourcesConfig.prefault({}),
  inbox: inboxConfig.prefault({}),
  privacy: privacyConfig.prefault({}),
  retention: retentionConfig.prefault({}),
});
export type CollectorConfig = z.infer<typeof collectorConfig>;

/**
 * Reads `collector.yaml` of the folder; the defaults when there is none. Throws `config.invalid` with every problem at
 * `file:line:column`.
 */
export async function readCollectorConfig(folder: string): Promise<CollectorConfig> {
  const problems: Problem[] = [];
  const path = join(folder, 'collector.yaml');
  const read = await readYaml(path, collectorConfig, problems).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
    return { value: collectorConfig.parse({}) };
  });
  if (read) return read.value;
  const list = problems.map(({ where, what }) => `${where}: ${what}`).join('\n');
  throw new ClosewatchError('config.invalid', `${path} cannot be used:\n${list}`, { problems });
}
