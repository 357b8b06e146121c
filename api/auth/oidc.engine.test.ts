import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, exportSPKI, generateKeyPair, type JWTPayload, SignJWT } from 'jose';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { Actor } from '../../model/principal.ts';
import type { Postgres } from '../../store/postgres/database.ts';
import { changePerson, confirmLink, linkIdentity, putPerson } from '../../store/postgres/principals.ts';
import { temporaryPostgres } from '../../test/incident-house.ts';
import { createOidc } from './oidc.ts';

const AT = new Date('2026-06-01T12:00:00Z');
const NOW = AT.getTime() / 1_000;
const keys = await generateKeyPair('ES256', { extractable: true });
const others = await generateKeyPair('ES256');
const lines: unknown[] = [];
const logger = { info() {}, debug() {}, error() {}, warn: (...line: unknown[]) => lines.push(line) };

let postgres: Postgres;
let close: () => Promise<void>;
let server: Server;
let issuer = '';
let isDown = false;

beforeAll(async () => {
  ({ postgres, close } = await temporaryPostgres());
  const jwk = { ...(await exportJWK(keys.publicKey)), kid: 'k1', alg: 'ES256', use: 'sig' };
  server = createServer((request, response) => {
    if (isDown) return response.writeHead(503).end();
    const body = request.url === '/keys' ? { keys: [jwk] } : { issuer, jwks_uri: `${issuer}/keys` };
    return response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  for (const id of ['sam', 'kim', 'lee'])
    await putPerson(postgres, { id, name: id, roles: ['manager'], companies: ['acme'] }, 'test', AT);
  await linkIdentity(postgres, 'sam', { provider: 'email', externalId: 'Sam@Acme.example' }, 'kim', AT);
});
afterAll(async () => {
  server.close();
  await close();
});
beforeEach(() => {
  isDown = false;
  lines.length = 0;
});

const oidc = () => createOidc({ issuer, audience: 'closewatch' }, { postgres, logger, now: () => AT });
/** Claims, and `undefined` for one that is left out. */
type Claims = { [Name in keyof JWTPayload]: JWTPayload[Name] | undefined };
const claims = (over: Claims = {}): JWTPayload => ({
  iss: issuer,
  aud: 'closewatch',
  sub: 's-1',
  iat: NOW,
  exp: NOW + 300,
  email: 'sam@acme.example',
  email_verified: true,
  ...(over as JWTPayload),
});
const token = (over: Claims = {}, key = keys.privateKey): Promise<string> =>
  new SignJWT(claims(over)).setProtectedHeader({ alg: 'ES256', kid: 'k1' }).sign(key);

test('an address lets in once a second person has confirmed whose it is, and then the subject does', async () => {
  const who = oidc();
  expect(await who(await token())).toBeUndefined();
  const lee: Actor = { kind: 'human', id: 'lee', name: 'lee', roles: ['manager'], companies: ['acme'] };
  await confirmLink(postgres, { provider: 'email', account: 'sam@acme.example' }, lee, AT);
  expect(await who(await token())).toMatchObject({ id: 'sam', roles: ['manager'], companies: ['acme'] });
  // From now on it is the subject that counts, whatever the address.
  expect(await who(await token({ email: 'else@acme.example' }))).toMatchObject({ id: 'sam' });
  expect(await who(await token({ sub: 's-2', email: 'else@acme.example' }))).toBeUndefined();
  const noted = await postgres.db
    .selectFrom('change_log')
    .select('data')
    .where('entity_id', '=', 'principal:sam')
    .execute();
  expect(JSON.stringify(noted)).toContain(`${issuer} s-1`);
  expect(JSON.stringify(noted)).not.toMatch(/sam@acme/i);
});

test.each<[string, Claims]>([
  ['an address that the issuer has not verified', { sub: 's-3', email_verified: false }],
  ['an address that is verified in words', { sub: 's-3', email_verified: 'true' }],
  ['a token for somebody else', { aud: 'other' }],
  ['a token of another issuer', { iss: 'https://evil.example' }],
  ['a token that is over', { iat: NOW - 600, exp: NOW - 100 }],
  ['a token without an end', { exp: undefined }],
  ['a token that does not count yet', { nbf: NOW + 600 }],
])('%s lets nobody in', async (_, over) => {
  expect(await oidc()(await token(over))).toBeUndefined();
});

test('a token that others signed, or nobody, lets nobody in', async () => {
  const who = oidc();
  expect(await who(await token({}, others.privateKey))).toBeUndefined();
  const publicPem = new TextEncoder().encode(await exportSPKI(keys.publicKey));
  const symmetric = await new SignJWT(claims())
    .setProtectedHeader({ alg: 'HS256', kid: 'k1' })
    .sign(publicPem);
  expect(await who(symmetric)).toBeUndefined();
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  expect(await who(`${part({ alg: 'none' })}.${part(claims())}.x`)).toBeUndefined();
  expect(await who('no token')).toBeUndefined();
});

test('an issuer that does not answer lets nobody in and is told of; when it answers again, so do we', async () => {
  const who = oidc();
  isDown = true;
  expect(await who(await token())).toBeUndefined();
  expect(lines).toHaveLength(1);
  expect(JSON.stringify(lines)).not.toContain('eyJ');
  isDown = false;
  expect(await who(await token())).toMatchObject({ id: 'sam' });
});

test('who is switched off is not let in', async () => {
  await changePerson(postgres, 'sam', { disable: true }, 'test', AT);
  expect(await oidc()(await token())).toBeUndefined();
});
