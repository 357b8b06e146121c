import { render } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { signIn, signOut } from './api.ts';
import { Exceptions } from './exceptions.ts';
import { IncidentPage } from './incident.ts';
import { Incidents } from './incidents.ts';
import { Outbox } from './outbox.ts';
import { ReadinessPage } from './readiness.ts';
import { placeOf, type Route, routeOf } from './route.ts';
import { Search } from './search.ts';
import { Sources } from './sources.ts';
import { TracePage } from './trace.ts';
import { html, useQuery, useTitle, type View } from './ui.ts';

const PAGES = [
  ['incidents', 'Incidents'],
  ['readiness', 'Close readiness'],
  ['sources', 'Sources'],
  ['outbox', 'Outbox'],
  ['search', 'Find'],
] as const;
/** Pages that are reached from another one. */
const UNDER: Record<string, string> = { exceptions: 'readiness', trace: 'search' };

function Page({ route }: { route: Route }): View {
  const { page, id, params } = route;
  if (page === 'incidents' && id) return html`<${IncidentPage} key=${id} asked=${id} />`;
  if (page === 'readiness')
    return html`<${ReadinessPage} asked=${{ company: params.get('company') ?? '', period: params.get('period') ?? '' }} />`;
  if (page === 'exceptions') return html`<${Exceptions} key=${params.toString()} params=${params} />`;
  if (page === 'sources') return html`<${Sources} />`;
  if (page === 'outbox') return html`<${Outbox} />`;
  if (page === 'trace') return html`<${TracePage} key=${id} id=${id} />`;
  if (page === 'search')
    return html`<${Search} key=${params.get('key') ?? ''} asked=${params.get('key') ?? ''} />`;
  return html`<${Incidents} params=${params} />`;
}

type Theme = 'light' | 'dark';
const storedTheme = (): Theme | null => {
  const stored = localStorage.getItem('theme');
  return stored === 'light' || stored === 'dark' ? stored : null;
};
const systemTheme = (): Theme => (matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light');

function ThemeButton(): View {
  const [theme, setTheme] = useState<Theme>(storedTheme() ?? systemTheme());
  const other = theme === 'dark' ? 'light' : 'dark';
  const turn = (): void => {
    localStorage.setItem('theme', other);
    document.documentElement.dataset.theme = other;
    setTheme(other);
  };
  return html`<button type="button" class="quiet" onClick=${turn} aria-label=${`Use the ${other} theme`} title=${`Use the ${other} theme`}>
    <svg viewBox="0 0 16 16" width="16" height="16" aria-hidden="true"><circle cx="8" cy="8" r="6" fill="none" stroke="currentColor" stroke-width="1.500" /><path d="M8 2a6 6 0 0 1 0 12z" fill="currentColor" /></svg>
  </button>`;
}

function SignIn({ done, refused }: { done: () => void; refused: boolean }): View {
  const [failure, setFailure] = useState(refused ? 'That link has been used already, or is too old.' : '');
  const [busy, setBusy] = useState(false);
  useTitle('Sign in');
  const submit = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault();
    const token = new FormData(event.currentTarget as HTMLFormElement).get('token');
    setBusy(true);
    try {
      await signIn(String(token).trim());
      done();
    } catch (error) {
      setFailure((error as Error).message);
    }
    setBusy(false);
  };
  return html`<main class="signin" id="content" tabindex="-1"><form onSubmit=${submit}>
    <img src="/app/icon.svg" width="40" height="40" alt="" />
    <h1>Sign in to Closewatch</h1>
    <p class="muted">With the administrator’s token, or the sign-in link that Closewatch prints when it starts.</p>
    <label for="token">Token</label>
    <input id="token" name="token" type="password" autocomplete="current-password" required aria-describedby="failure" />
    <p id="failure" class="bad" role="alert">${failure}</p>
    <button class="primary" disabled=${busy}>Sign in</button>
  </form></main>`;
}

function App(): View {
  const [route, setRoute] = useState(routeOf(location.hash));
  const [signedIn, setSignedIn] = useState<boolean | undefined>(undefined);
  const [viewer, ask] = useQuery<{ viewer: { name: string } }>('{ viewer { name } }');
  const [failure, setFailure] = useState('');
  const content = useRef<HTMLElement>(null);
  const place = useRef(placeOf(route));
  useEffect(() => {
    if (viewer.state === 'ready') setSignedIn(true);
    else if (viewer.state === 'error') setSignedIn((before) => before ?? true);
  }, [viewer]);
  useEffect(() => {
    const onHash = (): void => {
      const next = routeOf(location.hash);
      setRoute(next);
      if (placeOf(next) === place.current) return;
      place.current = placeOf(next);
      content.current?.focus({ preventScroll: true });
      scrollTo(0, 0);
    };
    const onSignedOut = (): void => setSignedIn(false);
    addEventListener('hashchange', onHash);
    addEventListener('signed-out', onSignedOut);
    return () => {
      removeEventListener('hashchange', onHash);
      removeEventListener('signed-out', onSignedOut);
    };
  }, []);
  if (signedIn === undefined) return html`<p class="starting" role="status">Loading …</p>`;
  if (!signedIn) {
    const done = (): void => {
      if (route.page === 'signin') location.hash = '#/incidents';
      setSignedIn(true);
      ask();
    };
    return html`<${SignIn} done=${done} refused=${route.page === 'signin'} />`;
  }
  const leave = async (): Promise<void> => {
    try {
      await signOut();
      setFailure('');
      setSignedIn(false);
    } catch (error) {
      setFailure(`You are still signed in: ${(error as Error).message}`);
    }
  };
  const under = UNDER[route.page] ?? route.page;
  return html`
    <a class="skip" href="#content" onClick=${(event: Event) => {
      event.preventDefault();
      content.current?.focus();
    }}>Skip to the content</a>
    <header class="bar-top">
      <a class="brand" href="#/incidents"><img src="/app/icon.svg" width="22" height="22" alt="" /> Closewatch</a>
      <nav aria-label="Pages">${PAGES.map(
        ([page, name]) =>
          html`<a href=${`#/${page}`} aria-current=${under === page ? 'page' : undefined}>${name}</a>`,
      )}</nav>
      <div class="who"><small>times in UTC</small><span>${viewer.data?.viewer.name ?? ''}</span><${ThemeButton} />
        <button type="button" class="quiet" onClick=${leave}>Sign out</button></div>
    </header>
    ${failure && html`<p class="notice bad" role="alert">${failure}</p>`}
    <main id="content" tabindex="-1" ref=${content}><${Page} route=${route} /></main>`;
}

const chosen = storedTheme();
if (chosen) document.documentElement.dataset.theme = chosen;
const root = document.getElementById('app');
if (root) render(html`<${App} />`, root);
