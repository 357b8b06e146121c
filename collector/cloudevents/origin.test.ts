import { expect, test } from 'vitest';
import { originOf } from './origin.ts';

const data = { org: { companyKey: 'acme' } };

test.each([
  [{ source: '/shop/eu', companyid: 'acme' }, '/shop', { source: '/shop/eu', company: 'acme' }],
  [{ source: '/shop/eu', data }, '*', { source: '/shop/eu', company: 'acme' }],
  [{ source: '/shop/eu', companyid: 5, data }, '*', { source: '/shop/eu', company: 'acme' }],
  [{ source: '/shop/eu', data: { org: null } }, '*', { source: '/shop/eu', company: undefined }],
  // What it may not speak for, it may not put under another's name either.
  [{ source: '/bank', companyid: 'acme' }, '/shop', { source: '/shop', company: undefined }],
  [{ source: '/shop/\0' }, '/shop', { source: '/shop', company: undefined }],
  [{ source: `/shop/${'x'.repeat(1024)}` }, '/shop', { source: '/shop', company: undefined }],
  [{ source: '/shop/password=x of sam' }, '/shop', { source: '/shop', company: undefined }],
  [{ source: ['/shop'] }, '/shop', { source: '/shop', company: undefined }],
  ['text', '/shop', { source: '/shop', company: undefined }],
  [null, '*', { source: '*', company: undefined }],
])('%j of %s', (envelope, sender, origin) => {
  expect(originOf(envelope, sender)).toEqual(origin);
});
