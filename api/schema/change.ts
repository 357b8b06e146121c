import type { ChangeRow } from '../../store/postgres/incident-queries.ts';
import { builder } from './builder.ts';
import { instantOfDate, KeyValueRef, keyValues } from './scalars.ts';

export const ChangeRef = builder.objectRef<ChangeRow>('Change').implement({
  description: 'A recorded change: what became of it, when, and by whom.',
  fields: (t) => ({
    seq: t.exposeString('seq'),
    at: t.field({ type: 'Instant', resolve: (row) => instantOfDate(row.at) }),
    change: t.exposeString('change'),
    state: t.exposeString('state', { nullable: true }),
    severity: t.exposeString('severity', { nullable: true }),
    actor: t.exposeString('actor', { nullable: true }),
    actorName: t.string({
      nullable: true,
      resolve: async ({ actor }, _, { load }) => (actor ? await load.name.load(actor) : null),
    }),
    comment: t.string({
      nullable: true,
      resolve: ({ data }) => {
        const comment = (data as { comment?: unknown } | null)?.comment;
        return typeof comment === 'string' ? comment : null;
      },
    }),
    details: t.field({
      type: [KeyValueRef],
      extensions: { costRows: 10 },
      resolve: ({ data }) => keyValues((data ?? {}) as Record<string, unknown>),
    }),
  }),
});
