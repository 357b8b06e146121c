import { join } from 'node:path';
import { checkOverrides, type LoadedFlow, loadCompanies, loadFlows } from '../analyzer/detect/flow-files.ts';
import { loadPrompt } from '../analyzer/triage/prompt.ts';
import { type CollectorConfig, readCollectorConfig } from '../collector/config.ts';
import { canonicalHash } from '../model/canonical-json.ts';
import { type Company, companyFinder } from '../model/company.ts';
import type { Policy } from '../model/policy.ts';
import type { Config } from './config.ts';
import { readPolicy } from './policy-file.ts';

/** The flows that come with Closewatch. */
const DEFAULT_FLOWS = join(import.meta.dirname, '..', 'flows');

/** What is watched: the flow files, and the companies and the collector's settings beside them. */
export interface Catalogue {
  readonly flows: readonly LoadedFlow[];
  readonly companies: readonly Company[];
  /** How the collector takes what is sent. */
  readonly collector: CollectorConfig;
  /** Who may do what, as policy.yaml beside the flows says. */
  readonly policy: Policy;
  /** The company of a key; one with every default when companies.yaml does not name it. */
  company(key: string): Company;
  ruleName(rule: string): string | undefined;
}

const folderOf = ({ flowsDir }: Pick<Config, 'flowsDir'>): string => flowsDir ?? DEFAULT_FLOWS;

/** Only how the collector takes what is sent: whatever is wrong with the flows beside it. Throws `config.invalid`. */
export const readCollector = (config: Pick<Config, 'flowsDir'>): Promise<CollectorConfig> =>
  readCollectorConfig(folderOf(config));

/** The companies of companies.yaml beside the flows. Throws `flow.invalid` with file, line and column. */
export const readCompanies = (config: Pick<Config, 'flowsDir'>): Promise<readonly Company[]> =>
  loadCompanies(folderOf(config));

/** The flows and companies of a folder, or of the catalogue when none is named. Throws `flow.invalid`. */
export async function catalogueOf(
  config: Pick<Config, 'flowsDir'>,
  folder: string | undefined,
): Promise<Pick<Catalogue, 'flows' | 'companies'>> {
  if (folder === undefined) return await readCatalogue(config);
  const [flows, companies] = [await loadFlows(folder), await loadCompanies(folder)];
  checkOverrides(flows, companies);
  return { flows, companies };
}

/** Reads the catalogue of `CLOSEWATCH_FLOWS_DIR`, or the default one. Throws `flow.invalid` with file, line and column. */
export async function readCatalogue(config: Pick<Config, 'flowsDir'>): Promise<Catalogue> {
  const folder = folderOf(config);
  const [flows, companies, collector, policy] = await Promise.all([
    loadFlows(folder),
    loadCompanies(folder),
    readCollectorConfig(folder),
    readPolicy(folder),
  ]);
  checkOverrides(flows, companies);
  const names = new Map(
    flows.flatMap(({ expectations }) => expectations.map(({ id, name }) => [id, name] as const)),
  );
  return {
    flows,
    companies,
    collector,
    policy,
    company: companyFinder(companies),
    ruleName: (rule) => names.get(rule),
  };
}

/** The hash of each part of what is in force: rules, companies, policy and the collector's settings. */
export const configurationHashes = ({
  flows,
  companies,
  policy,
  collector,
}: Catalogue): Record<string, string> => ({
  flows: canonicalHash(flows),
  companies: canonicalHash(companies),
  policy: canonicalHash(policy),
  collector: canonicalHash(collector),
  prompt: loadPrompt().hash,
});
