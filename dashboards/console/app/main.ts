import { render } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { signIn, signOut } from './api.ts';
import { IncidentPage } from './incident.ts';
import { Incidents } from './incidents.ts';
import { Outbox } from './outbox.ts';
import { ReadinessPage } from './readiness.ts';
import { Search, TracePage } from './search.ts';
import { html, useQuery, type View } from './ui.ts';

const PAGES = [
  ['incidents', 'Incidents'],
  ['readiness', 'Close readiness'],
  ['outbox', 'Outbox'],
  ['search', 'Find'],
] as const;

interface Route {
  page: string;
  id: string;
  params: URLSearchParams;
}
const decoded = (text: string): string => {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
};

function routeOf(hash: string): Route {
  const [path = '', search = ''] = hash.replace(/^#\/?/, '').split('?', 2);
  const [page = '', id = ''] = path.split('/');
  return { page: page || 'incidents', id: decoded(id), params: new URLSearchParams(search) };
}

function Page({ route }: { route: Route }): View {
  const { page, id, params } = route;
  if (page === 'incidents' && id) return html`<${IncidentPage} key=${id} asked=${id} />`;
  if (page === 'readiness')
    return html`<${ReadinessPage} asked=${{ company: params.get('company') ?? '', period: params.get('period') ?? '' }} />`;
  if (page === 'outbox') return html`<${Outbox} />`;
  if (page === 'trace') return html`<${TracePage} key=${id} id=${id} />`;
  if (page === 'search')
    return html`<${Search} key=${params.get('key') ?? ''} asked=${params.get('key') ?? ''} />`;
  return html`<${Incidents} />`;
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
  const content = useRef<HTMLElement>(null);
  useEffect(() => {
    if (viewer.state === 'ready') setSignedIn(true);
    else if (viewer.state === 'error') setSignedIn((before) => before ?? true);
  }, [viewer]);
  useEffect(() => {
    const onHash = (): void => {
      setRoute(routeOf(location.hash));
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
  const title = PAGES.find(([page]) => page === route.page)?.[1];
  useEffect(() => {
    document.title = signedIn === false ? 'Sign in · Closewatch' : `${title ?? 'Trace'} · Closewatch`;
  }, [title, signedIn]);

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
    await signOut();
    setSignedIn(false);
  };
  return html`
    <a class="skip" href="#content" onClick=${(event: Event) => {
      event.preventDefault();
      content.current?.focus();
    }}>Skip to the content</a>
    <header class="bar-top">
      <a class="brand" href="#/incidents"><img src="/app/icon.svg" width="22" height="22" alt="" /> Closewatch</a>
      <nav aria-label="Pages">${PAGES.map(
        ([page, name]) =>
          html`<a href=${`#/${page}`} aria-current=${route.page === page || (page === 'search' && route.page === 'trace') ? 'page' : undefined}>${name}</a>`,
      )}</nav>
      <div class="who"><span>${viewer.data?.viewer.name ?? ''}</span><${ThemeButton} />
        <button type="button" class="quiet" onClick=${leave}>Sign out</button></div>
    </header>
    <main id="content" tabindex="-1" ref=${content}><${Page} route=${route} /></main>`;
}

const chosen = storedTheme();
if (chosen) document.documentElement.dataset.theme = chosen;
const root = document.getElementById('app');
if (root) render(html`<${App} />`, root);
