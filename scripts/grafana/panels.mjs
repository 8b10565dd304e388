// Builders of Grafana panels, and of the PromQL in them. `$instance`, `$node` and `$__rate_interval` are Grafana's.

const selected = 'instance=~"$instance", node=~"$node"';

/** One metric of the selected instances; `more`: further matchers. */
export const series = (metric, more = '') =>
  `${metric}{${selected}${more === '' ? '' : `, ${more}`}}`;

export const rate = (metric, more = '', by = '') =>
  `${aggregate(by)}(rate(${series(metric, more)}[$__rate_interval]))`;

export const sum = (metric, more = '', by = '') => `${aggregate(by)}(${series(metric, more)})`;

export const quantile = (of, metric, by = '', more = '') =>
  `histogram_quantile(${of}, ${rate(`${metric}_bucket`, more, by === '' ? 'le' : `le, ${by}`)})`;

function aggregate(by) {
  return by === '' ? 'sum' : `sum by (${by}) `;
}

/** Lines over time; `targets`: [expression, legend]. */
export function lines(title, description, unit, targets, more = {}) {
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

/** One number; `steps`: [from, color], the first from nothing. */
export function number(title, description, unit, expr, more = {}) {
  const { width = 4, height = 4, steps = [[null, 'blue']] } = more;
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

export function heatmap(title, description, expr) {
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
export function states(title, description, [expr, legend], names = defaultNames) {
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

const defaultNames = { 0: { text: 'down', color: 'red' }, 1: { text: 'up', color: 'green' } };

/** The labels of the series, one row each. */
export function table(title, description, expr) {
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
