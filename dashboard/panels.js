// Traffic, latency, targets and pool of a proxy: from two readings of /stats and /metrics to what is shown.
import { LineChart } from './charts.js';
import { announce, byId, keyed, make, row, setCells, setText, show } from './elements.js';
import { axisDuration, bytes, duration, nothing, rate, share, whole } from './figures.js';
import { between, countOf, percentile, sumOf } from './metrics.js';
import { reasons } from './reasons.js';

export const outcomes = ['cache', 'rdma', 'passthrough', 'error'];
const lines = [
  { label: 'cache', colour: '--accent' },
  { label: 'rdma', colour: '--accent', dashed: true },
  { label: 'passthrough', colour: '--pass' },
  { label: 'error', colour: '--bad' },
];
/** Readings kept: five minutes of them. */
const readingsMax = 150;
/** Percentiles of the table are of this long, those of the chart's points of a third of it. */
const windowMs = 30_000;
const pointMs = 10_000;
const here = ({ cache, rdma }) => cache + rdma;

export class TrafficPanels {
  #readings = [];
  #traffic = new LineChart(byId('traffic-chart'), lines, rate);
  #latency = new LineChart(byId('latency-chart'), lines, axisDuration);
  #points = [];

  /** A reading: { atMs, stats, durations }. */
  show(reading) {
    const before = this.#readings.at(-1);
    const hasRestarted =
      before !== undefined && before.stats.uptimeSeconds > reading.stats.uptimeSeconds;
    if (hasRestarted) {
      this.#readings = [];
      this.#points = [];
    }
    this.#readings.push(reading);
    if (this.#readings.length > readingsMax) this.#readings.shift();
    const last = hasRestarted ? undefined : before;
    this.#showFigures(reading, last);
    this.#showOutcomes(reading, last);
    this.#showReasons(reading, last);
    this.#showPercentiles(reading);
    this.#showCharts(reading, last);
  }

  /** The reading from which on `ms` have passed; the first where there is none so old. */
  #since(ms, { atMs }) {
    const old = this.#readings.filter((reading) => atMs - reading.atMs >= ms);
    return old.at(-1) ?? this.#readings[0];
  }

