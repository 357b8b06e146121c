/** A version of a service that was seen for the first time, after another one. */
export interface Deployment {
  readonly service: string;
  readonly version: string;
  readonly previous: string;
  /** When its first span began, epoch nanoseconds. */
  readonly at: bigint;
}
