import { type Actor, ROLES } from '../../model/principal.ts';
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

builder.queryFields((t) => ({
  viewer: t.field({ type: ViewerRef, resolve: (_, _args, { actor }) => actor }),
}));
