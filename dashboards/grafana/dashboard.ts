import {
  type Dashboard,
  DashboardBuilder,
  QueryVariableBuilder,
  VariableRefresh,
} from '@grafana/grafana-foundation-sdk/dashboard';
import { PanelBuilder as StatBuilder } from '@grafana/grafana-foundation-sdk/stat';
import { PanelBuilder as TableBuilder } from '@grafana/grafana-foundation-sdk/table';
import { PanelBuilder as TimeseriesBuilder } from '@grafana/grafana-foundation-sdk/timeseries';
import { COMPANY_VARIABLE, type PanelQuery, QUERIES } from './queries.ts';

/** The data source that provisioning makes. */
const DATA_SOURCE = { type: 'grafana-clickhouse-datasource', uid: 'closewatch' };

/** A query as the ClickHouse data source's editor of SQL stores it. */
const target = ({ sql, format }: PanelQuery) => ({
  build: () => ({
    refId: 'A',
    datasource: DATA_SOURCE,
    editorType: 'sql',
    queryType: format,
    format: format === 'table' ? 1 : 0,
    rawSql: sql,
    _implementsDataqueryVariant() {},
  }),
});

const stat = (title: string, description: string, query: PanelQuery) =>
  new StatBuilder()
    .title(title)
    .description(description)
    .datasource(DATA_SOURCE)
    .withTarget(target(query))
    .noValue('0')
    .height(4)
    .span(6);

const table = (title: string, description: string, query: PanelQuery) =>
  new TableBuilder()
    .title(title)
    .description(description)
    .datasource(DATA_SOURCE)
    .withTarget(target(query))
    .height(9)
    .span(12);

const series = (title: string, description: string, query: PanelQuery) =>
  new TimeseriesBuilder()
    .title(title)
    .description(description)
    .datasource(DATA_SOURCE)
    .withTarget(target(query))
    .fillOpacity(15)
    .lineWidth(1)
    .min(0)
    .height(8)
    .span(12);

/** The dashboard "Close readiness & exceptions". */
export function closewatchDashboard(): Dashboard {
  return new DashboardBuilder('Close readiness & exceptions')
    .uid('closewatch')
    .description('What stands in the way of the close, as GraphQL and the console show it.')
    .tags(['closewatch'])
    .timezone('utc')
    .time({ from: 'now-7d', to: 'now' })
    .refresh('1m')
    .readonly()
    .withVariable(
      new QueryVariableBuilder('company')
        .label('Company')
        .datasource(DATA_SOURCE)
        .query(COMPANY_VARIABLE)
        .refresh(VariableRefresh.OnTimeRangeChanged)
        .multi(true)
        .includeAll(true)
        .current({ selected: true, text: 'All', value: '$__all' }),
    )
    .withPanel(stat('Open exceptions', 'At the end of the range', QUERIES.openExceptions))
    .withPanel(stat('Critical', 'Any closes a gate', QUERIES.criticalExceptions))
    .withPanel(stat('Block the close', 'Any closes a gate', QUERIES.blockingExceptions))
    .withPanel(stat('Open incidents', 'Open or acknowledged', QUERIES.openIncidents))
    .withPanel(
      table('Open exceptions by severity and money', 'At the end of the range', QUERIES.exceptionsBySeverity),
    )
    .withPanel(table('Open exceptions by rule', 'At the end of the range', QUERIES.exceptionsByRule))
    .withPanel(series('Open exceptions', 'By severity', QUERIES.exceptionsOverTime))
    .withPanel(series('Incidents', 'Changes of incidents', QUERIES.incidentChanges))
    .withPanel(series('Finance events', 'By type and event time', QUERIES.eventsByType))
    .withPanel(series('Spans that ended in error', 'By service, each span once', QUERIES.errorSpans))
    .withPanel(table('Sources', 'When each last sent anything', QUERIES.sourceFreshness).span(24))
    .build();
}

/** The dashboard as dashboards/grafana/closewatch.json has it. */
export const printedDashboard = (): string => `${JSON.stringify(closewatchDashboard(), null, 2)}\n`;
