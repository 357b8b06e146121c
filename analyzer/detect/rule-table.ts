import { expectedTypesOf, startTypesOf } from '../../model/expectation.ts';
import type { Flow } from '../../model/flow.ts';

const cell = (text: string): string => text.replaceAll('|', '\\|');
const types = (all: readonly string[]): string =>
  [...new Set(all)].map((type) => `\`${type}\``).join(', ') || '–';

/** The table of all rules: what each is, of which kind, and the facts that it needs. Markdown, a section a flow. */
export function ruleTable(flows: readonly Flow[]): string {
  return flows
    .filter(({ expectations }) => expectations.length > 0)
    .map((flow) => {
      const rows = flow.expectations.map((rule) =>
        [
          rule.id,
          cell(rule.name ?? ''),
          rule.kind,
          types(startTypesOf(rule)),
          types(expectedTypesOf(rule)),
          rule.severity.join(' / '),
          rule.closeImpact === 'none' ? '' : rule.closeImpact,
          [rule.observe ? 'observe-only' : '', rule.applies === 'when-told' ? 'when told' : '']
            .filter(Boolean)
            .join(', '),
        ].join(' | '),
      );
      return [
        `## ${flow.name}`,
        '',
        `Flow \`${flow.flow}\`, owner *${flow.owner}*. ${flow.description ?? ''}`,
        '',
        '| rule | what is expected | kind | starts with | expects | severity | close | |',
        '|---|---|---|---|---|---|---|---|',
        ...rows.map((row) => `| ${row} |`),
        ...flow.objectives.map(
          (one) =>
            `| ${one.id} | ${cell(one.name ?? '')} | ${one.kind} | telemetry of ${one.service.map((name) => `\`${name}\``).join(', ')} | – | medium / high | ${one.closeImpact === 'none' ? '' : one.closeImpact} | ${one.observe ? 'observe-only' : ''} |`,
        ),
        '',
      ].join('\n');
    })
    .join('\n');
}
