import { useState } from 'preact/hooks';
import { isSignedOut, query } from './api.ts';
import { html, moneyText, State, Time, useAct, type View, words } from './ui.ts';

export interface Proposal {
  id: string;
  title: string;
  action: string;
  parameters: unknown;
  reason: string;
  origin: string;
  amount: string | null;
  tier: string;
  state: string;
  hash: string;
  editors: string[];
  makers: { account: string; kind: string; person: string | null }[];
  approvals: { by: string; hash: string; at: string; expiresAt: string; usedAt: string | null }[];
  expiresAt: string;
  attempts: number;
  outcome: string | null;
  error: string | null;
  before: unknown;
  after: unknown;
  rehearsal: { at: string; outcome: string; before?: unknown; after?: unknown; error?: string } | null;
  canBeUndone: boolean;
  whyNotAdopt: string | null;
  whyNotApprove: string | null;
}

export const PROPOSAL_FIELDS = `id title action parameters reason origin amount tier state hash editors makers { account kind person }
  approvals { by hash at expiresAt usedAt } expiresAt attempts outcome error before after rehearsal canBeUndone whyNotAdopt whyNotApprove`;

const mutation = (name: string): string =>
  `mutation ($id: ID!, $hash: String!) { ${name}(id: $id, hash: $hash) { id state } }`;
const ACTS = {
  adopt: { text: 'Stand for it', busy: 'Noting …', query: mutation('adoptProposal') },
  approve: { text: 'Approve exactly this', busy: 'Approving …', query: mutation('approveProposal') },
  reject: { text: 'Reject', busy: 'Rejecting …', query: mutation('rejectProposal') },
} as const;
type Act = keyof typeof ACTS;

const TIER: Readonly<Record<string, string>> = {
  none: 'one person',
  operator: 'one person',
  four_eyes: 'two people',
};

/** What a dry run found. */
const REHEARSED: Readonly<Record<string, string>> = {
  would: 'do this',
  already: 'do nothing: it is so already',
  waits: 'wait',
};

/** What an action is done to. */
function targetOf(parameters: unknown): string {
  const { model, id, job, events, exceptions, title, flow } = parameters as Record<string, unknown>;
  if (typeof id === 'number') return `${typeof model === 'string' ? model : 'account.move'}/${id}`;
  if (typeof job === 'number') return `job ${job}`;
  const count = (some: unknown, one: string): string =>
    Array.isArray(some) ? `${some.length} ${one}${some.length === 1 ? '' : 's'}` : '';
  const many = count(events, 'event') || count(exceptions, 'exception');
  return many
    ? `${many}${typeof flow === 'string' ? ` of ${flow}` : ''}`
    : typeof title === 'string'
      ? title
      : '';
}

/** Actions that are proposed, decided on, or were carried out, and the form with which a person proposes one. */
export function Proposals(props: {
  incident: string;
  open: readonly string[];
  proposals: readonly Proposal[];
  reload: () => void;
}): View {
  const { incident, open, proposals, reload } = props;
  return html`<section aria-labelledby="proposals">
    <h2 id="proposals">Actions</h2>
    <ul class="proposals">
      ${proposals.map((one) => html`<${One} key=${one.id} proposal=${one} reload=${reload} />`)}
    </ul>
    ${proposals.length === 0 && html`<p class="muted">None is proposed.</p>`}
    ${open.length > 0 && html`<${Propose} incident=${incident} open=${open} reload=${reload} />`}
  </section>`;
}