  #showFigures({ atMs, stats }, before) {
    const { requests, cache } = stats;
    const perSecond = ratesBetween(before, { atMs, stats });
    setText('f-rate', rate(perSecond?.((each) => each.requests.requests)));
    setText('f-bytes', bytes(perSecond?.((each) => each.requests.bodyBytes)));
    setText('f-here', share(here(requests.outcomes), requests.requests));
    setText('f-here-note', `of ${whole(requests.requests)} requests`);
    setText('f-hits', share(cache.hits, cache.hits + cache.misses));
    setText('f-flight', whole(stats.requestsInFlight));
    setText('f-connections', `on ${whole(stats.connections)} connections`);
  }

  #showOutcomes({ atMs, stats }, before) {
    const perSecond = ratesBetween(before, { atMs, stats });
    const { requests } = stats;
    keyed(
      byId('outcomes').tBodies[0],
      outcomes,
      (outcome) => outcome,
      outcomeRow,
      (cells, outcome) => {
        const total = requests.outcomes[outcome];
        const now = rate(perSecond?.((each) => each.requests.outcomes[outcome]));
        setCells(cells, undefined, now, whole(total), share(total, requests.requests));
      },
    );
  }

  #showReasons({ atMs, stats }, before) {
    const perSecond = ratesBetween(before, { atMs, stats });
    const counted = [
      ...Object.entries(stats.requests.passthrough).map(([reason, total]) => ({
        reason,
        total,
        of: 'passthrough',
      })),
      ...Object.entries(stats.requests.errors).map(([reason, total]) => ({
        reason,
        total,
        of: 'errors',
      })),
    ].sort((a, b) => b.total - a.total);
    show('reasons', counted.length > 0);
    show('reasons-empty', counted.length === 0 && stats.requests.requests > 0);
    keyed(
      byId('reasons').tBodies[0],
      counted,
      ({ of, reason }) => `${of} ${reason}`,
      reasonRow,
      (cells, { reason, total, of }) => {
        const now = rate(perSecond?.((each) => each.requests[of][reason] ?? 0));
        setCells(cells, undefined, now, whole(total), reasons[reason]?.when ?? '');
      },
    );
  }

  #showPercentiles(reading) {
    const first = this.#since(windowMs, reading);
    const isAll = first === reading;
    const seconds = Math.round((reading.atMs - first.atMs) / 1000);
    setText('latency-window', isAll ? 'since the start' : `last ${seconds} s`);
    const windows = outcomes.map((outcome) => {
      const now = reading.durations[outcome] ?? [];
      return { outcome, buckets: isAll ? now : between(first.durations[outcome], now) };
    });
    keyed(
      byId('percentiles').tBodies[0],
      windows,
      ({ outcome }) => outcome,
      ({ outcome }) => outcomeRow(outcome, 5),
      (cells, { buckets }) => {
        const at = (wanted) => duration(percentile(buckets, wanted));
        setCells(cells, undefined, whole(countOf(buckets)), at(0.5), at(0.9), at(0.99));
      },
    );
    const all = sumOf(windows.map(({ buckets }) => buckets).filter(({ length }) => length > 0));
    setText('f-p99', duration(percentile(all, 0.99)));
    setText('f-p99-note', isAll ? 'since the start' : `last ${seconds} s`);
  }

  #showCharts(reading, before) {
    const perSecond = ratesBetween(before, reading);
    if (perSecond === undefined) return;
    const first = this.#since(pointMs, reading);
    this.#points.push({
      at: reading.atMs / 1000,
      rates: outcomes.map((outcome) => perSecond((each) => each.requests.outcomes[outcome])),
      p99: outcomes.map((outcome) => {
        const buckets = between(first.durations[outcome], reading.durations[outcome] ?? []);
        return percentile(buckets, 0.99) ?? null;
      }),
    });
    if (this.#points.length > readingsMax) this.#points.shift();
    const times = this.#points.map(({ at }) => at);
    const values = (of) => outcomes.map((_, index) => this.#points.map((each) => each[of][index]));
    const { rates, p99 } = this.#points.at(-1);
    const said = (list, format) =>
      outcomes.map((outcome, index) => `${outcome} ${format(list[index] ?? undefined)}`).join(', ');
    this.#traffic.show(times, values('rates'), `Requests per second now: ${said(rates, rate)}`);
    const label = `99th percentile of the last ten seconds: ${said(p99, duration)}`;
    this.#latency.show(times, values('p99'), label);
  }
}

/** Requests that /api/fallbacks would list. */
export function troublesOf({ requests }) {
  const troubles = Object.entries(requests.passthrough).filter(
    ([reason]) => reasons[reason]?.kind === 'trouble',
  );
  return troubles.reduce((sum, [, count]) => sum + count, requests.outcomes.error);
}

/** How fast something grew; undefined before there are two readings. */
function ratesBetween(before, { atMs, stats }) {
  if (before === undefined) return undefined;
  const seconds = (atMs - before.atMs) / 1000;
  return (of) => Math.max(0, (of(stats) - of(before.stats)) / seconds);
}

function outcomeRow(outcome, columns = 4) {
  const made = row(['name', ...Array.from({ length: columns - 1 }, () => 'n')]);
  if (columns === 5) made.cells[3].classList.add('wide');
  made.cells[0].append(make('span', { className: `swatch ${outcome}` }), outcome);
  return made;
}

function reasonRow({ reason, of }) {
  const made = row(['', 'n', 'n', 'wide soft']);
  const isTrouble = reasons[reason]?.kind === 'trouble';
  const kind = of === 'errors' ? 'error' : isTrouble ? 'trouble' : '';
  made.cells[0].append(make('span', { className: `tag ${kind}`, text: reason }));
  if (of === 'errors') made.cells[0].append(' as an error');
  return made;
}

const wasUp = new Map();

