/** One version of the data of an event type. */
export interface Version {
  /**
   * The data of this version in the form that everything else here reads (`eventData` of model/event.ts, or a heartbeat's);
   * left out for the version that has this form. Pure. It may throw on data that it cannot read: the event is invalid then.
   */
  readonly upgrade?: (data: unknown) => unknown;
}

/** The versions of a type that are read, by number. */
export type VersionsOfType = ReadonlyMap<number, Version>;

/** Known versions by short type, `bill.posted`; `*` stands for every type that is not named. */
export type Versions = ReadonlyMap<string, VersionsOfType>;

const FIRST: VersionsOfType = new Map([[1, {}]]);

/**
 * What this program reads: v1 of every type. A type that gets a second version stands here with both, the older one with the
 * upgrade to the form of the newer: senders go over when they like, and what came too early is taken through again.
 */
export const VERSIONS: Versions = new Map([['*', FIRST]]);

export const versionsOf = (versions: Versions, type: string): VersionsOfType =>
  versions.get(type) ?? versions.get('*') ?? FIRST;
