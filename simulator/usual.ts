import type { Temporal } from 'temporal-polyfill';
import type { Company } from '../model/company.ts';
import { inOfficeHours } from './calendar.ts';
import { usualChains } from './chains.ts';
import { billWay, invoiceWay, orderWay, paymentWay } from './documents.ts';
import type { Landscape } from './landscape.ts';

/** Documents of each kind on a working day of one company. */
const WAYS = [
  { way: billWay, count: 8 },
  { way: invoiceWay, count: 10 },
  { way: paymentWay, count: 7 },
  { way: orderWay, count: 3 },
] as const;

/** Writes down what happens at one company on a day without faults. */
export function usualDay(
  land: Landscape,
  company: Company,
  day: Temporal.PlainDate,
  companies: readonly Company[] = [company],
): void {
  usualChains(land, company, companies, day);
  for (const { way, count } of WAYS) {
    for (let number = 0; number < count; number += 1) {
      const at = inOfficeHours(company, day, land.random.int(0, 999) / 1000) + land.random.int(0, 59_999);
      way(land, company, at);
    }
  }
}
