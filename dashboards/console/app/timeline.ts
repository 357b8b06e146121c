import { durationText, exactTimeText, html, moneyText, Severity, State, type View } from './ui.ts';

export interface CaseData {
  key: string;
  truncated: boolean;
  traceIds: string[];
  documents: {
    id: string;
    kind: string;
    subject: string;
    source: string;
    docNumber: string | null;
    state: string | null;
    hop: number;
    inferred: boolean;
    amount: string | null;
    currency: string | null;
    eventCount: number;
    exceptions: {
      id: string;
      rule: string;
      state: string;
      severity: string;
      incident: { number: number } | null;
    }[];
  }[];
  timeline: {
    kind: 'event' | 'span' | 'log';
    at: string;
    event: {
      id: string;
      type: string;
      source: string;
      subject: string;
      docNumber: string | null;
      amount: string | null;
      currency: string | null;
      actorId: string | null;
    } | null;
    span: {
      spanId: string;
      traceId: string;
      name: string;
      service: string;
      durationNs: string;
      statusCode: string;
      statusMessage: string;
    } | null;
    log: {
      traceId: string;
      spanId: string | null;
      service: string;
      severityNumber: number;
      severityText: string;
      body: string;
    } | null;
  }[];
  edges: { from: string; to: string; type: string; key: string; inferred: boolean; score: number }[];
  groups: { key: string; documents: number }[];
  contradictions: {
    key: string;
    about: string;
    said: { source: string; subject: string; value: string }[];
  }[];
}

export const CASE_FIELDS = `key truncated traceIds
  documents { id kind subject source docNumber state hop inferred amount currency eventCount exceptions { id rule state severity incident { number } } }
  timeline { kind at
    event { id type source subject docNumber amount currency actorId }
    span { spanId traceId name service durationNs statusCode statusMessage }
    log { traceId spanId service severityNumber severityText body } }
  edges { from to type key inferred score } groups { key documents }
  contradictions { key about said { source subject value } }`;

type Line = CaseData['timeline'][number];

/** What each document does to another, in words: pays BILL/7. */
function Edges({ found, id }: { found: CaseData; id: string }): View {
  const nameOf = (other: string): string => {
    const document = found.documents.find((one) => one.id === other);
    return document ? `${document.kind} ${document.docNumber ?? document.subject}` : '';
  };
  const own = found.edges.filter((edge) => edge.from === id);
  return html`${own.map(
    (edge) =>
      html`<span class="tag edge" key=${edge.to} title=${edge.key}>${WORDS[edge.type] ?? edge.type} ${nameOf(edge.to)}${
        edge.inferred ? ` · inferred, ${Math.round(edge.score * 100)} %` : ''
      }</span>`,
  )}`;
}
const WORDS: Readonly<Record<string, string>> = {
  same: 'the same as',
  shares: 'shares a key with',
  traces: 'in one trace with',
};

/** From warnings on a log line is told apart. */
const SEVERE = 17;
const MAX_BODY = 400;

function EventLine({ at, event }: { at: string; event: NonNullable<Line['event']> }): View {
  return html`<li class="event"><time datetime=${at} title=${at}>${exactTimeText(at)}</time>
    <div><strong>${event.type}</strong> ${event.docNumber ?? event.subject}
      <span class="sub">${event.source}${event.actorId ? ` · ${event.actorId}` : ''}${
        event.amount && event.currency
          ? ` · ${moneyText({ amount: event.amount, currency: event.currency })}`
          : ''
      }</span></div></li>`;
}

function SpanLine({ at, span }: { at: string; span: NonNullable<Line['span']> }): View {
  const failed = span.statusCode === 'Error';
  return html`<li class=${`span ${failed ? 'failed' : ''}`}><time datetime=${at} title=${at}>${exactTimeText(at)}</time>
    <div><a href=${`#/trace/${span.traceId}`}>${span.service}</a> ${span.name}
      <span class="sub">${durationText(span.durationNs)}${failed ? ` · error${span.statusMessage ? `: ${span.statusMessage}` : ''}` : ''}</span></div></li>`;
}

function LogLine({ at, log }: { at: string; log: NonNullable<Line['log']> }): View {
  return html`<li class=${`log ${log.severityNumber >= SEVERE ? 'failed' : ''}`}><time datetime=${at} title=${at}>${exactTimeText(at)}</time>
    <div><a href=${`#/trace/${log.traceId}`}>${log.service}</a> <span class="kind">${log.severityText || 'log'}</span>
      ${log.body.length > MAX_BODY ? `${log.body.slice(0, MAX_BODY)}…` : log.body}</div></li>`;
}

const LineOf = ({ at, event, span, log }: Line): View | null =>
  event
    ? html`<${EventLine} key=${`${event.source} ${event.id}`} at=${at} event=${event} />`
    : span
      ? html`<${SpanLine} key=${`${span.traceId} ${span.spanId}`} at=${at} span=${span} />`
      : log && html`<${LogLine} at=${at} log=${log} />`;

/** The documents of a case, and one timeline of what happened to them. */
export const CaseTimeline = ({ found }: { found: CaseData }): View => html`
  <ul class="documents">
    ${found.documents.map(
      (document) => html`<li key=${document.id}>
        <span class="kind">${document.kind}</span> <strong>${document.docNumber ?? document.subject}</strong>
        <span class="sub">${document.subject} · ${document.source}${document.state ? ` · ${document.state}` : ''}${
          document.amount && document.currency
            ? ` · ${moneyText({ amount: document.amount, currency: document.currency })}`
            : ''
        }${document.inferred ? ' · may belong to it' : ''}</span>
        <${Edges} found=${found} id=${document.id} />
        ${document.exceptions.map(
          (
            exception,
          ) => html`<span class="tag"><${Severity} of=${exception.severity} /> ${exception.rule} <${State} of=${exception.state} />
            ${exception.incident && html`<a href=${`#/incidents/${exception.incident.number}`}>#${exception.incident.number}</a>`}</span>`,
        )}
      </li>`,
    )}
  </ul>
  ${
    found.contradictions.length > 0 &&
    html`<section aria-label="Contradictions"><h3>What sources say differently</h3><ul class="claims">${found.contradictions.map(
      ({ about, key, said }) =>
        html`<li key=${`${key} ${about}`}><strong>${about}</strong> ${said.map(
          ({ source, value }, i) => html`${i > 0 ? ', ' : ''}${value} <span class="sub">${source}</span>`,
        )}</li>`,
    )}</ul></section>`
  }
  ${
    found.groups.length > 0 &&
    html`<p class="muted">Part of: ${found.groups.map(
      ({ key, documents }) =>
        html`<a class="tag" key=${key} href=${`#/search?key=${encodeURIComponent(key)}`}>${key} · ${documents} documents</a> `,
    )}</p>`
  }
  ${found.truncated && html`<p class="notice">There is more than is shown: a limit was reached.</p>`}
  <ol class="timeline">${found.timeline.map((line) => html`<${LineOf} ...${line} />`)}</ol>`;
