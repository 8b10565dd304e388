/** Makes deploy/grafana/seaweed-rdma.json: node scripts/grafana-dashboard.ts. A test compares the two. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { fabricRows } from './grafana/fabric-rows.ts';
import { type Query, type Row, series } from './grafana/panels.ts';
import { processRows } from './grafana/process-rows.ts';
import { trafficRows } from './grafana/traffic-rows.ts';

const file = join(import.meta.dirname, '..', 'deploy', 'grafana', 'seaweed-rdma.json');
const columns = 24;
// biome-ignore lint/suspicious/noTemplateCurlyInString: it is Grafana's.
const datasource = { type: 'prometheus', uid: '${datasource}' };

/** The text of the dashboard's file. */
export function dashboardText(): string {
  return `${JSON.stringify(dashboard(), undefined, 2)}\n`;
}

function dashboard(): object {
  return {
    uid: 'seaweed-rdma',
    title: 'seaweed-rdma',
    description:
      'Proxies and targets: traffic, latency, fallbacks, cache, targets, memory, processes.',
    tags: ['seaweedfs', 'rdma'],
    schemaVersion: 39,
    version: 1,
    editable: true,
    graphTooltip: 1,
    refresh: '30s',
    time: { from: 'now-1h', to: 'now' },
    timezone: 'browser',
    annotations: {
      list: [
        annotation('Starts', `changes(${series('process_start_time_seconds')}[2m]) > 0`, {
          iconColor: 'purple',
          titleFormat: '{{instance}} started',
        }),
        annotation('Alerts', 'ALERTS{alertname=~"SeaweedRdma.*", alertstate="firing"}', {
          iconColor: 'red',
          titleFormat: '{{alertname}}',
          tagKeys: 'instance,target',
        }),
      ],
    },
    templating: {
      list: [
        {
          name: 'datasource',
          label: 'Data source',
          type: 'datasource',
          query: 'prometheus',
          refresh: 1,
          hide: 0,
          current: {},
        },
        variable('instance', 'Instance', 'label_values(rdma_sessions_active, instance)'),
        variable(
          'node',
          'Kubernetes node',
          'label_values(rdma_sessions_active{instance=~"$instance"}, node)',
        ),
      ],
    },
    links: [],
    panels: laidOut([...trafficRows, ...fabricRows, ...processRows]),
  };
}

function annotation(name: string, expr: string, more: object): object {
  return { name, datasource, enable: true, hide: false, expr, ...more };
}

function variable(name: string, label: string, query: string): object {
  return {
    name,
    label,
    type: 'query',
    datasource,
    query: { query, refId: 'StandardVariableQuery' },
    definition: query,
    refresh: 2,
    sort: 1,
    multi: true,
    includeAll: true,
    // Matches series without the label too.
    allValue: '.*',
    current: { text: ['All'], value: ['$__all'] },
  };
}

/** Row by row, from left to right. */
function laidOut(rows: readonly Row[]): readonly object[] {
  const panels: object[] = [];
  const add = (panel: object): unknown => panels.push({ id: panels.length + 1, ...panel });
  let y = 0;
  for (const row of rows) {
    const gridPos = { h: 1, w: columns, x: 0, y };
    add({ type: 'row', title: row.title, collapsed: false, gridPos, panels: [] });
    y += 1;
    let x = 0;
    let tallest = 0;
    for (const { width, height, targets, defaults, ...panel } of row.panels) {
      if (x + width > columns) {
        y += tallest;
        x = 0;
        tallest = 0;
      }
      add({
        ...panel,
        datasource,
        gridPos: { h: height, w: width, x, y },
        targets: targets.map(query),
        fieldConfig: { defaults, overrides: [] },
      });
      x += width;
      tallest = Math.max(tallest, height);
    }
    y += tallest;
  }
  return panels;
}

function query({ expr, legend, format, isInstant = false }: Query, index: number): object {
  return {
    refId: 'ABCDEFGH'[index],
    datasource,
    editorMode: 'code',
    expr,
    legendFormat: legend === '' ? '__auto' : legend,
    range: !isInstant,
    instant: isInstant,
    ...(format === undefined ? {} : { format }),
  };
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  writeFileSync(file, dashboardText());
}
