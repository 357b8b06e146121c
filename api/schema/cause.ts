import { ClosewatchError } from '../../model/errors.ts';
import { mayReadTelemetry } from '../../model/principal.ts';
import { type LivingCause, livingCauses } from '../../store/postgres/causes.ts';
import { builder } from './builder.ts';
import { CauseKindEnum, SeverityEnum } from './enums.ts';
import { instantOfDate } from './scalars.ts';

const MAX_CAUSES = 200;

const CauseRef = builder.objectRef<LivingCause>('Cause').implement({
  description: 'What incidents of several companies have in common, without what they are worth.',
  fields: (t) => ({
    kind: t.field({ type: CauseKindEnum, resolve: ({ kind }) => kind as 'rule' }),
    key: t.exposeString('key'),
    title: t.exposeString('title'),
    companies: t.exposeInt('companies', { description: 'How many companies have it' }),
    incidents: t.exposeInt('incidents'),
    openExceptions: t.exposeInt('openExceptions'),
    severity: t.expose('severity', { type: SeverityEnum, description: 'The highest of the incidents' }),
    firstOpenedAt: t.field({ type: 'Instant', resolve: ({ firstOpenedAt }) => instantOfDate(firstOpenedAt) }),
  }),
});

builder.queryFields((t) => ({
  causes: t.field({
    type: [CauseRef],
    description: `The causes of incidents that are not resolved, over all companies, those of most companies first (${MAX_CAUSES} at most). For SREs, and for who reads every company.`,
    extensions: { costRows: MAX_CAUSES },
    resolve: async (_, _args, { actor, postgres }) => {
      if (!mayReadTelemetry(actor))
        throw new ClosewatchError('auth.forbidden', 'needs the role sre, or every company');
      return await livingCauses(postgres, MAX_CAUSES);
    },
  }),
}));
