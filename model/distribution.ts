/** So many measurements lie evenly from `from` to `to`; all of them at one value when the two are equal. */
export interface Interval {
  readonly from: number;
  readonly to: number;
  readonly count: number;
}

/**
 * The intervals of a histogram with explicit bounds (OpenTelemetry metrics data model, Histogram): `counts` has one more than
 * `bounds`. As in Prometheus' `histogram_quantile`, what is above the last bound counts as that bound, and the first bucket
 * begins at 0 when its bound is positive, else is its bound.
 */
export function explicitIntervals(bounds: readonly number[], counts: readonly number[]): Interval[] {
  return counts.flatMap((count, i) => {
    const to = bounds[i] ?? bounds.at(-1);
    if (to === undefined || count <= 0) return [];
    const from = i === 0 ? Math.min(0, to) : (bounds[i - 1] as number);
    return [{ from: i === 0 && to <= 0 ? to : from, to: Number.isFinite(to) ? to : from, count }];
  });
}

/** The buckets of an exponential histogram: bucket `offset + i` of scale `s` is (base^(offset+i), base^(offset+i+1)], base = 2^(2^-s). */
export interface ExponentialBuckets {
  readonly scale: number;
  readonly zeroCount: number;
  readonly positiveOffset: number;
  readonly positive: readonly number[];
  readonly negativeOffset: number;
  readonly negative: readonly number[];
}

/** The intervals of the sum of exponential histograms; they are brought to the coarsest of their scales (data model, Merge). */
export function exponentialIntervals(all: readonly ExponentialBuckets[]): Interval[] {
  const scale = all.reduce((least, one) => Math.min(least, one.scale), Number.POSITIVE_INFINITY);
  const positive = new Map<number, number>();
  const negative = new Map<number, number>();
  let zero = 0;
  const add = (sums: Map<number, number>, finer: number, offset: number, counts: readonly number[]): void => {
    counts.forEach((count, i) => {
      const index = Math.floor((offset + i) / 2 ** finer);
      if (count !== 0) sums.set(index, (sums.get(index) ?? 0) + count);
    });
  };
  for (const one of all) {
    zero += one.zeroCount;
    add(positive, one.scale - scale, one.positiveOffset, one.positive);
    add(negative, one.scale - scale, one.negativeOffset, one.negative);
  }
  const bound = (index: number): number => 2 ** (index * 2 ** -scale);
  return [
    ...[...negative].map(([index, count]) => ({ from: -bound(index + 1), to: -bound(index), count })),
    { from: 0, to: 0, count: zero },
    ...[...positive].map(([index, count]) => ({ from: bound(index), to: bound(index + 1), count })),
  ].filter(({ from, to, count }) => count > 0 && Number.isFinite(from) && Number.isFinite(to));
}

/** The values below which the shares `quantiles` (0 to 1, ascending) of the measurements lie; null when there are none. */
export function quantilesOf(intervals: readonly Interval[], quantiles: readonly number[]): (number | null)[] {
  const total = intervals.reduce((sum, { count }) => sum + count, 0);
  if (total <= 0) return quantiles.map(() => null);
  // Sweeps over the values: between two edges the measurements grow evenly, at an edge by what lies at that value alone.
  const edges = new Map<number, { density: number; mass: number; open: number }>();
  const edgeAt = (value: number) => {
    const edge = edges.get(value) ?? { density: 0, mass: 0, open: 0 };
    edges.set(value, edge);
    return edge;
  };
  for (const { from, to, count } of intervals) {
    if (from === to) edgeAt(from).mass += count;
    else {
      const density = count / (to - from);
      const [start, end] = [edgeAt(from), edgeAt(to)];
      start.density += density;
      start.open += 1;
      end.density -= density;
      end.open -= 1;
    }
  }
  const sorted = [...edges].sort(([a], [b]) => a - b);
  const last = (sorted.at(-1) as [number, object])[0];
  const found: number[] = [];
  let below = 0;
  let density = 0;
  let open = 0;
  let before = (sorted[0] as [number, object])[0];
  for (const [value, edge] of sorted) {
    const reached = below + density * (value - before);
    for (let next = quantiles[found.length]; next !== undefined; next = quantiles[found.length]) {
      const wanted = next * total;
      if (density > 0 && wanted <= reached)
        found.push(Math.min(value, Math.max(before, before + (wanted - below) / density)));
      else if (edge.mass > 0 && wanted <= reached + edge.mass) found.push(value);
      else break;
    }
    below = reached + edge.mass;
    open += edge.open;
    // What rounding leaves of densities that have ended is none.
    density = open === 0 ? 0 : density + edge.density;
    before = value;
  }
  // Rounding may leave the last of them just out of reach.
  return quantiles.map((_, i) => found[i] ?? last);
}
