import {
  type Dashboard,
  DashboardBuilder,
  QueryVariableBuilder,
  VariableRefresh,
} from '@grafana/grafana-foundation-sdk/dashboard';
import { PanelBuilder as StatBuilder } from '@grafana/grafana-foundation-sdk/stat';
import { PanelBuilder as TableBuilder } from '@grafana/grafana-foundation-sdk/table';
import { PanelBuilder as TimeseriesBuilder } from '@grafana/grafana-foundation-sdk/timeseries';
import { COMPANY_VARIABLE, type PanelQuery, PERIOD_VARIABLE, QUERIES } from './queries.ts';

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

/** A choice of several values, or all, that a query fills. */
const variable = (name: string, label: string, query: string) =>
  new QueryVariableBuilder(name)
    .label(label)
    .datasource(DATA_SOURCE)
    .query(query)
    .refresh(VariableRefresh.OnTimeRangeChanged)
    .multi(true)
    .includeAll(true)
    .current({ selected: true, text: 'All', value: '$__all' });

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
    .withVariable(variable('company', 'Company', COMPANY_VARIABLE))
    .withVariable(variable('period', 'Period', PERIOD_VARIABLE))
    .withPanel(table('Readiness', 'The verdict at the end of the range, since when', QUERIES.readiness))
    .withPanel(table('Gates', 'A blocked one means not ready; an unknown one is never passed', QUERIES.gates))
    .withPanel(
      table('Open in the period', 'Exceptions of documents that began before its end', QUERIES.openInPeriod),
    )
    .withPanel(table('Waived in the period', 'Waived money stays visible', QUERIES.waived))
    .withPanel(stat('Open exceptions', 'Of every period, at the end of the range', QUERIES.openExceptions))
    .withPanel(stat('Critical', 'Of every period, at the end of the range', QUERIES.criticalExceptions))
    .withPanel(
      stat('Block the close', 'Of every period, at the end of the range', QUERIES.blockingExceptions),
    )
    .withPanel(stat('Open incidents', 'Open or acknowledged', QUERIES.openIncidents))
    .withPanel(
      table(
        'Open exceptions by severity and money',
        'Of every period, at the end of the range',
        QUERIES.exceptionsBySeverity,
      ),
    )
    .withPanel(
      table('Open exceptions by rule', 'Of every period, at the end of the range', QUERIES.exceptionsByRule),
    )
    .withPanel(series('Open exceptions', 'By severity', QUERIES.exceptionsOverTime))
    .withPanel(series('Incidents', 'Changes of incidents', QUERIES.incidentChanges))
    .withPanel(series('Finance events', 'By type and event time', QUERIES.eventsByType))
    .withPanel(series('Spans that ended in error', 'By service, each span once', QUERIES.errorSpans))
    .withPanel(
      table('Sources', 'Up to when each is complete, as of when it was last judged', QUERIES.freshness).span(
        24,
      ),
    )
    .build();
}

/** The dashboard as dashboards/grafana/closewatch.json has it. */
export const printedDashboard = (): string => `${JSON.stringify(closewatchDashboard(), null, 2)}\n`;
