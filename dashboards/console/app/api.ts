/** An answer that is none: its code is the house's, or `network` when nobody answered. */
export class ApiError extends Error {
  readonly code: string;
  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

interface Answer<Data> {
  data?: Data | null;
  errors?: { message: string; extensions?: { code?: string } }[];
}

const HEADERS = { 'content-type': 'application/json', 'closewatch-request': '1' };

async function post(path: string, body: unknown, signal?: AbortSignal): Promise<Response> {
  try {
    return await fetch(path, {
      method: 'POST',
      headers: HEADERS,
      body: JSON.stringify(body),
      signal: signal ?? null,
    });
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error;
    throw new ApiError('network', 'Closewatch does not answer. Is it running?');
  }
}

/** The data of a GraphQL query; throws the first error with its code. */
export async function query<Data>(text: string, variables: object = {}, signal?: AbortSignal): Promise<Data> {
  const response = await post('/graphql', { query: text, variables }, signal);
  const answer = (await response.json().catch(() => ({}))) as Answer<Data>;
  const error = answer.errors?.[0];
  if (error) throw new ApiError(error.extensions?.code ?? 'internal', error.message);
  if (!answer.data)
    throw new ApiError('internal', `Closewatch answers with status ${response.status} and without data.`);
  return answer.data;
}

/** Posts what is answered without content; throws the error that comes instead. */
async function command(path: string, body: unknown): Promise<void> {
  const response = await post(path, body);
  if (response.ok) return;
  const answer = (await response.json().catch(() => ({}))) as Answer<never>;
  const error = answer.errors?.[0];
  throw new ApiError(error?.extensions?.code ?? 'internal', error?.message ?? `status ${response.status}`);
}

/** Exchanges a token for a session; throws when it is refused. */
export const signIn = (token: string): Promise<void> => command('/signin', { token });

/** Ends the session; throws when it did not. */
export const signOut = (): Promise<void> => command('/signout', {});

export const isSignedOut = (error: unknown): boolean =>
  error instanceof ApiError && (error.code === 'auth.missing' || error.code === 'auth.invalid');
