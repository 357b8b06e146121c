/** The clock of a server, as the `Date` of its answers tells it. */
export class ServerClock {
  #offsetMs = 0;

  /** Takes the `Date` of an answer that came just now; another text is no date, and is passed over. */
  note(date: string | undefined): void {
    const at = date === undefined ? Number.NaN : Date.parse(date);
    if (Number.isFinite(at)) this.#offsetMs = at - Date.now();
  }

  /** How far it is ahead of ours, milliseconds: never more than it is, as answers are cut to the second. */
  get offsetMs(): number {
    return this.#offsetMs;
  }

  /** What time it is there; never later than it is. */
  now(): Date {
    return new Date(Date.now() + this.#offsetMs);
  }

  /** The same as an event has it, to the second: `2026-11-22T10:57:00Z`. */
  instant(): string {
    return `${this.now().toISOString().slice(0, 19)}Z`;
  }
}

/** An instant as Odoo writes it, `2026-11-22 10:57:00`. */
export const odooTime = (at: Date): string => at.toISOString().slice(0, 19).replace('T', ' ');

/** What Odoo's text of an instant means; Invalid Date when it is none. */
export const dateOfOdoo = (text: string): Date => new Date(`${text.replace(' ', 'T')}Z`);
