import { expect, test } from 'vitest';
import { hashOf, placeOf, routeOf } from './route.ts';

test('a hash and the route that it asks for', () => {
  const hash = hashOf('incidents', { state: 'open', company: 'a & b', severity: '', after: ['x', 'y'] });
  expect(hash).toBe('#/incidents?state=open&company=a+%26+b&after=x&after=y');
  const { page, id, params } = routeOf(hash);
  expect([page, id, params.get('company'), params.getAll('after')]).toEqual([
    'incidents',
    '',
    'a & b',
    ['x', 'y'],
  ]);
  expect(routeOf('#/incidents/a%2Fb').id).toBe('a/b');
  expect(routeOf('#/incidents/%').id).toBe('%');
  expect(routeOf('').page).toBe('incidents');
});

test('the focus moves to what is new content, not for a choice on the page', () => {
  const place = (hash: string) => placeOf(routeOf(hash));
  expect(place('#/readiness?company=acme')).toBe(place('#/readiness?company=beta&period=2026-05'));
  expect(place('#/incidents?state=open')).toBe(place('#/incidents'));
  expect(place('#/incidents/1')).not.toBe(place('#/incidents/2'));
  expect(place('#/incidents?after=x')).not.toBe(place('#/incidents'));
  expect(place('#/readiness')).not.toBe(place('#/outbox'));
});
