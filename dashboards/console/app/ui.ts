import htm from 'htm';
import { type ComponentChildren, Fragment, h } from 'preact';
import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import { isSignedOut, query } from './api.ts';
import { answerTo, failed, type Held, type Loaded } from './loaded.ts';

export type View = ReturnType<typeof h>;
const bindable = htm as unknown as {
  bind(create: typeof h): (strings: TemplateStringsArray, ...values: unknown[]) => View;
};
export const html = bindable.bind(h);

export interface Money {
  amount: string;
  currency: string;
}

/** `12,450.50 EUR`: grouped exactly, digit by digit, for a float would bend it. */
export function moneyText({ amount, currency }: Money): string {
  const [, sign = '', whole = '0', fraction = ''] = /^([+-]?)(\d+)(?:\.(\d+))?$/.exec(amount) ?? [];
  const digits = fraction.replace(/0+$/, '').padEnd(2, '0');
  return `${sign === '-' ? '−' : ''}${whole.replace(/\B(?=(\d{3})+$)/g, ',')}.${digits} ${currency}`;
}
export const sumsText = (sums: readonly Money[]): string =>
  sums.length === 0 ? '—' : sums.map(moneyText).join(' · ');

/** `3 d`, `2 h`, `5 min`: how long ago. */
export function ageText(instant: string, now = Date.now()): string {
  const minutes = Math.max(0, Math.round((now - Date.parse(instant)) / 60_000));
  if (minutes < 1) return 'now';
  if (minutes < 60) return `${minutes} min`;
  if (minutes < 48 * 60) return `${Math.round(minutes / 60)} h`;
  return `${Math.round(minutes / 1_440)} d`;
}

/** `2026-05-31 17:00:05`, UTC: the same for everybody. */
export const timeText = (instant: string): string => instant.slice(0, 19).replace('T', ' ');
/** `2026-05-31 17:00:05.040`: with milliseconds, for what happens within one second. */
export const exactTimeText = (instant: string): string =>
  `${timeText(instant)}.${(/\.(\d{1,3})/.exec(instant)?.[1] ?? '').padEnd(3, '0')}`;

/** `1.23 s` of nanoseconds. */
export function durationText(nanos: string): string {
  const value = Number(nanos);
  if (value < 1e3) return `${value} ns`;
  if (value < 1e6) return `${+(value / 1e3).toFixed(1)} µs`;
  if (value < 1e9) return `${+(value / 1e6).toFixed(1)} ms`;
  return `${+(value / 1e9).toFixed(2)} s`;
}

/** Names the tab and the entry of the history. */
export function useTitle(title: string): void {
  useEffect(() => {
    document.title = `${title} · Closewatch`;
  }, [title]);
}

/** Does what a person asked for, one thing at a time, and keeps why it failed; true when it did not. */
export function useAct(): [
  { busy: boolean; failure: string },
  (work: () => Promise<unknown>) => Promise<boolean>,
] {
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState('');
  const act = async (work: () => Promise<unknown>): Promise<boolean> => {
    if (busy) return false;
    setBusy(true);
    setFailure('');
    try {
      await work();
      return true;
    } catch (error) {
      if (isSignedOut(error)) globalThis.dispatchEvent(new Event('signed-out'));
      setFailure((error as Error).message);
      return false;
    } finally {
      setBusy(false);
    }
  };
  return [{ busy, failure }, act];
}

export const words = (name: string): string => name.replaceAll(/[_-]/g, ' ');

/**
 * Asks, and asks again when the query changes, every `everyMs`, or on `reload`; meanwhile the old answer stays, as long
 * as it answers the same question. `after` is the cursor that the rows follow: it moves as the rows before it come and
 * go, and the question stays the same.
 */
export function useQuery<Data>(
  text: string | null,
  variables: object = {},
  everyMs = 0,
  after: string | null = null,
): [Loaded<Data>, () => void] {
  const values = JSON.stringify(variables);
  const question = `${text} ${values}`;
  const [held, setHeld] = useState<Held<Data>>({ question, loaded: { state: 'loading' } });
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    if (text === null) return;
    const abort = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const ask = async (): Promise<void> => {
      try {
        const data = await query<Data>(
          text,
          after === null ? JSON.parse(values) : { ...JSON.parse(values), after },
          abort.signal,
        );
        setHeld({ question, loaded: { state: 'ready', data, at: Date.now() } });
      } catch (error) {
        if (abort.signal.aborted) return;
        if (isSignedOut(error)) globalThis.dispatchEvent(new Event('signed-out'));
        setHeld((before) => failed(before, question, error as Error));
      }
      if (everyMs > 0 && !abort.signal.aborted) timer = setTimeout(ask, everyMs);
    };
    void ask();
    return () => {
      abort.abort();
      clearTimeout(timer);
    };
  }, [text, values, everyMs, after, turn]);
  return [answerTo(held, question), useCallback(() => setTurn((n) => n + 1), [])];
}

