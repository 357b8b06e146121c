import { ACTIONS, type ActionKind } from '../model/action.ts';
import type { EvidenceItem } from '../model/assessment.ts';
import type { Severity } from '../model/severity.ts';
import type { IncidentNews } from '../store/postgres/messages.ts';
import {
  actions,
  type Block,
  type Button,
  context,
  escaped,
  fields,
  header,
  instant,
  LIMITS,
  literal,
  paragraph,
} from './slack/blocks.ts';

/** The action id of the button; its value is the incident's id. */
export const ACKNOWLEDGE = 'acknowledge_incident';
export const OPEN_CONSOLE = 'open_console';

const SEVERITY_NAMES: Record<Severity, string> = {
  info: 'Info',
  low: 'Low',
  medium: 'Medium',
  high: 'High',
  critical: 'Critical',
};
const STATE_NAMES = { open: 'Open', acknowledged: 'Acknowledged', resolved: 'Resolved' } as const;

/** The one message of an incident: its blocks, and the text that notifications and screen readers show. */
export function render(
  news: IncidentNews,
  to: { publicUrl: string; companyName?: string | undefined },
): { blocks: Block[]; text: string } {
  const { incident, assessment } = news;
  const severity = SEVERITY_NAMES[incident.severity];
  const number = `INC-${incident.number}`;
  const blocks: Block[] = [
    header(`${severity} · ${number} · ${incident.title}`),
    fields([
      ['State', stateText(news)],
      ['Company', literal(to.companyName ?? incident.company, 200)],
      ['Exceptions', `${incident.open_exceptions} open of ${incident.exceptions}`],
      ['Money', moneyText(news)],
      ['Since', instant(incident.opened_at)],
      ['Category', literal(assessment?.category ?? 'not assessed yet', 100)],
    ]),
  ];
  if (assessment) {
    if (assessment.summary !== `${incident.title}.`) blocks.push(paragraph(assessment.summary));
    blocks.push(paragraph(`Why: ${assessment.probable_cause}`), paragraph(`Next: ${assessment.next_step}`));
    const proposed = proposals(news);
    if (proposed) blocks.push(paragraph(`Proposed, not done: ${proposed}`));
    blocks.push(context([author(news), evidenceText(news)]));
  }
  if (news.recurrenceOf) blocks.push(context([`Happened before: INC-${news.recurrenceOf}`]));
  const choices = buttons(news, to.publicUrl);
  if (choices.length > 0) blocks.push(actions(`incident:${incident.id}`, choices));
  const text = `${severity} ${number} ${incident.company}: ${incident.title} (${STATE_NAMES[incident.state]})`;
  return { blocks, text: escaped(text, 500) };
}

function stateText({ incident, acknowledgedBy }: IncidentNews): string {
  const name = STATE_NAMES[incident.state];
  if (incident.state === 'resolved' && incident.resolved_at)
    return `${name} ${instant(incident.resolved_at)}`;
  if (incident.state === 'acknowledged') return `${name} by ${literal(acknowledgedBy ?? 'somebody', 100)}`;
  return name;
}

/** `EUR 12,000.00 (300.00 open)`; three currencies at most. */
function moneyText({ incident }: IncidentNews): string {
  const sums = incident.sums as { currency: string; amount: string; open?: string }[];
  const lines = sums.slice(0, 3).map(({ currency, amount, open }) => {
    const part = open !== undefined && open !== amount ? ` (${grouped(open)} open)` : '';
    return `${literal(currency, 3)} ${grouped(amount)}${part}`;
  });
  const more = sums.length > 3 ? [`and ${sums.length - 3} more currencies`] : [];
  return [...lines, ...more].join('\n') || 'none known';
}

/** A decimal text with thousands parted by commas and at least two decimals. */
function grouped(amount: string): string {
  const [, sign = '', whole = '0', decimals = ''] = /^([+-]?)(\d+)(?:\.(\d+))?$/.exec(amount) ?? [];
  return `${sign}${whole.replace(/\B(?=(\d{3})+$)/g, ',')}.${decimals.padEnd(2, '0')}`;
}

function proposals({ assessment }: IncidentNews): string {
  const wishes = (assessment?.proposed_actions ?? []) as { kind: ActionKind }[];
  return wishes
    .slice(0, 4)
    .flatMap(({ kind }) => (Object.hasOwn(ACTIONS, kind) ? ACTIONS[kind].title : []))
    .join('; ');
}

function author({ assessment }: IncidentNews): string {
  if (!assessment) return '';
  const confidence = `confidence ${assessment.confidence.toFixed(2)}`;
  if (assessment.author === 'model')
    return `Read by ${assessment.model ?? 'a model'}, checked by rules, ${confidence}`;
  const reason = assessment.fallback_reason;
  const asked = reason && reason !== 'pending' && reason !== 'superseded';
  return `Read by rules, ${confidence}${asked ? ` (model not used: ${reason})` : ''}`;
}

/** What the claims cite: `Evidence: E2 tax-engine POST /tax; E4 BILL/1`. */
function evidenceText({ assessment }: IncidentNews): string {
  const claims = (assessment?.claims ?? []) as { evidence: number[] }[];
  const cited = new Set(claims.flatMap(({ evidence }) => evidence));
  const items = ((assessment?.evidence ?? []) as EvidenceItem[]).filter(({ number }) => cited.has(number));
  const names = items.slice(0, 5).map(({ number, kind, label }) => `E${number} ${label ?? kind}`);
  const more = items.length > 5 ? [`and ${items.length - 5} more`] : [];
  return names.length > 0 ? `Evidence: ${[...names, ...more].join('; ')}` : 'No evidence cited';
}

function buttons({ incident }: IncidentNews, publicUrl: string): Button[] {
  const url = incidentUrl(publicUrl, incident.id);
  const open: Button[] =
    url && url.length <= LIMITS.url ? [{ action: OPEN_CONSOLE, label: 'Open in Closewatch', url }] : [];
  const acknowledge: Button = {
    action: ACKNOWLEDGE,
    label: 'Acknowledge',
    value: incident.id,
    style: 'primary',
  };
  return incident.state === 'open' ? [acknowledge, ...open] : open;
}

/** Where the console shows the incident; undefined when it is not known where the console is. */
const incidentUrl = (publicUrl: string, incident: string): string | undefined =>
  URL.canParse(publicUrl)
    ? new URL(`/#/incidents/${encodeURIComponent(incident)}`, publicUrl).href
    : undefined;
