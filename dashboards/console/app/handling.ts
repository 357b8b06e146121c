import { useState } from 'preact/hooks';
import { query } from './api.ts';
import { html, Time, useAct, type View } from './ui.ts';

/** What is handled: the incident, and of its exceptions those that are shown. */
export interface Handled {
  readonly id: string;
  readonly company: string;
  readonly state: string;
  readonly alike: readonly { readonly number: number; readonly title: string }[];
  readonly exceptions: readonly { readonly id: string; readonly rule: string; readonly subject: string }[];
}

export interface Silence {
  id: string;
  company: string;
  rule: string | null;
  source: string | null;
  until: string;
  reason: string;
  by: string;
}
export const SILENCE_FIELDS = 'id company rule source until reason by';

const RESOLVE = 'mutation ($id: ID!, $reason: String!) { resolveIncident(id: $id, reason: $reason) { id } }';
const REOPEN = 'mutation ($id: ID!, $reason: String!) { reopenIncident(id: $id, reason: $reason) { id } }';
const MOVE = `mutation ($id: ID!, $exceptions: [ID!], $target: ID, $reason: String!) {
  moveExceptions(id: $id, exceptions: $exceptions, target: $target, reason: $reason) { id } }`;
const SILENCE = `mutation ($company: String!, $rule: String, $until: Instant!, $reason: String!) {
  silence(company: $company, rule: $rule, until: $until, reason: $reason) { id } }`;
const END_SILENCE = 'mutation ($id: ID!) { endSilence(id: $id) { id } }';
const BY_NUMBER = 'query ($number: Int!) { incident(number: $number) { id } }';

const WISHES = {
  resolve: 'Resolve the incident',
  reopen: 'Open it again',
  split: 'Move exceptions into an incident of their own',
  merge: 'Move all exceptions to another incident',
  silence: 'Send no messages about a rule until a day',
} as const;
type Wish = keyof typeof WISHES;

const wishesOf = (state: string): Wish[] =>
  state === 'resolved' ? ['reopen'] : ['resolve', 'split', 'merge', 'silence'];

async function idOf(number: number): Promise<string> {
  const { incident } = await query<{ incident: { id: string } | null }>(BY_NUMBER, { number });
  if (!incident) throw new Error(`There is no incident #${number}, or you may not read it.`);
  return incident.id;
}

async function send(wish: Wish, { id, company }: Handled, given: FormData): Promise<void> {
  const reason = `${given.get('reason') ?? ''}`;
  switch (wish) {
    case 'resolve':
    case 'reopen':
      await query(wish === 'resolve' ? RESOLVE : REOPEN, { id, reason });
      return;
    case 'split': {
      const exceptions = given.getAll('exception').map(String);
      if (exceptions.length === 0) throw new Error('Choose at least one exception.');
      await query(MOVE, { id, exceptions, reason });
      return;
    }
    case 'merge':
      await query(MOVE, { id, target: await idOf(Number(given.get('target'))), reason });
      return;
    case 'silence':
      await query(SILENCE, {
        company,
        rule: `${given.get('rule') ?? ''}`,
        until: `${given.get('until') ?? ''}T00:00:00Z`,
        reason,
      });
  }
}

/** What a person does with an incident beside acknowledging it, each with a reason. */
export function Handling(props: {
  incident: Handled;
  silences: readonly Silence[];
  reload: () => void;
}): View {
  const { incident, silences, reload } = props;
  const wishes = wishesOf(incident.state);
  const [chosen, setChosen] = useState<Wish>('resolve');
  const wish = wishes.includes(chosen) ? chosen : (wishes[0] as Wish);
  const [{ busy, failure }, attempt] = useAct();
  const [told, setTold] = useState('');
  const act = async (work: () => Promise<unknown>, done: string): Promise<void> => {
    setTold('');
    if (!(await attempt(work))) return;
    setTold(done);
    reload();
  };
  const submit = (event: Event): void => {
    event.preventDefault();
    const form = event.target as HTMLFormElement;
    const given = new FormData(form);
    void act(async () => {
      await send(wish, incident, given);
      form.reset();
    }, DONE[wish]);
  };
  const own = silences.filter(({ company }) => company === incident.company);
  return html`<section aria-labelledby="handling">
    <h2 id="handling">Handling</h2>
    ${own.map(
      (
        one,
      ) => html`<p key=${one.id} class="facts"><span>No messages about ${one.rule ?? one.source ?? one.company} until <${Time} at=${one.until} />: ${one.reason} (${one.by})</span>
        <button type="button" aria-disabled=${busy} onClick=${() => act(() => query(END_SILENCE, { id: one.id }), 'Messages are sent again.')}>End the silence</button></p>`,
    )}
    <details class="propose"><summary>Resolve, move or silence</summary>
      <form onSubmit=${submit}>
        <label>What to do <select name="wish" value=${wish} onChange=${(event: Event) => setChosen((event.target as HTMLSelectElement).value as Wish)}>
          ${wishes.map((name) => html`<option value=${name}>${WISHES[name]}</option>`)}</select></label>
        <${Details} wish=${wish} incident=${incident} />
        <label>Reason <input type="text" name="reason" required maxlength="1000" /></label>
        <button type="submit" aria-disabled=${busy}>${busy ? 'Doing it …' : 'Do it'}</button>
      </form>
    </details>
    <p class=${failure ? 'bad' : 'muted'} role="status">${failure || told}</p>
  </section>`;
}

const DONE: Readonly<Record<Wish, string>> = {
  resolve: 'It is resolved.',
  reopen: 'It is open again.',
  split: 'They move within a minute.',
  merge: 'They move within a minute.',
  silence: 'Nobody is told until then. The incident stays as it is.',
};

function Details({ wish, incident }: { wish: Wish; incident: Handled }): View | null {
  if (wish === 'split')
    return html`<fieldset class="picks"><legend>Exceptions</legend>
      ${incident.exceptions.map(
        ({ id, rule, subject }) =>
          html`<label key=${id}><input type="checkbox" name="exception" value=${id} /> ${subject} <small>${rule}</small></label>`,
      )}</fieldset>`;
  if (wish === 'merge')
    return html`<label>Number of the other <input type="number" name="target" min="1" required list="alike" />
      <datalist id="alike">${incident.alike.map(({ number, title }) => html`<option value=${number}>${title}</option>`)}</datalist></label>`;
  if (wish === 'silence')
    return html`<label>Rule <select name="rule">${[
      ...new Set(incident.exceptions.map(({ rule }) => rule)),
    ].map((rule) => html`<option value=${rule}>${rule}</option>`)}</select></label>
      <label>Until <input type="date" name="until" required /></label>`;
  return null;
}
