import type { Company } from '../model/company.ts';
import type { EventData } from '../model/event.ts';
import type { Key } from '../model/key.ts';
import { localMonth } from './calendar.ts';

/** The systems that send finance events; each has its own ingest token. */
export const SOURCES = {
  ocr: '/ocr/prod',
  odoo: '/odoo/prod',
  approvals: '/approvals/prod',
  bank: '/bank/prod',
  billing: '/billing/prod',
  procurement: '/procurement/prod',
  warehouse: '/warehouse/prod',
  shop: '/shop/prod',
  psp: '/psp/prod',
  payroll: '/payroll/prod',
  tax: '/tax/prod',
  reporting: '/reporting/prod',
  middleware: '/middleware/prod',
  compliance: '/compliance/prod',
} as const;
export type System = keyof typeof SOURCES;

/** A CloudEvent 1.0 as it goes over the wire, structured mode. */
export interface CloudEvent {
  readonly specversion: '1.0';
  readonly id: string;
  readonly source: string;
  readonly type: string;
  readonly subject: string;
  readonly time: string;
  readonly datacontenttype: 'application/json';
  readonly companyid: string;
  readonly traceparent?: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** One business fact of the landscape, before it is written down as a CloudEvent. */
export interface Fact {
  readonly system: System;
  /** Short type, `bill.posted`. */
  readonly type: string;
  readonly subject: string;
  /** Epoch milliseconds. */
  readonly at: number;
  readonly keys: readonly Key[];
  readonly model?: string;
  readonly docNumber?: string;
  readonly amount?: string;
  readonly currency?: string;
  readonly party?: string;
  readonly actor?: { readonly id: string; readonly kind: 'human' | 'service' };
  readonly trace?: { readonly traceId: string; readonly spanId: string };
  readonly attributes?: Readonly<Record<string, string>>;
  /** Accounting period, when it is not the month in which it happened. */
  readonly period?: string;
  readonly journal?: string;
  readonly data?: Pick<EventData, 'dates' | 'lines' | 'control' | 'approval'>;
}

const wireType = (type: string) => `closewatch.${type}.v1`;
const instant = (ms: number) => new Date(ms).toISOString();

/** The CloudEvent of a fact; `id` must be unique in its source. */
export function cloudEvent(id: string, company: Company, fact: Fact): CloudEvent {
  const data: EventData = {
    object: {
      kind: fact.type.slice(0, fact.type.indexOf('.')),
      ...(fact.model ? { nativeModel: fact.model } : {}),
      nativeId: fact.subject.slice(fact.subject.indexOf('/') + 1),
      ...(fact.docNumber ? { docNumber: fact.docNumber } : {}),
      state: fact.type.slice(fact.type.indexOf('.') + 1),
    },
    org: {
      companyKey: company.key,
      period: fact.period ?? localMonth(company, fact.at),
      ...(fact.journal ? { journalKey: fact.journal } : {}),
    },
    ...(fact.party ? { party: { partyKey: fact.party } } : {}),
    ...(fact.amount
      ? {
          money: {
            amount: fact.amount,
            currency: fact.currency ?? company.currency,
            ...(fact.currency === undefined || fact.currency === company.currency
              ? { companyAmount: fact.amount, companyCurrency: company.currency }
              : {}),
          },
        }
      : {}),
    ...(fact.actor ? { actor: { actorId: fact.actor.id, actorKind: fact.actor.kind } } : {}),
    keys: [...fact.keys],
    ...(fact.attributes ? { attributes: { ...fact.attributes } } : {}),
    ...fact.data,
  };
  return {
    specversion: '1.0',
    id,
    source: SOURCES[fact.system],
    type: wireType(fact.type),
    subject: fact.subject,
    time: instant(fact.at),
    datacontenttype: 'application/json',
    companyid: company.key,
    ...(fact.trace ? { traceparent: `00-${fact.trace.traceId}-${fact.trace.spanId}-01` } : {}),
    data,
  };
}

/** A heartbeat of every source for one company: it has sent all that happened up to `at` (epoch ms). */
export function heartbeats(company: Company, at: number): CloudEvent[] {
  return Object.entries(SOURCES).map(([system, source]) => ({
    specversion: '1.0',
    id: `heartbeat-${system}-${company.key}-${at}`,
    source,
    type: wireType('flow.heartbeat'),
    subject: `flow/${system}`,
    time: instant(at),
    datacontenttype: 'application/json',
    companyid: company.key,
    data: { completeUpTo: instant(at) },
  }));
}