const Problem = (props: { title: string; error: Error; retry: () => void }): View =>
  html`<div class="notice bad" role="alert">
    <p><strong>${props.title}</strong> ${props.error.message}</p>
    <button type="button" onClick=${props.retry}>Try again</button>
  </div>`;

/** What stands in for content: loading, an error with a way to try again, or the content, old when it was not refreshed. */
export function Content<Data>(props: {
  of: Loaded<Data>;
  retry: () => void;
  children: (data: Data) => ComponentChildren;
}): View {
  const { of: loaded, retry, children } = props;
  if (loaded.data === undefined)
    return loaded.state === 'error'
      ? html`<${Problem} title="This could not be loaded." error=${loaded.error} retry=${retry} />`
      : html`<div class="skeleton" role="status" aria-label="Loading"><i></i><i></i><i></i><i></i></div>`;
  // The problem always has its place before the content, so that the content stays the same one when it comes and goes.
  return html`<${Fragment}>${
    loaded.state === 'error' &&
    html`<${Problem} title=${`This could not be refreshed; it is as of ${timeText(new Date(loaded.at ?? 0).toISOString()).slice(11)} UTC.`}
      error=${loaded.error} retry=${retry} />`
  }${children(loaded.data)}<//>`;
}

/** What a list shows of its rows, and where the next ones begin. */
export interface Connection<Node> {
  edges: { node: Node }[];
  pageInfo: { hasNextPage: boolean; endCursor: string | null };
}

interface MoreProps<Data, Node> {
  /** The page before. */
  of: Connection<Node>;
  query: string;
  variables: object;
  pick: (data: Data) => Connection<Node> | undefined;
  children: (rows: Node[]) => ComponentChildren;
}

/** The rows after the page, once somebody asks for them, and so on: they go on from where that page ends by now. */
export function More<Data, Node>(props: MoreProps<Data, Node>): View | null {
  const [asked, setAsked] = useState(false);
  const { hasNextPage, endCursor } = props.of.pageInfo;
  if (!asked && !hasNextPage) return null;
  return asked
    ? html`<${NextRows} ...${props} after=${endCursor} />`
    : html`<p class="pages"><button type="button" onClick=${() => setAsked(true)}>Show more</button></p>`;
}

function NextRows<Data, Node>(props: MoreProps<Data, Node> & { after: string | null }): View {
  const { query: text, variables, after, pick, children } = props;
  const [loaded, reload] = useQuery<Data>(text, variables, 15_000, after);
  const start = useRef<HTMLDivElement>(null);
  // The button that was pressed is gone: reading goes on where it stood.
  useEffect(() => start.current?.focus({ preventScroll: true }), []);
  return html`<div class="more" tabindex="-1" ref=${start}><${Content} of=${loaded} retry=${reload}>${(
    data: Data,
  ) => {
    const page = pick(data);
    return (
      page &&
      html`${children(page.edges.map(({ node }) => node))}<${More} of=${page} query=${text} variables=${variables} pick=${pick}>${children}<//>`
    );
  }}<//></div>`;
}

export const Empty = (props: { title: string; children?: ComponentChildren }): View =>
  html`<div class="empty"><p class="title">${props.title}</p><p>${props.children}</p></div>`;

export const Severity = (props: { of: string }): View =>
  html`<span class=${`severity ${props.of}`}><i aria-hidden="true"></i>${props.of}</span>`;

export const State = (props: { of: string }): View =>
  html`<span class=${`state ${props.of}`}>${words(props.of)}</span>`;

export const Time = (props: { at: string }): View =>
  html`<time datetime=${props.at} title=${`${props.at} (UTC)`}>${timeText(props.at)}</time>`;

/** Money that is still open, and in small print all of it when that is more. */
export const Stake = ({ open, all }: { open: readonly Money[]; all: readonly Money[] }): View =>
  html`${sumsText(open)}${sumsText(open) !== sumsText(all) && html` <small>of ${sumsText(all)}</small>`}`;

export const Age = (props: { at: string }): View =>
  html`<time datetime=${props.at} title=${`${props.at} (UTC)`}>${ageText(props.at)}</time>`;