export function showTargets(targets) {
  keyed(
    byId('target-list'),
    targets,
    ({ upstreamUrl }) => upstreamUrl,
    () => {
      const line = make('div', { className: 'line' });
      line.append(make('span', { className: 'name' }), make('span', { className: 'state' }));
      const facts = make('dl', { className: 'facts' });
      const names = ['Transport', 'Ping', 'Breaker', 'Lost', 'Volumes', 'Volume server', 'Rails'];
      for (const name of names) {
        facts.append(make('div', {}, make('dt', { text: name }), make('dd')));
      }
      return make('li', {}, line, facts);
    },
    (item, target) => {
      const state = target.state?.kind ?? 'none';
      const [name, stateText] = item.querySelectorAll('.line span');
      setText(name, target.address === '' ? target.upstreamUrl : target.address);
      const words = { up: 'up', down: 'down', connecting: 'connecting', none: 'no target' };
      setText(stateText, words[state]);
      stateText.className = `state ${state}`;
      const why = state === 'down' ? `${target.state.status}: ${target.state.detail}` : nothing;
      const [transport, ping, breaker, lost, volumes, upstream, rails] =
        item.querySelectorAll('dd');
      rails.parentNode.hidden = target.rails === undefined;
      setText(rails, (target.rails ?? []).map(railText).join('; '));
      const { pingUs, lost: sessionsLost } = target.counted ?? {};
      setText(ping, duration(pingUs === undefined ? undefined : pingUs / 1e6));
      setText(lost, sessionsLost === undefined ? nothing : times(sessionsLost));
      setText(transport, state === 'up' ? target.state.transport : why);
      setText(breaker, target.breaker);
      setText(volumes, `${target.volumesConfirmed} of ${target.volumes} confirmed`);
      const answers = target.isUpstreamUp ? 'answers' : 'does not answer';
      setText(upstream, `${answers}, ${target.upstreamUrl.replace('http://', '')}`);
      const last = wasUp.get(target.upstreamUrl);
      if (last !== undefined && last !== state) announce(`${name.textContent} is ${words[state]}`);
      wasUp.set(target.upstreamUrl, state);
    },
  );
}

function railText({ name, state, transport, bytesFetched, reason }) {
  const carries = state === 'admitted' || state === 'trial';
  return `${name} ${state}, ${carries ? `${transport}, ${bytes(bytesFetched)}` : reason}`;
}

function times(count) {
  return count === 1 ? 'once' : count === 0 ? 'never' : `${whole(count)} times`;
}

export function showPool(arena) {
  if (arena === undefined) {
    setText('pool-use', 'none: mode = "off"');
    return;
  }
  const { bytesLeased, bytesTotal, leasesOutstanding, leaseLeaks, pageKind } = arena;
  showBar('pool-bar', bytesLeased, bytesTotal, 'Pool use');
  setText(
    'pool-use',
    `${bytes(bytesLeased)} of ${bytes(bytesTotal)}, ${share(bytesLeased, bytesTotal)}`,
  );
  setText('p-leases', whole(leasesOutstanding));
  setText('p-leaks', whole(leaseLeaks));
  setText('p-refusals', arena.refusals === undefined ? nothing : whole(arena.refusals));
  setText('p-pages', { hugetlb: '2 MiB', transparent: 'transparent', normal: '4 KiB' }[pageKind]);
}

export function showBar(id, part, all, label) {
  const bar = byId(id);
  const percent = all === 0 ? 0 : Math.min(100, (100 * part) / all);
  bar.firstElementChild.style.width = `${percent.toFixed(1)}%`;
  bar.setAttribute('aria-label', `${label}: ${percent.toFixed(0)} percent`);
}

export function showChecks(checks) {
  const troubled = Object.entries(checks).filter(([, { status }]) => status !== 'ok');
  const shown =
    troubled.length === 0 ? [['Everything', { status: 'ok', detail: 'is well' }]] : troubled;
  keyed(
    byId('checks'),
    shown,
    ([name]) => name,
    ([name]) => make('li', {}, make('b', { text: name }), ' ', make('span')),
    (item, [, { status, detail }]) => {
      setText(item.lastElementChild, detail);
      item.lastElementChild.className = `state ${status}`;
    },
  );
}
