import { useEffect, useRef, useState } from 'preact/hooks';
import { isSignedOut, query } from './api.ts';
import { Handling, SILENCE_FIELDS, type Silence } from './handling.ts';
import { PROPOSAL_FIELDS, type Proposal, Proposals } from './proposals.ts';
import { CASE_FIELDS, type CaseData, CaseTimeline } from './timeline.ts';
import {
  type Connection,
  Content,
  Empty,
  html,
  type Money,
  More,
  moneyText,
  Severity,
  Stake,
  State,
  Time,
  timeText,
  useQuery,
  useTitle,
  type View,
  words,
} from './ui.ts';

interface ExceptionRow {
  id: string;
  rule: string;
  ruleName: string | null;
  company: string;
  source: string;
  subject: string;
  state: string;
  severity: string;
  amount: string | null;
  currency: string | null;
  dueAt: string;
  why: string;
  runbook: string | null;
}
interface Assessment {
  author: string;
  category: string;
  severity: string;
  confidence: number;
  summary: string;
  probableCause: string;
  nextStep: string;
  model: string | null;
  fallbackReason: string | null;
  version: number;
  claims: { text: string; evidence: number[] }[];
  evidence: { number: number; kind: string; at: string | null; facts: { key: string; value: string }[] }[];
  proposedActions: { kind: string; title: string; tier: string; reason: string }[];
}
interface Incident {
  id: string;
  number: number;
  title: string;
  company: string;
  severity: string;
  state: string;
  openedAt: string;
  owner: string | null;
  acknowledgedAt: string | null;
  acknowledgedByName: string | null;
  resolvedAt: string | null;
  causeKind: string;
  causeKey: string;
  exceptionCount: number;
  openExceptionCount: number;
  sums: Money[];
  openSums: Money[];
  recurrenceOf: { number: number } | null;
  alike: { number: number; title: string }[];
  exceptions: Connection<ExceptionRow>;
  assessment: Assessment | null;
  proposals: Proposal[];
  changes: { seq: string; at: string; change: string; actorName: string | null; comment: string | null }[];
}

const EXCEPTION_FIELDS =
  'id rule ruleName company source subject state severity amount currency dueAt why runbook';
const EXCEPTIONS = `order: worst) { edges { node { ${EXCEPTION_FIELDS} } } pageInfo { hasNextPage endCursor } }`;
const QUERY = `query ($id: ID, $number: Int) { incident(id: $id, number: $number) {
  id number title company severity state openedAt owner acknowledgedAt acknowledgedByName resolvedAt causeKind causeKey
  exceptionCount openExceptionCount sums { amount currency } openSums { amount currency } recurrenceOf { number } alike { number title }
  exceptions(first: 50, ${EXCEPTIONS}
  assessment { author category severity confidence summary probableCause nextStep model fallbackReason version
    claims { text evidence } evidence { number kind at facts { key value } } proposedActions { kind title tier reason } }
  proposals { ${PROPOSAL_FIELDS} }
  changes { seq at change actorName comment }
} silences { ${SILENCE_FIELDS} } }`;
const MORE = `query ($id: ID!, $after: String) { incident(id: $id) { exceptions(first: 50, after: $after, ${EXCEPTIONS} } }`;
const CASE = `query ($company: String!, $source: String!, $subject: String!) {
  caseOf(company: $company, source: $source, subject: $subject) { ${CASE_FIELDS} } }`;
const ACKNOWLEDGE = 'mutation ($id: ID!) { acknowledgeIncident(id: $id) { id state } }';

interface Found {
  incident: Incident | null;
  silences: Silence[];
}

/** One incident, by its number or id: what it is, what is made of it, its documents, and the timeline of one of them. */
export function IncidentPage({ asked }: { asked: string }): View {
  const variables = /^\d{1,9}$/.test(asked) ? { number: Number(asked) } : { id: asked };
  const [loaded, reload] = useQuery<Found>(QUERY, variables, 15_000);
  const number = loaded.data?.incident?.number;
  return html`<p class="crumbs">
      <a href="#/incidents">Incidents</a> ${number !== undefined && html`<span aria-hidden="true">/</span> #${number}`}
    </p>
    <${Content} of=${loaded} retry=${reload}>
      ${({ incident, silences }: Found) =>
        incident
          ? html`<${Body} incident=${incident} silences=${silences} reload=${reload} />`
          : html`<${Empty} title="There is no such incident">Or it is of a company that you may not read.<//>`}
    <//>`;
}

