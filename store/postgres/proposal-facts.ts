import { sql } from 'kysely';
import type { Company } from '../../model/company.ts';
import { type EventRef, eventRefKey, type FinanceEvent } from '../../model/event.ts';
import { absoluteAmount, sumAmounts } from '../../model/money.ts';
import type { Maker } from '../../model/proposal.ts';
import type { Postgres } from './database.ts';
import { type ExceptionRow, eventRefsOf } from './exceptions.ts';

/** What an action is about: its exceptions and their events, how much that is, and who made the documents. */
export interface ProposalFacts {
  readonly exceptions: readonly ExceptionRow[];
  readonly events: readonly FinanceEvent[];
  /** Absolute, in company currency; undefined when one of the amounts is not known in it. */
  readonly amount: string | undefined;
  readonly makers: readonly Maker[];
}

interface EventReader {
  byRefs(refs: readonly EventRef[]): Promise<readonly FinanceEvent[]>;
}

const MOST = 1_000;

/** The provider under which an account of a source is linked to a person. */
export const SOURCE_ACCOUNT = 'source';
export const accountOf = (source: string, actorId: string): string => `${source} ${actorId}`;

/** The facts of an incident's open exceptions, or of some of them. */
export async function factsForProposal(
  { db }: Pick<Postgres, 'db'>,
  reader: EventReader | undefined,
  incident: { readonly id: string; readonly company: string },
  { currency }: Pick<Company, 'currency'>,
  only?: readonly string[],
): Promise<ProposalFacts> {
  let query = db.selectFrom('exceptions').selectAll().where('incident', '=', incident.id);
  query = only
    ? query.where(sql<boolean>`id = ANY(${only}::text[])`)
    : query.where('state', 'in', ['open', 'indeterminate']);
  const exceptions = await query.orderBy('id').limit(MOST).execute();
  const refs = new Map(exceptions.flatMap(eventRefsOf).map((ref) => [eventRefKey(ref), ref]));
  const events = refs.size > 0 && reader ? await reader.byRefs([...refs.values()]) : [];
  const own = events.filter(({ company }) => company === incident.company);
  return { exceptions, events: own, amount: amountOf(exceptions, currency), makers: await makersOf(db, own) };
}

function amountOf(exceptions: readonly ExceptionRow[], currency: string): string | undefined {
  if (exceptions.length === 0) return undefined;
  const amounts: string[] = [];
  for (const { amount, currency: its } of exceptions) {
    if (amount === null || its !== currency) return undefined;
    amounts.push(absoluteAmount(amount));
  }
  return sumAmounts(amounts);
}

/** Who made the documents, each account once, and whose it is. */
async function makersOf(db: Postgres['db'], events: readonly FinanceEvent[]): Promise<Maker[]> {
  const accounts = new Map<string, Maker['kind']>();
  for (const { source, actorId, actorKind } of events)
    if (actorId) accounts.set(accountOf(source, actorId), actorKind === 'human' ? 'human' : 'service');
  const people = [...accounts].filter(([, kind]) => kind === 'human').map(([account]) => account);
  const links = people.length
    ? await db
        .selectFrom('identities')
        .select(['external_id', 'principal'])
        .where('provider', '=', SOURCE_ACCOUNT)
        .where('verified', '=', true)
        .where('external_id', 'in', people)
        .execute()
    : [];
  const known = new Map(links.map(({ external_id, principal }) => [external_id, principal]));
  return [...accounts].sort().map(([account, kind]) => {
    const principal = known.get(account);
    return { kind, account, ...(kind === 'human' && principal ? { principal } : {}) };
  });
}
