import htm from 'htm';
import { type ComponentChildren, h } from 'preact';
import { useCallback, useEffect, useState } from 'preact/hooks';
import { isSignedOut, query } from './api.ts';

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

/** `1.23 s` of nanoseconds. */
export function durationText(nanos: string): string {
  const value = Number(nanos);
  if (value < 1e3) return `${value} ns`;
  if (value < 1e6) return `${+(value / 1e3).toFixed(1)} µs`;
  if (value < 1e9) return `${+(value / 1e6).toFixed(1)} ms`;
  return `${+(value / 1e9).toFixed(2)} s`;
}

export const words = (name: string): string => name.replaceAll(/[_-]/g, ' ');

export type Loaded<Data> =
  | { state: 'loading'; data?: Data }
  | { state: 'error'; error: Error; data?: Data }
  | { state: 'ready'; data: Data };

/** Asks, and asks again when the query changes, every `everyMs`, or on `reload`; the old answer stays meanwhile. */
export function useQuery<Data>(
  text: string | null,
  variables: object = {},
  everyMs = 0,
): [Loaded<Data>, () => void] {
  const [loaded, setLoaded] = useState<Loaded<Data>>({ state: 'loading' });
  const [turn, setTurn] = useState(0);
  const key = JSON.stringify(variables);
  useEffect(() => {
    if (text === null) return;
    const abort = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const ask = async (): Promise<void> => {
      try {
        setLoaded({ state: 'ready', data: await query<Data>(text, JSON.parse(key), abort.signal) });
      } catch (error) {
        if (abort.signal.aborted) return;
        if (isSignedOut(error)) globalThis.dispatchEvent(new Event('signed-out'));
        setLoaded({ state: 'error', error: error as Error });
      }
      if (everyMs > 0 && !abort.signal.aborted) timer = setTimeout(ask, everyMs);
    };
    void ask();
    return () => {
      abort.abort();
      clearTimeout(timer);
    };
  }, [text, key, everyMs, turn]);
  return [loaded, useCallback(() => setTurn((n) => n + 1), [])];
}

/** What stands in for content: loading, an error with a way to try again, or the content. */
export function Content<Data>(props: {
  of: Loaded<Data>;
  retry: () => void;
  children: (data: Data) => ComponentChildren;
}): View {
  const { of: loaded, retry, children } = props;
  if (loaded.state === 'error')
    return html`<div class="notice bad" role="alert">
      <p><strong>This could not be loaded.</strong> ${loaded.error.message}</p>
      <button type="button" onClick=${retry}>Try again</button>
    </div>`;
  if (loaded.data === undefined)
    return html`<div class="skeleton" role="status" aria-label="Loading"><i></i><i></i><i></i><i></i></div>`;
  return html`${children(loaded.data)}`;
}

export const Empty = (props: { title: string; children?: ComponentChildren }): View =>
  html`<div class="empty"><p class="title">${props.title}</p><p>${props.children}</p></div>`;

export const Severity = (props: { of: string }): View =>
  html`<span class=${`severity ${props.of}`}><i aria-hidden="true"></i>${props.of}</span>`;

export const State = (props: { of: string }): View =>
  html`<span class=${`state ${props.of}`}>${words(props.of)}</span>`;

export const Time = (props: { at: string }): View =>
  html`<time datetime=${props.at} title=${`${props.at} (UTC)`}>${timeText(props.at)}</time>`;

export const Age = (props: { at: string }): View =>
  html`<time datetime=${props.at} title=${`${props.at} (UTC)`}>${ageText(props.at)}</time>`;