/** The keys of these kinds are JSON lists. */
const LISTS = new Set(['batch', 'rule_counterparty']);
const causeText = ({ causeKind, causeKey }: Incident): string =>
  LISTS.has(causeKind) ? (JSON.parse(causeKey) as string[]).join(' · ') : causeKey;

function Body(props: { incident: Incident; silences: readonly Silence[]; reload: () => void }): View {
  const { incident, silences, reload } = props;
  const rows = incident.exceptions.edges.map(({ node }) => node);
  const [chosen, setChosen] = useState<ExceptionRow | undefined>(undefined);
  const exception = rows.find((row) => row.id === chosen?.id) ?? chosen ?? rows[0];
  useTitle(`#${incident.number} ${incident.title}`);
  const choices = (some: ExceptionRow[]): View => html`<ul class="choices">
    ${some.map((row) => html`<${Choice} key=${row.id} row=${row} chosen=${row.id === exception?.id} choose=${() => setChosen(row)} />`)}
  </ul>`;
  return html`
    <header class="head incident">
      <div>
        <h1>${incident.title}</h1>
        <p class="facts"><${Severity} of=${incident.severity} /> <${State} of=${incident.state} />
          <span>${incident.company}</span> <span>opened <${Time} at=${incident.openedAt} /></span>
          ${incident.recurrenceOf && html`<a href=${`#/incidents/${incident.recurrenceOf.number}`}>again after #${incident.recurrenceOf.number}</a>`}</p>
      </div>
      <${Acknowledge} incident=${incident} done=${reload} />
    </header>
    <dl class="tiles">
      <div><dt>Money at stake</dt><dd><${Stake} open=${incident.openSums} all=${incident.sums} /></dd></div>
      <div><dt>Open exceptions</dt><dd>${incident.openExceptionCount} <small>of ${incident.exceptionCount}</small></dd></div>
      <div><dt>Cause</dt><dd>${words(incident.causeKind)} <small>${causeText(incident)}</small></dd></div>
      <div><dt>Owner</dt><dd>${incident.acknowledgedByName ?? incident.owner ?? '—'} ${incident.acknowledgedByName && html`<small>acknowledged</small>`}</dd></div>
    </dl>
    ${incident.assessment && html`<${AssessmentCard} assessment=${incident.assessment} proposals=${incident.proposals} />`}
    <${Proposals} incident=${incident.id} open=${rows.filter(({ state }) => state === 'open').map(({ id }) => id)} proposals=${incident.proposals} reload=${reload} />
    <${Handling} incident=${{ ...incident, exceptions: rows }} silences=${silences} reload=${reload} />
    <section aria-labelledby="exceptions">
      <h2 id="exceptions">Exceptions</h2>
      ${rows.length === 0 && html`<p class="muted">None any more.</p>`}
      ${choices(rows)}
      <${More} of=${incident.exceptions} query=${MORE} variables=${{ id: incident.id }}
        pick=${(data: { incident: Incident | null }) => data.incident?.exceptions}>${choices}<//>
    </section>
    ${exception && html`<${CaseOf} key=${exception.id} exception=${exception} />`}
    <section aria-labelledby="changes">
      <h2 id="changes">What became of it</h2>
      <ol class="changes">
        ${incident.changes.map(
          (
            change,
          ) => html`<li key=${change.seq}><${Time} at=${change.at} /> <strong>${words(change.change)}</strong>
            ${change.actorName && html` by ${change.actorName}`}${change.comment && html` <q>${change.comment}</q>`}</li>`,
        )}
      </ol>
      ${incident.changes.length === 0 && html`<p class="muted">Nothing is recorded yet.</p>`}
    </section>`;
}

const Choice = (props: { row: ExceptionRow; chosen: boolean; choose: () => void }): View => {
  const { row, chosen, choose } = props;
  return html`<li>
    <button type="button" aria-pressed=${chosen} onClick=${choose}>
      <span class="line"><${Severity} of=${row.severity} /> <strong>${row.subject}</strong> <${State} of=${row.state} />
        <span class="right">${row.amount && row.currency ? moneyText({ amount: row.amount, currency: row.currency }) : '—'}</span></span>
      <span class="sub">${row.rule}${row.ruleName ? ` ${row.ruleName}` : ''} · due ${timeText(row.dueAt)} · ${row.why}</span>
    </button>
  </li>`;
};

function Acknowledge({ incident, done }: { incident: Incident; done: () => void }): View {
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState('');
  const pressed = useRef(false);
  const status = useRef<HTMLSpanElement>(null);
  const act = async (): Promise<void> => {
    if (busy) return;
    setBusy(true);
    setFailure('');
    pressed.current = true;
    try {
      await query(ACKNOWLEDGE, { id: incident.id });
      done();
    } catch (error) {
      if (isSignedOut(error)) globalThis.dispatchEvent(new Event('signed-out'));
      setFailure((error as Error).message);
    }
    setBusy(false);
  };
  // The button that was pressed is gone: who works by keyboard goes on at what it brought about.
  useEffect(() => {
    if (pressed.current) status.current?.focus();
  }, [incident.state]);
  return html`<div class="act" aria-live="polite">
    ${
      incident.state === 'open'
        ? html`<button type="button" class="primary" aria-disabled=${busy} onClick=${act}>${busy ? 'Acknowledging …' : 'Acknowledge'}</button>`
        : html`<span class="muted" tabindex="-1" ref=${status}>${
            incident.acknowledgedByName
              ? `Acknowledged by ${incident.acknowledgedByName}`
              : words(incident.state)
          }${incident.acknowledgedAt ? ` ${timeText(incident.acknowledgedAt)}` : ''}</span>`
    }
    ${failure && html`<p class="bad" role="alert">${failure}</p>`}
  </div>`;
}

/** Actions that stand below as proposals are not told twice. */
const unproposed = (a: Assessment, proposals: readonly Proposal[]): Assessment['proposedActions'] =>
  a.proposedActions.filter(({ kind }) => !proposals.some(({ action }) => action === kind));

const AssessmentCard = (props: { assessment: Assessment; proposals: readonly Proposal[] }): View => {
  const { assessment: a, proposals } = props;
  const actions = unproposed(a, proposals);
  return html`
  <section class="card" aria-labelledby="assessment">
    <h2 id="assessment">Assessment</h2>
    <p class="muted"><${Severity} of=${a.severity} /> · written by ${a.author === 'model' ? `the model ${a.model ?? ''}, checked by code` : 'the rules'} · ${words(a.category)} ·
      confidence ${Math.round(a.confidence * 100)} % · version ${a.version}${a.fallbackReason && ` · ${a.fallbackReason}`}</p>
    <p class="summary">${a.summary}</p>
    <dl class="pairs"><dt>Probable cause</dt><dd>${a.probableCause || '—'}</dd><dt>Next step</dt><dd>${a.nextStep || '—'}</dd></dl>
    ${
      a.claims.length > 0 &&
      html`<h3>Claims</h3><ul class="claims">${a.claims.map(
        (claim) =>
          html`<li>${claim.text} <span class="marks">${claim.evidence.map((number) => html`<span class="mark">E${number}</span>`)}</span></li>`,
      )}</ul>`
    }
    ${
      actions.length > 0 &&
      html`<h3>Proposed, not done</h3><ul class="claims">${actions.map(
        (action) =>
          html`<li><strong>${action.title}</strong> <span class="muted">${action.reason} · ${words(action.tier)}</span></li>`,
      )}</ul>`
    }
    ${
      a.evidence.length > 0 &&
      html`<details><summary>Evidence (${a.evidence.length})</summary><ol class="evidence">${a.evidence.map(
        (item) => html`<li><span class="mark">E${item.number}</span> <strong>${item.kind}</strong>
        ${item.at && html` <${Time} at=${item.at} />`}
        <span class="muted"> ${item.facts.map(({ key, value }) => `${key} ${value}`).join(' · ')}</span></li>`,
      )}</ol></details>`
    }
  </section>`;
};

function CaseOf({ exception }: { exception: ExceptionRow }): View {
  const { company, source, subject } = exception;
  const [loaded, reload] = useQuery<{ caseOf: CaseData | null }>(CASE, { company, source, subject }, 15_000);
  return html`<section aria-labelledby="timeline">
    <h2 id="timeline">Timeline of ${subject}</h2>
    ${
      exception.runbook?.startsWith('http') &&
      html`<p><a href=${exception.runbook} rel="noreferrer noopener" target="_blank">What to do about ${exception.ruleName ?? exception.rule} (runbook)</a></p>`
    }
    <${Content} of=${loaded} retry=${reload}>
      ${({ caseOf }: { caseOf: CaseData | null }) =>
        caseOf
          ? html`<${CaseTimeline} found=${caseOf} />`
          : html`<p class="muted">No event of this document is stored.</p>`}
    <//>
  </section>`;
}
