import type { Odoo } from '../../odoo/client.ts';
import { dateOfOdoo } from '../../odoo/clock.ts';
import type { Postgres } from '../../store/postgres/database.ts';
import { hintedAt } from '../../store/postgres/odoo-hints.ts';
import { isHooked } from './hooks.ts';
import type { RecordKind } from './kind.ts';
import type { Observed } from './observer.ts';

/** After so long a webhook that belongs to a change that a poll found is missed; one that came so much later was late. */
const GRACE_MS = 60_000;

interface Expected {
  readonly model: string;
  readonly id: number;
  /** When it was written, and when a poll found it, by our clock. */
  readonly at: number;
  readonly foundAt: number;
}

/** Changes that a poll found and of which a webhook should have told, by the rules that were made in Odoo. */
export class ExpectedHooks {
  #expected: Expected[] = [];

  /** Notes the changes of a round that one of the rules tells of; those from before `since` are history. */
  note(
    odoo: Pick<Odoo, 'version' | 'clock'>,
    kind: RecordKind,
    { changed }: Observed,
    { since, now }: { readonly since: Date; readonly now: Date },
  ): void {
    for (const { record, before } of changed) {
      const { values } = record;
      const at = dateOfOdoo(String(values.write_date)).getTime() - odoo.clock.offsetMs;
      if (at < since.getTime() || !isHooked(kind.model, odoo.version.major, before?.snapshot, values))
        continue;
      this.#expected.push({ model: kind.model, id: record.id, at, foundAt: now.getTime() });
    }
  }

  /** How many of those that had time enough were told by no webhook, or by a late one; each is judged once. */
  async judge(
    postgres: Postgres,
    source: string,
    now: Date,
  ): Promise<{ readonly missed: number; readonly late: number }> {
    const isDue = ({ foundAt }: Expected): boolean => now.getTime() - foundAt >= GRACE_MS;
    const due = this.#expected.filter(isDue);
    this.#expected = this.#expected.filter((one) => !isDue(one));
    let [missed, late] = [0, 0];
    for (const [model, own] of Map.groupBy(due, (one) => one.model)) {
      const hinted = await hintedAt(postgres, source, model, [...new Set(own.map(({ id }) => id))]);
      for (const { id, at } of own) {
        const told = hinted.get(id)?.getTime();
        if (told === undefined || told < at - GRACE_MS) missed++;
        else if (told > at + GRACE_MS) late++;
      }
    }
    return { missed, late };
  }
}
