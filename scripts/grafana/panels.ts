/** Builders of Grafana panels, and of the PromQL in them. `$instance`, `$node` and `$__rate_interval` are Grafana's. */

export interface Query {
  readonly expr: string;
  /** '': Grafana names the series by their labels. */
  readonly legend: string;
  readonly format?: 'heatmap' | 'table';
  readonly isInstant?: boolean;
}

/** A panel of Grafana's without its place; the keys that are not named here are Grafana's own. */
export interface Panel {
  readonly type: string;
  readonly title: string;
  readonly description: string;
  readonly width: number;
  readonly height: number;
  readonly targets: readonly Query[];
  readonly defaults: object;
  readonly options: object;
  readonly transformations?: readonly object[];
}

export interface Row {
  readonly title: string;
  readonly panels: readonly Panel[];
}

/** Expression and legend. */
type Line = readonly [expr: string, legend: string];

interface LinesMore {
  readonly width?: number;
  readonly isStacked?: boolean;
  readonly max?: number;
}

interface NumberMore {
  readonly width?: number;
  readonly height?: number;
  /** From which value on which color; the first from nothing. */
  readonly steps?: readonly (readonly [from: number | null, color: string])[];
}

interface StateName {
  readonly text: string;
  readonly color: string;
}

type StateNames = Readonly<Record<0 | 1, StateName>>;

const selected = 'instance=~"$instance", node=~"$node"';

/** One metric of the selected instances; `more`: further matchers. */
export const series = (metric: string, more = ''): string =>
  `${metric}{${selected}${more === '' ? '' : `, ${more}`}}`;

export const rate = (metric: string, more = '', by = ''): string =>
  `${aggregate(by)}(rate(${series(metric, more)}[$__rate_interval]))`;

export const sum = (metric: string, more = '', by = ''): string =>
  `${aggregate(by)}(${series(metric, more)})`;

function aggregate(by: string): string {
  return by === '' ? 'sum' : `sum by (${by}) `;
}

/** Lines over time. */
export function lines(
  title: string,
  description: string,
  unit: string,
  targets: readonly Line[],
  more: LinesMore = {},
): Panel {
  const { width = 8, isStacked = false, max } = more;
  return {
    type: 'timeseries',
    title,
    description,
    width,
    height: 8,
    targets: targets.map(([expr, legend]) => ({ expr, legend })),
    defaults: {
      unit,
      min: 0,
      custom: {
        drawStyle: 'line',
        lineWidth: 1,
        fillOpacity: isStacked ? 20 : 5,
        showPoints: 'never',
        stacking: { mode: isStacked ? 'normal' : 'none', group: 'A' },
      },
      ...(max === undefined ? {} : { max }),
    },
    options: {
      legend: { displayMode: 'list', placement: 'bottom', showLegend: true },
      tooltip: { mode: 'multi', sort: 'desc' },
    },
  };
}

export function number(
  title: string,
  description: string,
  unit: string,
  expr: string,
  more: NumberMore = {},
): Panel {
  const { width = 4, height = 4, steps = [[null, 'blue'] as const] } = more;
  return {
    type: 'stat',
    title,
    description,
    width,
    height,
    targets: [{ expr, legend: '' }],
    defaults: {
      unit,
      color: { mode: 'thresholds' },
      thresholds: { mode: 'absolute', steps: steps.map(([value, color]) => ({ color, value })) },
    },
    options: {
      reduceOptions: { calcs: ['lastNotNull'], fields: '', values: false },
      colorMode: 'value',
      graphMode: 'area',
      textMode: 'auto',
      orientation: 'auto',
      justifyMode: 'auto',
    },
  };
}

export function heatmap(title: string, description: string, expr: string): Panel {
  return {
    type: 'heatmap',
    title,
    description,
    width: 12,
    height: 8,
    targets: [{ expr, legend: '{{le}}', format: 'heatmap' }],
    defaults: {},
    options: {
      calculate: false,
      yAxis: { unit: 's', axisPlacement: 'left' },
      color: { mode: 'scheme', scheme: 'Turbo', steps: 64 },
      cellGap: 1,
      rowsFrame: { layout: 'auto' },
      tooltip: { mode: 'single', yHistogram: false },
      legend: { show: true },
    },
  };
}

/** A panel for series that are 0 or 1; `names`: what these mean, with their colors. */
export function states(
  title: string,
  description: string,
  [expr, legend]: Line,
  names: StateNames = defaultNames,
): Panel {
  return {
    type: 'state-timeline',
    title,
    description,
    width: 8,
    height: 8,
    targets: [{ expr, legend }],
    defaults: {
      unit: 'none',
      color: { mode: 'thresholds' },
      mappings: [{ type: 'value', options: names }],
      thresholds: {
        mode: 'absolute',
        steps: [
          { color: names[0].color, value: null },
          { color: names[1].color, value: 1 },
        ],
      },
      custom: { fillOpacity: 70, lineWidth: 0 },
    },
    options: {
      mergeValues: true,
      showValue: 'never',
      legend: { displayMode: 'list', placement: 'bottom', showLegend: false },
    },
  };
}

const defaultNames: StateNames = {
  0: { text: 'down', color: 'red' },
  1: { text: 'up', color: 'green' },
};

/** The labels of the series, one row each. */
export function table(title: string, description: string, expr: string): Panel {
  return {
    type: 'table',
    title,
    description,
    width: 12,
    height: 8,
    targets: [{ expr, legend: '', format: 'table', isInstant: true }],
    defaults: {},
    options: { showHeader: true, cellHeight: 'sm' },
    transformations: [
      { id: 'organize', options: { excludeByName: { Time: true, Value: true, __name__: true } } },
    ],
  };
}
