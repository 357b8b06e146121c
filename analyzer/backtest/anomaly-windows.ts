import { createSeriesDetector, ONSET } from '../detect/anomaly/series.ts';

/** A series of numbers with the windows in which somebody says that it is anomalous; instants are epoch milliseconds. */
export interface LabelledSeries {
  readonly name: string;
  readonly points: readonly (readonly [at: number, value: number])[];
  readonly windows: readonly (readonly [from: number, to: number])[];
}

export interface WindowScore {
  readonly series: number;
  /** Points after probation. */
  readonly points: number;
  readonly windows: number;
  /** Windows in which an alert began. */
  readonly hit: number;
  readonly hitShare: number;
  /** Alerts that began in no window, after probation. */
  readonly falseAlerts: number;
  readonly falsePerThousand: number;
  /** The one threshold of all series. */
  readonly threshold: number;
  readonly bySeries: readonly {
    name: string;
    points: number;
    windows: number;
    hit: number;
    falseAlerts: number;
  }[];
}

/** Probation as the Numenta Anomaly Benchmark has it: 15 % of a series, 750 points at most. */
const probationOf = (points: number): number => Math.min(Math.floor(0.15 * points), 750);

/**
 * How the detector of series does on labelled ones: an alert is the point at which an anomaly begins. A window counts once, and
 * every alert outside of the windows counts as false; the first points of a series are for learning.
 */
export function scoreWindows(series: readonly LabelledSeries[]): WindowScore {
  const bySeries = series.map(({ name, points, windows }) => {
    const probation = probationOf(points.length);
    const detector = createSeriesDetector();
    const hits = new Set<number>();
    let falseAlerts = 0;
    points.forEach(([at, value], index) => {
      const { onset } = detector.observe(at, value);
      if (!onset || index < probation) return;
      const window = windows.findIndex(([from, to]) => from <= at && at <= to);
      if (window >= 0) hits.add(window);
      else falseAlerts += 1;
    });
    return { name, points: points.length - probation, windows: windows.length, hit: hits.size, falseAlerts };
  });
  const sum = (of: (one: (typeof bySeries)[number]) => number): number =>
    bySeries.reduce((total, one) => total + of(one), 0);
  const [points, windows, hit, falseAlerts] = [
    sum((one) => one.points),
    sum((one) => one.windows),
    sum((one) => one.hit),
    sum((one) => one.falseAlerts),
  ];
  return {
    series: series.length,
    points,
    windows,
    hit,
    hitShare: windows === 0 ? 0 : hit / windows,
    falseAlerts,
    falsePerThousand: points === 0 ? 0 : (falseAlerts * 1000) / points,
    threshold: ONSET,
    bySeries,
  };
}
