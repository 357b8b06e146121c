import { z } from 'zod';
import { currencyCode } from './money.ts';
import { materiality } from './severity.ts';
import { calendarDate } from './time.ts';

const localTime = z.string().regex(/^([01]\d|2[0-3]):[0-5]\d$/, 'must be HH:MM');

export const timeZone = z.string().refine((zone) => {
  try {
    new Intl.DateTimeFormat('en', { timeZone: zone });
    return true;
  } catch {
    return false;
  }
}, 'must be an IANA time zone, such as Europe/Brussels');

/** The business calendar of a company: which days and hours count. */
export const calendar = z.strictObject({
  workdays: z
    .array(z.int().min(1).max(7))
    .min(1)
    .default([1, 2, 3, 4, 5])
    .describe('working days of the week, 1 = Monday … 7 = Sunday'),
  hours: z
    .strictObject({ from: localTime, to: localTime })
    .refine(({ from, to }) => from < to, 'hours.from must be before hours.to')
    .optional()
    .describe('working hours in the local zone; left out: the whole day'),
  holidays: z.array(calendarDate).default([]).describe('days that do not count, 2026-12-25'),
});
export type Calendar = z.infer<typeof calendar>;

/** A company whose books are watched: one entry of companies.yaml. */
export const company = z.strictObject({
  key: z.string().min(1).max(128).describe('how events name the company: data.org.companyKey'),
  name: z.string().min(1).max(256).optional(),
  odoo: z.strictObject({ source: z.string(), id: z.int() }).optional(),
  currency: currencyCode.default('EUR'),
  timezone: timeZone.default('UTC'),
  calendar: calendar.prefault({}),
  fiscalYearStart: z.int().min(1).max(12).default(1).describe('first month of the fiscal year'),
  materiality: materiality.optional().describe('left out: every amount is judged in the middle band'),
  rules: z
    .record(z.string(), z.record(z.string(), z.unknown()))
    .default({})
    .describe(
      'what rules say otherwise for this company, by rule id: deadlines, severities, limits, enabled',
    ),
  model: z.boolean().default(true).describe('false: no language model is asked about this company'),
  owners: z.record(z.string(), z.string()).default({}).describe('owner by domain: ap, ar, gl, bank …'),
});
export type Company = z.infer<typeof company>;

export const companiesFile = z.strictObject({ companies: z.array(company) });

/** The company `key` with every default, for one that companies.yaml does not name. */
export const defaultCompany = (key: string): Company => company.parse({ key });

/**
 * Finds a company by its key; one that companies.yaml does not name gets every default, and so does no company (''), under
 * which telemetry comes.
 */
export function companyFinder(companies: readonly Company[]): (key: string) => Company {
  const known = new Map(companies.map((one) => [one.key, one]));
  return (key) => {
    let found = known.get(key);
    if (!found) {
      found = defaultCompany(key || '*');
      known.set(key, found);
    }
    return found;
  };
}
