import { ClosewatchError } from '../../model/errors.ts';
import { type Actor, hasRole, ROLES } from '../../model/principal.ts';
import { dateOf } from '../../model/time.ts';
import {
  CONFIRMED_PROVIDERS,
  confirmLink,
  type PendingLink,
  pendingLinks,
} from '../../store/postgres/principals.ts';
import { builder } from './builder.ts';

const RoleEnum = builder.enumType('Role', { values: ROLES });

const LinkProviderEnum = builder.enumType('LinkProvider', { values: CONFIRMED_PROVIDERS });

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
    'An account that was linked to a person, and that no second person has confirmed: it counts for nothing.',
  fields: (t) => ({
    provider: t.expose('provider', { type: LinkProviderEnum }),
    account: t.exposeString('account'),
    person: t.string({ resolve: ({ principal }, _, { load }) => load.name.load(principal) }),
    linkedBy: t.exposeString('linkedBy', { nullable: true }),
  }),
});

builder.mutationFields((t) => ({
  confirmLink: t.boolean({
    description:
      'Confirms that an account is the person’s it was linked to. Takes another person, with the role manager or admin.',
    args: {
      account: t.arg.string({ required: true }),
      provider: t.arg({ type: LinkProviderEnum, required: true, defaultValue: 'source' }),
    },
    resolve: async (_, { account, provider }, { actor, now, postgres }) => {
      await confirmLink(postgres, { provider, account }, actor, dateOf(now));
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
