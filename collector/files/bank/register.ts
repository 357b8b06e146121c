import { joinKey } from '../../../model/key.ts';
import type { FinanceEventStore } from '../../../store/clickhouse/finance-events.ts';
import type { Postgres } from '../../../store/postgres/database.ts';
import { keepParties } from '../../../store/postgres/parties.ts';
import { openBankStandIns } from '../../account-stand-ins.ts';
import type { BankOptions, PartyFacts, StatementFacts } from '../format.ts';

/** What the files of an account share with each other: stand-ins, stored statements, the register of parties. */
export interface BankRegister {
  readonly options: BankOptions;
  /** Keeps the parties that were met. */
  keep(): Promise<void>;
}

/** Parties that wait to be written, at most. */
const MAX_WAITING = 50_000;

/** Opens the register; the key of its stand-ins is made at the first call and lies in PostgreSQL. */
export async function openBankRegister(
  deps: { readonly postgres: Postgres; readonly events: FinanceEventStore; readonly now?: () => Date },
  told: {
    readonly company: string;
    readonly journal: string | undefined;
    readonly timezone: string;
    readonly source: string;
  },
): Promise<BankRegister> {
  const { postgres, events, now = () => new Date() } = deps;
  const { company, journal, timezone, source } = told;
  const pseudonym = await openBankStandIns(postgres, now());
  const parties = new Map<string, PartyFacts>();

  async function storedStatements(accountKey: string): Promise<StatementFacts[]> {
    const key = joinKey({ type: 'account', value: accountKey }, { company, source });
    const stored = await events.byJoinKeys([key], { types: ['bankstatement.imported'] });
    return stored.flatMap(({ id, currency = '', source: from, attributes }) => {
      const { number = '', opening, closing, closingDate } = attributes;
      if (from !== source || opening === undefined || closing === undefined || closingDate === undefined)
        return [];
      return [{ id, number, currency, opening, closing, closingDate }];
    });
  }

  return {
    options: {
      company,
      journal,
      timezone,
      pseudonym,
      storedStatements,
      party: (party) => {
        if (parties.size < MAX_WAITING) parties.set(party.partyKey, party);
      },
    },
    keep: () => keepParties(postgres, { company, source, parties: [...parties.values()], at: now() }),
  };
}
