import { useState } from 'preact/hooks';
import { isSignedOut, query } from './api.ts';
import { CASE_FIELDS, type CaseData, CaseTimeline } from './timeline.ts';
import {
  Content,
  Empty,
  html,
  type Money,
  moneyText,
  Severity,
  State,
  sumsText,
  Time,
  timeText,
  useQuery,
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
  acknowledgedBy: string | null;
  resolvedAt: string | null;
  causeKind: string;
  causeKey: string;
  exceptionCount: number;
  openExceptionCount: number;
  sums: Money[];
  recurrenceOf: { number: number } | null;
  exceptions: { edges: { node: ExceptionRow }[]; pageInfo: { hasNextPage: boolean } };
  assessment: Assessment | null;
  changes: { seq: string; at: string; change: string; actor: string | null; comment: string | null }[];
}

const QUERY = `query ($id: ID, $number: Int) { incident(id: $id, number: $number) {
  id number title company severity state openedAt owner acknowledgedAt acknowledgedBy resolvedAt causeKind causeKey
  exceptionCount openExceptionCount sums { amount currency } recurrenceOf { number }
  exceptions(first: 50) { edges { node { id rule ruleName company source subject state severity amount currency dueAt why runbook } } pageInfo { hasNextPage } }
  assessment { author category confidence summary probableCause nextStep model fallbackReason version
    claims { text evidence } evidence { number kind at facts { key value } } proposedActions { kind title tier reason } }
  changes { seq at change actor comment }
} }`;
const CASE = `query ($company: String!, $source: String!, $subject: String!) {
  caseOf(company: $company, source: $source, subject: $subject) { ${CASE_FIELDS} } }`;
const ACKNOWLEDGE = 'mutation ($id: ID!) { acknowledgeIncident(id: $id) { id state } }';

/** One incident, by its number or id: what it is, what is made of it, its documents, and the timeline of one of them. */
export function IncidentPage({ asked }: { asked: string }): View {
  const variables = /^\d{1,9}$/.test(asked) ? { number: Number(asked) } : { id: asked };
  const [loaded, reload] = useQuery<{ incident: Incident | null }>(QUERY, variables, 15_000);
  const number = loaded.data?.incident?.number;
  return html`<p class="crumbs">
      <a href="#/incidents">Incidents</a> ${number !== undefined && html`<span aria-hidden="true">/</span> #${number}`}
    </p>
    <${Content} of=${loaded} retry=${reload}>
      ${({ incident }: { incident: Incident | null }) =>
        incident
          ? html`<${Body} incident=${incident} reload=${reload} />`
          : html`<${Empty} title="There is no such incident">Or it is of a company that you may not read.<//>`}
    <//>`;
}

/** The keys of these kinds are JSON lists. */
const LISTS = new Set(['batch', 'rule_counterparty']);
const causeText = ({ causeKind, causeKey }: Incident): string =>
  LISTS.has(causeKind) ? (JSON.parse(causeKey) as string[]).join(' · ') : causeKey;

