import { type Company, company } from '../model/company.ts';

/** Banks and offices stand still on these days in every simulated year. */
const CLOSED = ['01-01', '12-25'];
const holidays = (now: number): string[] => {
  const year = new Date(now).getUTCFullYear();
  return [year - 1, year, year + 1].flatMap((y) => CLOSED.map((day) => `${y}-${day}`));
};

/** The simulated companies, as companies.yaml has them: three zones, three currencies, each with its materiality. */
export function defaultCompanies(now: number): Company[] {
  return [
    {
      key: 'brabant',
      name: 'Brabant Brewing NV',
      odoo: { source: '/odoo/prod', id: 1 },
      currency: 'EUR',
      timezone: 'Europe/Brussels',
      calendar: { holidays: holidays(now) },
      materiality: { overall: '250000', performance: '150000', trivial: '10000' },
      owners: { ap: 'ap-brussels', ar: 'ar-brussels', bank: 'treasury' },
    },
    {
      key: 'hudson',
      name: 'Hudson Tools Inc.',
      odoo: { source: '/odoo/prod', id: 2 },
      currency: 'USD',
      timezone: 'America/New_York',
      calendar: { holidays: holidays(now) },
      materiality: { overall: '400000', performance: '240000', trivial: '16000' },
      owners: { ap: 'ap-new-york', ar: 'ar-new-york', bank: 'treasury' },
    },
    {
      key: 'straits',
      name: 'Straits Trading Pte. Ltd.',
      odoo: { source: '/odoo/prod', id: 3 },
      currency: 'SGD',
      timezone: 'Asia/Singapore',
      calendar: { holidays: holidays(now) },
      materiality: { overall: '300000', performance: '180000', trivial: '12000' },
      owners: { ap: 'ap-singapore', ar: 'ar-singapore', bank: 'treasury' },
    },
  ].map((entry) => company.parse(entry));
}
