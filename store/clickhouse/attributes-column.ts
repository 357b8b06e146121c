import { LowCardinalityColumn, StringColumn } from './native/columns.ts';
import { MapColumn } from './native/nested.ts';

/** `Map(LowCardinality(String), String)`: attributes, as every table of telemetry has them. */
export type AttributesColumn = MapColumn<LowCardinalityColumn, StringColumn>;
export const attributes = (): AttributesColumn =>
  new MapColumn(new LowCardinalityColumn(), new StringColumn());
