import type { ActionKind } from '../../model/action.ts';
import type { EventRef } from '../../model/event.ts';
import type { Flow } from '../../model/flow.ts';
import type { ExceptionRow } from '../../store/postgres/exceptions.ts';
import { eventRefsOf } from '../../store/postgres/exceptions.ts';
import type { ProposalFacts } from '../../store/postgres/proposal-facts.ts';

/** What is known of an incident when its actions are proposed. */
export interface ActionFacts extends Pick<ProposalFacts, 'exceptions' | 'events'> {
  readonly title: string;
  readonly nextStep: string;
  readonly flows: readonly Flow[];
  /** A date, `2026-11-30`: when an activity is due. */
  readonly deadline: string;
  /** Is there somewhere to open a ticket? */
  readonly hasTickets: boolean;
}

const EVENTS = 1_000;
/** Of documents that are acted on one by one, so many are proposed. */
const DOCUMENTS = 5;

/** A record of Odoo that an exception is about: sources of Odoo name documents `account.move/42`. */
function documentOf({ source, subject }: Pick<ExceptionRow, 'source' | 'subject'>) {
  const [, model, id] = /^([a-z][a-z0-9_]*(?:\.[a-z0-9_]+)+)\/([1-9]\d{0,15})$/.exec(subject) ?? [];
  return source.startsWith('/odoo/') && model && id ? { source, model, id: Number(id) } : undefined;
}

const documentsIn = ({ exceptions }: Pick<ActionFacts, 'exceptions'>) => {
  const found = new Map(
    exceptions.flatMap((one) => {
      const document = documentOf(one);
      return document ? [[`${document.source} ${document.model} ${document.id}`, document] as const] : [];
    }),
  );
  return [...found.values()];
};

const eventsIn = ({ exceptions }: Pick<ActionFacts, 'exceptions'>): EventRef[] => {
  const refs = new Map(exceptions.flatMap(eventRefsOf).map((ref) => [`${ref.source}\n${ref.id}`, ref]));
  return [...refs.values()].slice(0, EVENTS);
};

/** The person in Odoo who worked on a document last, by its events. */
function personOf(
  { events }: ActionFacts,
  document: { source: string; model: string; id: number },
): number | undefined {
  const last = events.findLast(
    ({ source, subject, actorKind, actorId }) =>
      source === document.source &&
      subject === `${document.model}/${document.id}` &&
      actorKind === 'human' &&
      /^[1-9]\d{0,15}$/.test(actorId ?? ''),
  );
  return last?.actorId === undefined ? undefined : Number(last.actorId);
}

/**
 * What an action of the catalogue would be told for the incident, once for each document where it acts on one. None where the facts
 * do not say on what: then it stays words in the assessment.
 */
export function parametersFor(kind: ActionKind, facts: ActionFacts): readonly unknown[] {
  const documents = documentsIn(facts).slice(0, DOCUMENTS);
  switch (kind) {
    case 'requeue-job':
      return documents
        .filter(({ model }) => model === 'queue.job')
        .map(({ source, id }) => ({ source, job: id }));
    case 'rerun-posting':
      return documents
        .filter(({ model }) => model === 'account.move')
        .map(({ source, id }) => ({ source, id }));
    case 'nudge-approver':
      return documents;
    case 'create-odoo-activity':
      return documents.flatMap((document) => {
        const user = personOf(facts, document);
        const { title, nextStep: note, deadline } = facts;
        return user === undefined
          ? []
          : [{ ...document, user, summary: title.slice(0, 100), note, deadline }];
      });
    case 'reprocess-events': {
      const events = eventsIn(facts);
      return events.length > 0 ? [{ events }] : [];
    }
    case 'redrive-events': {
      const flow = facts.flows.find(({ flow: id }) => facts.exceptions.some((one) => one.flow === id));
      const events = eventsIn(facts);
      return flow?.redriveUrl && events.length > 0 ? [{ flow: flow.flow, events }] : [];
    }
    case 'mark-for-accrual': {
      const exceptions = facts.exceptions.filter(({ amount }) => amount !== null).map(({ id }) => id);
      return exceptions.length > 0 ? [{ exceptions }] : [];
    }
    case 'open-ticket':
      return facts.hasTickets ? [{ title: facts.title.slice(0, 200), text: facts.nextStep }] : [];
    case 'waive':
    case 'investigate':
      return [];
  }
}
