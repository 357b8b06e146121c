import { type Company, defaultCompany } from '../../model/company.ts';
import { closePeriodOf, periodOf } from '../../model/period.ts';
import { mayReadCompany } from '../../model/principal.ts';
import { knownCompanies } from '../../store/postgres/source-queries.ts';
import { builder } from './builder.ts';

const CompanyRef = builder.objectRef<Company>('Company').implement({
  description: 'A company whose books are watched.',
  fields: (t) => ({
    key: t.exposeID('key'),
    name: t.string({ resolve: ({ key, name }) => name ?? key }),
    currency: t.exposeString('currency'),
    timezone: t.exposeString('timezone'),
    currentPeriod: t.string({
      description: 'The month in which now falls on its clock',
      resolve: (company, _, { now }) => periodOf(now, company),
    }),
    closePeriod: t.string({
      description:
        'The month whose close is going on: the one before while it is closing, else the current one',
      resolve: (company, _, { now }) => closePeriodOf(now, company),
    }),
    materialityKnown: t.boolean({ resolve: ({ materiality }) => materiality !== undefined }),
  }),
});

builder.queryFields((t) => ({
  companies: t.field({
    type: [CompanyRef],
    extensions: { costRows: 200 },
    description: 'The readable companies: those of companies.yaml, then those that only data names.',
    resolve: async (_, _args, { actor, companies, postgres }) => {
      const configured = companies();
      const keys = new Set(configured.map(({ key }) => key));
      const others = (await knownCompanies(postgres)).filter((key) => !keys.has(key)).map(defaultCompany);
      return [...configured, ...others].filter(({ key }) => mayReadCompany(actor, key));
    },
  }),
}));