function Body({ incident, reload }: { incident: Incident; reload: () => void }): View {
  const rows = incident.exceptions.edges.map(({ node }) => node);
  const [chosen, setChosen] = useState(rows[0]?.id);
  const exception = rows.find((row) => row.id === chosen) ?? rows[0];
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
      <div><dt>Money at stake</dt><dd>${sumsText(incident.sums)}</dd></div>
      <div><dt>Open exceptions</dt><dd>${incident.openExceptionCount} <small>of ${incident.exceptionCount}</small></dd></div>
      <div><dt>Cause</dt><dd>${words(incident.causeKind)} <small>${causeText(incident)}</small></dd></div>
      <div><dt>Owner</dt><dd>${incident.acknowledgedBy ?? incident.owner ?? '—'} ${incident.acknowledgedBy && html`<small>acknowledged</small>`}</dd></div>
    </dl>
    ${incident.assessment && html`<${AssessmentCard} assessment=${incident.assessment} />`}
    <section aria-labelledby="exceptions">
      <h2 id="exceptions">Exceptions</h2>
      ${rows.length === 0 && html`<p class="muted">None any more.</p>`}
      <ul class="choices">
        ${rows.map(
          (row) => html`<li key=${row.id}>
            <button type="button" aria-pressed=${row === exception} onClick=${() => setChosen(row.id)}>
              <span class="line"><${Severity} of=${row.severity} /> <strong>${row.subject}</strong> <${State} of=${row.state} />
                <span class="right">${row.amount && row.currency ? moneyText({ amount: row.amount, currency: row.currency }) : '—'}</span></span>
              <span class="sub">${row.rule}${row.ruleName ? ` ${row.ruleName}` : ''} · due ${timeText(row.dueAt)} · ${row.why}</span>
            </button>
          </li>`,
        )}
      </ul>
      ${incident.exceptions.pageInfo.hasNextPage && html`<p class="muted">The 50 newest are shown.</p>`}
    </section>
    ${exception && html`<${CaseOf} key=${exception.id} exception=${exception} />`}
    <section aria-labelledby="changes">
      <h2 id="changes">What became of it</h2>
      <ol class="changes">
        ${incident.changes.map(
          (
            change,
          ) => html`<li key=${change.seq}><${Time} at=${change.at} /> <strong>${words(change.change)}</strong>
            ${change.actor && html` by ${change.actor}`}${change.comment && html` <q>${change.comment}</q>`}</li>`,
        )}
      </ol>
      ${incident.changes.length === 0 && html`<p class="muted">Nothing is recorded yet.</p>`}
    </section>`;
}

function Acknowledge({ incident, done }: { incident: Incident; done: () => void }): View {
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState('');
  const act = async (): Promise<void> => {
    setBusy(true);
    setFailure('');
    try {
      await query(ACKNOWLEDGE, { id: incident.id });
      done();
    } catch (error) {
      if (isSignedOut(error)) globalThis.dispatchEvent(new Event('signed-out'));
      setFailure((error as Error).message);
    }
    setBusy(false);
  };
  return html`<div class="act" aria-live="polite">
    ${
      incident.state === 'open'
        ? html`<button type="button" class="primary" disabled=${busy} onClick=${act}>${busy ? 'Acknowledging …' : 'Acknowledge'}</button>`
        : html`<span class="muted">${
            incident.acknowledgedBy ? `Acknowledged by ${incident.acknowledgedBy}` : words(incident.state)
          }${incident.acknowledgedAt ? ` ${timeText(incident.acknowledgedAt)}` : ''}</span>`
    }
    ${failure && html`<p class="bad" role="alert">${failure}</p>`}
  </div>`;
}

const AssessmentCard = ({ assessment: a }: { assessment: Assessment }): View => html`
  <section class="card" aria-labelledby="assessment">
    <h2 id="assessment">Assessment</h2>
    <p class="muted">Written by ${a.author === 'model' ? `the model ${a.model ?? ''}, checked by code` : 'the rules'} · ${words(a.category)} ·
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
      a.proposedActions.length > 0 &&
      html`<h3>Proposed, not done</h3><ul class="claims">${a.proposedActions.map(
        (action) =>
          html`<li><strong>${action.title}</strong> <span class="muted">${action.reason} · ${words(action.tier)}</span></li>`,
      )}</ul>`
    }
    ${
      a.evidence.length > 0 &&
      html`<details><summary>Evidence (${a.evidence.length})</summary><ol class="evidence">${a.evidence.map(
        (item) => html`<li><span class="mark">E${item.number}</span> <strong>${item.kind}</strong>
        ${item.at && html` <${Time} at=${item.at} />`}
        <span class="muted">${item.facts.map(({ key, value }) => `${key} ${value}`).join(' · ')}</span></li>`,
      )}</ol></details>`
    }
  </section>`;

function CaseOf({ exception }: { exception: ExceptionRow }): View {
  const { company, source, subject } = exception;
  const [loaded, reload] = useQuery<{ caseOf: CaseData | null }>(CASE, { company, source, subject });
  return html`<section aria-labelledby="timeline">
    <h2 id="timeline">Timeline of ${subject}</h2>
    <${Content} of=${loaded} retry=${reload}>
      ${({ caseOf }: { caseOf: CaseData | null }) =>
        caseOf
          ? html`<${CaseTimeline} found=${caseOf} />`
          : html`<p class="muted">No event of this document is stored.</p>`}
    <//>
  </section>`;
}
