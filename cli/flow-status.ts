import { z } from 'zod';
import { ruleOfCompany } from '../analyzer/detect/company-rules.ts';
import { isApplicable } from '../analyzer/detect/completeness.ts';
import { STALE_SOURCE_RULE } from '../analyzer/detect/rules.ts';
import { matchesTypes } from '../model/event-pattern.ts';
import { answerTypesOf, type Expectation, startTypesOf } from '../model/expectation.ts';
import type { SourceStream } from '../model/watermark.ts';
import { listSources } from '../store/postgres/sources.ts';
import { readCatalogue } from './catalogue.ts';
import type { Stores } from './stores.ts';
import type { Task } from './task.ts';

/** How a rule stands in a company. */
export interface RuleStatus {
  readonly rule: string;
  readonly flow: string;
  readonly kind: string;
  readonly name: string | null;
  readonly company: string;
  readonly status: 'active' | 'observe-only' | 'not applicable' | 'off';
  /** Why it is not active; of an active one what starts it. */
  readonly why: string;
}

const ofCompany = (stream: SourceStream, company: string): boolean =>
  stream.company === company || stream.company === '' || stream.company === '*';

/** How every rule stands in every company that is catalogued or has sent anything. */
export const flowStatusTask: Task<Stores, Record<never, never>, never, RuleStatus[]> = {
  name: 'flows-status',
  args: z.strictObject({}),
  async run({ postgres, config, catalogue }) {
    const { flows, companies, company } = catalogue ?? (await readCatalogue(config));
    const streams = await listSources(postgres);
    const keys = [...new Set([...companies.map(({ key }) => key), ...streams.map((one) => one.company)])]
      .filter((key) => key !== '' && key !== '*')
      .sort();
    const rules = flows.flatMap((flow) =>
      flow.expectations.flatMap((rule) =>
        keys.map((key): RuleStatus => {
          const named = {
            rule: rule.id,
            flow: flow.flow,
            kind: rule.kind,
            name: rule.name ?? null,
            company: key,
          };
          return {
            ...named,
            ...statusOf(rule.enabled ? ruleOfCompany(rule, company(key)) : rule, streams, key),
          };
        }),
      ),
    );
    const builtIn = keys.map(
      (key): RuleStatus => ({
        rule: STALE_SOURCE_RULE,
        flow: 'data-completeness',
        kind: 'watermark',
        name: 'No source falls behind what deadlines need of it',
        company: key,
        status: 'active',
        why: 'built in',
      }),
    );
    return [...rules, ...builtIn];
  },
};

function statusOf(
  rule: Expectation,
  streams: readonly SourceStream[],
  company: string,
): Pick<RuleStatus, 'status' | 'why'> {
  if (!rule.enabled) return { status: 'off', why: 'enabled: false' };
  const sends = (types: readonly string[]): string[] => [
    ...new Set(
      streams
        .filter(
          (stream) => ofCompany(stream, company) && stream.types.some((type) => matchesTypes(types, type)),
        )
        .map(({ source }) => source),
    ),
  ];
  const starts = sends(startTypesOf(rule));
  if (starts.length === 0)
    return { status: 'not applicable', why: `no source tells ${startTypesOf(rule).join(' or ')}` };
  if (!isApplicable(rule, streams, company))
    return { status: 'not applicable', why: `no source tells ${answerTypesOf(rule).join(' or ')}` };
  const answers = answerTypesOf(rule);
  const from = `starts with what ${starts.join(', ')} tells`;
  const why =
    answers.length > 0 && sends(answers).length === 0
      ? `${from}; nobody is known to tell ${answers.join(' or ')}, so that it cannot be judged yet`
      : from;
  return { status: rule.observe ? 'observe-only' : 'active', why };
}
