import { ClosewatchError } from '../../model/errors.ts';
import { type Actor, hasRole, ROLES } from '../../model/principal.ts';
import { dateOf } from '../../model/time.ts';
import { confirmLink, type PendingLink, pendingLinks } from '../../store/postgres/principals.ts';
import { builder } from './builder.ts';

const RoleEnum = builder.enumType('Role', { values: ROLES });

const ViewerRef = builder.objectRef<Actor>('Viewer').implement({
  description: 'Who asks.',
  fields: (t) => ({
    id: t.exposeID('id'),
    name: t.exposeString('name'),
    kind: t.exposeString('kind'),
    roles: t.expose('roles', { type: [RoleEnum] }),
    companies: t.exposeStringList('companies', { description: '* means every company' }),
  }),
});

const PendingLinkRef = builder.objectRef<PendingLink>('PendingLink').implement({
  description:
    'An account of a source that was linked to a person, and that no second person has confirmed: it counts for nothing.',
  fields: (t) => ({
    account: t.exposeString('account'),
    person: t.string({ resolve: ({ principal }, _, { load }) => load.name.load(principal) }),
    linkedBy: t.exposeString('linkedBy', { nullable: true }),
  }),
});

builder.mutationFields((t) => ({
  confirmLink: t.boolean({
    description:
      'Confirms that an account of a source is the person’s it was linked to. Takes another person, with the role manager or admin.',
    args: { account: t.arg.string({ required: true }) },
    resolve: async (_, { account }, { actor, now, postgres }) => {
      await confirmLink(postgres, account, actor, dateOf(now));
      return true;
    },
  }),
}));

builder.queryFields((t) => ({
  pendingLinks: t.field({
    type: [PendingLinkRef],
    extensions: { costRows: 50 },
    description: 'Links that wait to be confirmed. Needs one of the roles manager, auditor, admin.',
    resolve: async (_, _args, { actor, postgres }) => {
      if (!hasRole(actor, 'manager', 'auditor'))
        throw new ClosewatchError('auth.forbidden', 'needs one of the roles manager, auditor, admin');
      return await pendingLinks(postgres);
    },
  }),
  viewer: t.field({ type: ViewerRef, resolve: (_, _args, { actor }) => actor }),
}));