function One({ proposal: p, reload }: { proposal: Proposal; reload: () => void }): View {
  const [busy, setBusy] = useState<Act | undefined>(undefined);
  const [failure, setFailure] = useState('');
  const act = async (name: Act): Promise<void> => {
    if (busy) return;
    setBusy(name);
    setFailure('');
    try {
      await query(ACTS[name].query, { id: p.id, hash: p.hash });
      reload();
    } catch (error) {
      if (isSignedOut(error)) globalThis.dispatchEvent(new Event('signed-out'));
      setFailure((error as Error).message);
    }
    setBusy(undefined);
  };
  const needed =
    p.state === 'proposed'
      ? 'adopt'
      : p.state === 'adopted' && p.tier === 'four_eyes'
        ? 'approve'
        : undefined;
  const refusal = needed === 'adopt' ? p.whyNotAdopt : needed === 'approve' ? p.whyNotApprove : null;
  const button = (name: Act, kind: string): View =>
    html`<button type="button" class=${kind} aria-disabled=${busy !== undefined} aria-label=${`${ACTS[name].text}: ${p.title}`}
      onClick=${() => act(name)}>${busy === name ? ACTS[name].busy : ACTS[name].text}</button>`;
  return html`<li>
    <div class="what">
      <p><strong>${p.title}</strong> ${targetOf(p.parameters)} <${State} of=${p.state} /></p>
      <p class="muted">${p.reason}</p>
      <p class="facts"><span>takes ${TIER[p.tier] ?? words(p.tier)}</span>
        <span>proposed by ${p.origin === 'human' ? (p.editors[0] ?? 'a person') : p.origin === 'model' ? 'a model' : 'the rules'}</span>
        ${p.editors.length > 0 && html`<span>${p.editors.at(-1)} stands for it</span>`}
        ${p.approvals.map(({ by, at, hash }) => html`<span>${by} approved${hash === p.hash ? '' : ' another version'} <${Time} at=${at} /></span>`)}
        ${p.amount && html`<span>about ${moneyText({ amount: p.amount, currency: '' })}</span>`}
        ${needed && html`<span>until <${Time} at=${p.expiresAt} /></span>`}</p>
      ${p.outcome && html`<p class=${p.state === 'failed' ? 'bad' : 'muted'}>${words(p.outcome)}${p.error ? `: ${p.error}` : ''}${p.attempts > 1 ? ` · ${p.attempts} tries` : ''}</p>`}
      <details><summary>What exactly</summary>
        <dl class="pairs"><dt>Parameters</dt><dd><code>${JSON.stringify(p.parameters)}</code></dd>
          <dt>Hash</dt><dd><code>${p.hash}</code></dd>
          ${p.makers.length > 0 && html`<dt>Made by</dt><dd>${p.makers.map(({ account, person, kind }) => `${person ?? account}${kind === 'service' ? ' (service)' : person ? '' : ' (nobody knows who)'}`).join(', ')}</dd>`}
          ${
            p.rehearsal &&
            p.outcome === null &&
            html`<dt>It would</dt><dd>${REHEARSED[p.rehearsal.outcome] ?? `fail: ${p.rehearsal.outcome}`}${p.rehearsal.error ? ` (${p.rehearsal.error})` : ''}
            ${p.rehearsal.after !== undefined && html` <code>${JSON.stringify(p.rehearsal.after)}</code>`} <span class="muted">tried <${Time} at=${p.rehearsal.at} /></span></dd>`
          }
          ${p.before !== null && html`<dt>Before</dt><dd><code>${JSON.stringify(p.before)}</code></dd>`}
          ${p.after !== null && html`<dt>After</dt><dd><code>${JSON.stringify(p.after)}</code></dd>`}</dl>
      </details>
    </div>
    <div class="decide" aria-live="polite">
      ${needed && !refusal && html`${button(needed, 'primary')} ${button('reject', '')}`}
      ${refusal && html`<p class="muted">You cannot ${needed === 'adopt' ? 'stand for it' : 'approve it'}: ${refusal}</p>`}
      ${p.canBeUndone && html`<${Undo} proposal=${p} reload=${reload} />`}
      ${failure && html`<p class="bad" role="alert">${failure}</p>`}
    </div>
  </li>`;
}

const UNDO = 'mutation ($id: ID!, $reason: String!) { undoProposal(id: $id, reason: $reason) { id } }';

/** Takes back what was done, with a reason. */
function Undo({ proposal, reload }: { proposal: Proposal; reload: () => void }): View {
  const [{ busy, failure }, act] = useAct();
  const send = async (event: Event): Promise<void> => {
    event.preventDefault();
    const reason = `${new FormData(event.target as HTMLFormElement).get('reason') ?? ''}`;
    if (await act(() => query(UNDO, { id: proposal.id, reason }))) reload();
  };
  return html`<details class="propose"><summary>Undo</summary>
    <form onSubmit=${send}>
      <label>Reason <input type="text" name="reason" required maxlength="1000" /></label>
      <button type="submit" aria-disabled=${busy} aria-label=${`Undo: ${proposal.title}`}>Undo it</button>
      ${failure && html`<p class="bad" role="alert">${failure}</p>`}
    </form>
  </details>`;
}

const PROPOSE = `mutation ($incident: ID!, $action: ActionKind!, $parameters: Json!, $reason: String!) {
  proposeAction(incident: $incident, action: $action, parameters: $parameters, reason: $reason) { id } }`;
const WISHES = {
  waive: 'Waive the open exceptions until a date',
  mark_for_accrual: 'Put the open exceptions on the accrual list',
  open_ticket: 'Open a ticket',
} as const;

/** What a person wants done: whoever proposes it stands for it. */
function Propose(props: { incident: string; open: readonly string[]; reload: () => void }): View {
  const { incident, open, reload } = props;
  const [{ busy, failure }, act] = useAct();
  const [action, setAction] = useState<keyof typeof WISHES>('waive');
  const send = async (event: Event): Promise<void> => {
    event.preventDefault();
    const form = event.target as HTMLFormElement;
    const given = new FormData(form);
    const [reason, until] = [`${given.get('reason') ?? ''}`, `${given.get('until') ?? ''}`];
    const parameters =
      action === 'waive'
        ? { exceptions: open, until }
        : action === 'mark_for_accrual'
          ? { exceptions: open }
          : { title: reason.slice(0, 200), text: reason };
    if (!(await act(() => query(PROPOSE, { incident, action, parameters, reason })))) return;
    form.reset();
    reload();
  };
  return html`<details class="propose"><summary>Propose an action</summary>
    <form onSubmit=${send}>
      <label>Action <select name="action" value=${action} onChange=${(event: Event) => setAction((event.target as HTMLSelectElement).value as keyof typeof WISHES)}>
        ${Object.entries(WISHES).map(([value, text]) => html`<option value=${value}>${text}</option>`)}</select></label>
      ${action === 'waive' && html`<label>Until <input type="date" name="until" required /></label>`}
      <label>Reason <input type="text" name="reason" required maxlength="1000" /></label>
      <button type="submit" aria-disabled=${busy}>${busy ? 'Proposing …' : 'Propose it'}</button>
      ${failure && html`<p class="bad" role="alert">${failure}</p>`}
    </form>
  </details>`;
}
