// Two line charts. What they show stands in a table beside each; their label says the latest values.
import uPlot from '/dashboard/uplot.js';

const shownSecondsMax = 300;
/** From the first reading on. */
const shownSecondsMin = 60;

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

/** `lines`: [{ label, colour (a custom property), dashed }]; `format`: of a value on the axis. */
export class LineChart {
  #holder;
  #lines;
  #format;
  #plot;
  #data;

  constructor(holder, lines, format) {
    this.#holder = holder;
    this.#lines = lines;
    this.#format = format;
    this.#data = [[], ...lines.map(() => [])];
    this.#draw();
    new ResizeObserver(() => this.#fit()).observe(holder);
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.#draw());
  }

  /** `times`: seconds; `values`: one list for each line, null where there is nothing. `label`: in words. */
  show(times, values, label) {
    this.#data = [times, ...values];
    this.#plot.setData(this.#data, false);
    const end = times.at(-1) ?? Date.now() / 1000;
    this.#plot.batch(() => {
      const span = end - (times[0] ?? end);
      const shown = Math.min(shownSecondsMax, Math.max(shownSecondsMin, span));
      this.#plot.setScale('x', { min: end - shown, max: end });
      this.#plot.setScale('y', { min: 0, max: topOf(values) });
    });
    this.#holder.setAttribute('aria-label', label);
  }

  #fit() {
    const { clientWidth, clientHeight } = this.#holder;
    if (clientWidth > 0) this.#plot.setSize({ width: clientWidth, height: clientHeight });
  }

  #draw() {
    this.#plot?.destroy();
    const axis = {
      stroke: colour('--soft'),
      font: '12px system-ui, sans-serif',
      grid: { stroke: colour('--line'), width: 1 },
      ticks: { show: false },
    };
    const { clientWidth, clientHeight } = this.#holder;
    const options = {
      width: Math.max(200, clientWidth),
      height: clientHeight,
      padding: [10, 26, 0, 0],
      legend: { show: false },
      cursor: { show: false },
      scales: { x: { time: true, auto: false }, y: { auto: false } },
      axes: [
        { ...axis, grid: { show: false }, size: 26, space: 70, values: clockTimes },
        { ...axis, size: 62, values: (_plot, ticks) => ticks.map((tick) => this.#format(tick)) },
      ],
      series: [
        {},
        ...this.#lines.map((line) => ({
          label: line.label,
          stroke: colour(line.colour),
          width: 2,
          dash: line.dashed ? [6, 4] : undefined,
          points: { show: false },
          spanGaps: false,
        })),
      ],
    };
    this.#plot = new uPlot(options, this.#data, this.#holder);
    this.show(this.#data[0], this.#data.slice(1), this.#holder.getAttribute('aria-label') ?? '');
  }
}

function topOf(values) {
  const top = Math.max(0, ...values.flat().filter((value) => value !== null));
  return top === 0 ? 1 : top * 1.15;
}

function clockTimes(_plot, seconds) {
  const clock = { hour: '2-digit', minute: '2-digit', second: '2-digit', hour12: false };
  return seconds.map((each) => new Date(each * 1000).toLocaleTimeString('en-GB', clock));
}
