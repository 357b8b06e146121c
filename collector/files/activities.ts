import { createHash } from 'node:crypto';
import { MAX_EVENT_TYPE } from '../../model/event.ts';

const shortHash = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 8);

/**
 * `request_payment` of `Request Payment`: lower case ASCII with `_`; of a name without such letters a short hash. What is
 * longer than `longest` is cut and ends with a hash of the whole, so that names alike up to there stay apart.
 */
export function slugOf(activity: string, longest: number): string {
  const slug = activity
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '_')
    .replace(/^_+|_+$/g, '');
  if (slug === '') return `x${shortHash(activity)}`;
  if (slug.length <= longest) return slug;
  const hash = `_${shortHash(slug)}`;
  return `${slug.slice(0, longest - hash.length).replace(/_+$/, '')}${hash}`;
}

const globRegex = (glob: string): RegExp =>
  new RegExp(
    `^${glob
      .split('*')
      .map((part) => part.replace(/[.\\^$|?+()[\]{}/]/g, '\\$&'))
      .join('.*')}$`,
    's',
  );

export interface Activities {
  /** The event type of an activity; `skip` to leave it out, undefined when nothing names it. */
  typeOf(activity: string): string | undefined;
  /** Types that were made of several activity names, as text for people. */
  warnings(): string[];
}

/** The event types of activities: exact names first, then globs in the order of the map, then what `otherwise` says. */
export function activitiesOf(map: {
  readonly kind: string;
  readonly types: Readonly<Record<string, string>>;
  readonly otherwise: 'slug' | 'skip' | 'fail';
}): Activities {
  const known = new Map<string, string | undefined>();
  const exact = new Map(Object.entries(map.types));
  const globs = [...exact]
    .filter(([name]) => name.includes('*'))
    .map(([name, type]) => ({ type, regex: globRegex(name) }));
  const slugs = new Map<string, Set<string>>();
  const find = (activity: string): string | undefined => {
    const named = exact.get(activity) ?? globs.find(({ regex }) => regex.test(activity))?.type;
    if (named !== undefined) return named;
    if (map.otherwise !== 'slug') return map.otherwise === 'skip' ? 'skip' : undefined;
    const type = `${map.kind}.${slugOf(activity, MAX_EVENT_TYPE - map.kind.length - 1)}`;
    slugs.set(type, (slugs.get(type) ?? new Set()).add(activity));
    return type;
  };
  return {
    typeOf(activity) {
      if (!known.has(activity)) {
        if (known.size > 10_000) known.clear();
        known.set(activity, find(activity));
      }
      return known.get(activity);
    },
    warnings: () =>
      [...slugs]
        .filter(([, names]) => names.size > 1)
        .map(
          ([type, names]) =>
            `${[...names].map((name) => JSON.stringify(name)).join(' and ')} both become ${type}`,
        ),
  };
}
