import { ClosewatchError } from '../../model/errors.ts';
import { hasRole } from '../../model/principal.ts';
import { dateOf } from '../../model/time.ts';
import { type AuditListRow, auditCursor, listAudit } from '../../store/postgres/audit-queries.ts';
import { builder } from './builder.ts';
import { page } from './connection.ts';

const AuditEntryRef = builder.objectRef<AuditListRow>('AuditEntry').implement({
  description: 'A row of the audit chain: who did what, when and in which roles. Rows are only ever added.',
  fields: (t) => ({
    seq: t.exposeInt('seq'),
    at: t.field({ type: 'Instant', resolve: ({ at }) => at }),
    recordedAt: t.field({
      type: 'Instant',
      description: 'When it was written, by the clock of the database',
      resolve: ({ recordedAt }) => recordedAt,
    }),
    actor: t.string({
      description: 'A principal, closewatch itself, or an account of the machine by the command line',
      resolve: ({ actor }) => actor.id,
    }),
    actorName: t.string({ resolve: ({ actor }, _, { load }) => load.name.load(actor.id) }),
    actorKind: t.string({ resolve: ({ actor }) => actor.kind }),
    roles: t.stringList({ description: 'As they were held then', resolve: ({ actor }) => actor.roles }),
    company: t.exposeString('company'),
    entity: t.exposeString('entity'),
    entityId: t.exposeString('entityId'),
    change: t.exposeString('change'),
    state: t.string({ nullable: true, resolve: ({ state }) => state ?? null }),
    data: t.field({ type: 'Json', resolve: ({ data }) => data }),
    hash: t.exposeString('hash', { description: 'SHA-256 of the hash before and of what the row says' }),
  }),
});

builder.queryFields((t) => ({
  audit: t.connection({
    type: AuditEntryRef,
    description:
      'Who decided what, the newest first. Needs one of the roles auditor, manager, admin; what concerns no company is for who reads every company.',
    args: {
      company: t.arg.string(),
      actor: t.arg.string(),
      entity: t.arg.string({ description: 'incident, proposal, exception, setting, dead-letter …' }),
      entityId: t.arg.string(),
      from: t.arg({ type: 'Instant' }),
      to: t.arg({ type: 'Instant' }),
    },
    resolve: (_, args, { actor, postgres, scope }) => {
      if (!hasRole(actor, 'auditor', 'manager'))
        throw new ClosewatchError('auth.forbidden', 'needs one of the roles auditor, manager, admin');
      const filter = {
        companies: scope,
        company: args.company ?? undefined,
        actor: args.actor ?? undefined,
        entity: args.entity ?? undefined,
        entityId: args.entityId ?? undefined,
        from: args.from == null ? undefined : dateOf(args.from),
        to: args.to == null ? undefined : dateOf(args.to),
      };
      return page(args, auditCursor, (window) => listAudit(postgres, filter, window));
    },
  }),
}));
