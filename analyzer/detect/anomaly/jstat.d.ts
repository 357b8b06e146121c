/** The part of jStat 1.9 that is used here; it brings no types of its own. */
declare module 'jstat' {
  const jStat: {
    /** The regularised incomplete beta function I_x(a, b). */
    ibeta(x: number, a: number, b: number): number | false;
    readonly studentt: { cdf(x: number, degrees: number): number };
  };
  export default jStat;
}
