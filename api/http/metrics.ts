import type { Sample } from '../../store/counters.ts';

const escapeHelp = (text: string): string => text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
const escapeLabel = (text: string): string => escapeHelp(text).replaceAll('"', '\\"');

function labelsText(labels: Readonly<Record<string, string>>): string {
  const parts = Object.entries(labels).map(([name, value]) => `${name}="${escapeLabel(value)}"`);
  return parts.length === 0 ? '' : `{${parts.join(',')}}`;
}

/** The counters and gauges in Prometheus' text format 0.0.4; samples of one name stand together. */
export function prometheusText(samples: readonly Sample[]): string {
  return [...Map.groupBy(samples, ({ name }) => name)]
    .map(([name, own]) =>
      [
        `# HELP ${name} ${escapeHelp(own[0]?.help ?? name)}`,
        `# TYPE ${name} ${own[0]?.type ?? 'counter'}`,
        ...own.map(({ labels, value }) => `${name}${labelsText(labels)} ${value}`),
        '',
      ].join('\n'),
    )
    .join('');
}
