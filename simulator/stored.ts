import type { EventData, FinanceEvent } from '../model/event.ts';
import type { SourceStream } from '../model/watermark.ts';
import { type CloudEvent, SOURCES } from './events.ts';

/** The event as the collector stores it, received when it happened. */
export function storedEvent({ id, source, type, subject, time, companyid, data }: CloudEvent): FinanceEvent {
  const { object, keys, money, org, party, actor, attributes = {} } = data as EventData;
  return {
    id,
    source,
    type: type.slice('closewatch.'.length, -'.v1'.length),
    version: 1,
    time,
    receivedAt: time,
    batch: '1',
    sequence: '0',
    company: companyid,
    subject,
    ingestPath: 'push',
    docNumber: object.docNumber,
    state: object.state,
    period: org.period,
    partyKey: party?.partyKey,
    amount: money?.amount,
    currency: money?.currency,
    companyAmount: money?.companyAmount,
    companyCurrency: money?.companyCurrency,
    actorId: actor?.actorId,
    actorKind: actor?.actorKind,
    keys,
    attributes,
    data: JSON.stringify(data),
  };
}

const order = (a: FinanceEvent, b: FinanceEvent): number => {
  for (const field of ['company', 'source', 'subject', 'time', 'id'] as const)
    if (a[field] !== b[field]) return a[field] < b[field] ? -1 : 1;
  return 0;
};

/** The facts of a simulation as they are stored, in the order in which a store gives them out. */
export const storedEvents = (events: readonly CloudEvent[]): FinanceEvent[] =>
  events
    .filter(({ type }) => !type.endsWith('.heartbeat.v1'))
    .map(storedEvent)
    .sort(order);

/** What the collector knows of the sources after them: each has declared that it is complete up to the instant (epoch nanoseconds). */
export function streamsOf(
  events: readonly FinanceEvent[],
  companies: readonly string[],
  completeUpTo: bigint,
): SourceStream[] {
  const types = new Map<string, Set<string>>();
  for (const { source, company, type } of events) {
    const place = `${company}\n${source}`;
    types.set(place, (types.get(place) ?? new Set()).add(type));
  }
  return companies.flatMap((company) =>
    Object.values(SOURCES).map(
      (source): SourceStream => ({
        source,
        company,
        stream: '',
        kind: 'declared',
        completeUpTo,
        completeWithoutLimit: false,
        latenessNanos: 0n,
        silenceNanos: 0n,
        types: [...(types.get(`${company}\n${source}`) ?? [])],
      }),
    ),
  );
}
