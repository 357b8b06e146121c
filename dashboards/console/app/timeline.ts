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
    kind: 'event' | 'span';
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
  }[];
}

export const CASE_FIELDS = `key truncated traceIds
  documents { id kind subject source docNumber state hop amount currency eventCount exceptions { id rule state severity incident { number } } }
  timeline { kind at
    event { id type source subject docNumber amount currency actorId }
    span { spanId traceId name service durationNs statusCode statusMessage } }`;

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
        }</span>
        ${document.exceptions.map(
          (
            exception,
          ) => html`<span class="tag"><${Severity} of=${exception.severity} /> ${exception.rule} <${State} of=${exception.state} />
            ${exception.incident && html`<a href=${`#/incidents/${exception.incident.number}`}>#${exception.incident.number}</a>`}</span>`,
        )}
      </li>`,
    )}
  </ul>
  ${found.truncated && html`<p class="notice">There is more than is shown: a limit was reached.</p>`}
  <ol class="timeline">
    ${found.timeline.map(({ at, event, span }) =>
      event
        ? html`<li key=${`${event.source} ${event.id}`} class="event"><time datetime=${at} title=${at}>${exactTimeText(at)}</time>
            <div><strong>${event.type}</strong> ${event.docNumber ?? event.subject}
              <span class="sub">${event.source}${event.actorId ? ` · ${event.actorId}` : ''}${
                event.amount && event.currency
                  ? ` · ${moneyText({ amount: event.amount, currency: event.currency })}`
                  : ''
              }</span></div></li>`
        : span &&
          html`<li key=${`${span.traceId} ${span.spanId}`} class=${`span ${span.statusCode === 'Error' ? 'failed' : ''}`}><time datetime=${at} title=${at}>${exactTimeText(at)}</time>
            <div><a href=${`#/trace/${span.traceId}`}>${span.service}</a> ${span.name}
              <span class="sub">${durationText(span.durationNs)}${span.statusCode === 'Error' ? ` · error${span.statusMessage ? `: ${span.statusMessage}` : ''}` : ''}</span></div></li>`,
    )}
  </ol>`;
