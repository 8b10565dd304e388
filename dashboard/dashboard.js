// Asks every two seconds while the page is seen, and shows what came. Everything else is in the panels.
import { getJson, getText, Refused, token, Unreachable } from './api.js';
import { showClients } from './clients.js';
import { announce, byId, make, setText, show } from './elements.js';
import { uptime } from './figures.js';
import { durationBuckets } from './metrics.js';
import { showChecks, showPool, showTargets, TrafficPanels, troublesOf } from './panels.js';
import {
  listenForEviction,
  refreshFallbacks,
  refreshNeedles,
  showCacheStats,
  showReload,
} from './tables.js';
import { TargetPanels } from './target-panels.js';
import { listenForBenchmark, listenForReading } from './try-panels.js';

const everyMs = 2000;
/** Lists are asked for with every third reading. */
const listsEvery = 3;
/** Of clients, volumes and needles. */
const busiestRows = 6;

let panels;
let readings = 0;
let timer;
let lastAnswerMs;
let lastTroubles = 0;
let verdict = '';

async function look() {
  const stats = await getJson('/stats');
  const isProxy = stats.role === 'proxy';
  const [text, health, busiest] = await Promise.all([
    getText('/metrics'),
    getJson('/health', [503]),
    isProxy ? getJson(`/api/traffic?limit=${busiestRows}`) : undefined,
  ]);
  return { atMs: Date.now(), stats, health, durations: durationBuckets(text), busiest };
}

async function step() {
  clearTimeout(timer);
  if (document.hidden) return;
  try {
    const reading = await look();
    build(reading.stats.role);
    panels.show(reading);
    showReload(reading.stats.configuration);
    showHead(reading);
    const troubles = panels.troubles(reading.stats);
    if (readings % listsEvery === 0 || troubles !== lastTroubles) await panels.lists();
    lastTroubles = troubles;
    readings += 1;
    lastAnswerMs = Date.now();
    setState('live');
  } catch (error) {
    failed(error);
  }
  if (document.body.dataset.state !== 'locked') timer = setTimeout(step, everyMs);
}

function failed(error) {
  if (error instanceof Refused && error.status === 401) {
    setText('token-error', token.get() === undefined ? '' : 'That is not the token.');
    token.forget();
    setState('locked');
    byId('token').focus();
    return;
  }
  const ago =
    lastAnswerMs === undefined ? 'yet' : `for ${Math.round((Date.now() - lastAnswerMs) / 1000)} s`;
  const words = error instanceof Unreachable ? `No answer ${ago}.` : `${error.message}.`;
  setState('gone');
  byId('banner').dataset.detail = words;
  setText('banner', `${subject()} does not answer: trying again every two seconds.`);
  setText('updated', words);
}

function subject() {
  return `The ${byId('role').textContent || 'role'}`;
}

/** loading, live, gone, locked. */
function setState(state) {
  const was = document.body.dataset.state;
  document.body.dataset.state = state;
  show('banner', state === 'gone');
  show('token-panel', state === 'locked');
  show('panels', panels !== undefined && state !== 'locked');
  show('forget-token', token.get() !== undefined && state !== 'locked');
  if (state === 'gone') setVerdict('unknown', 'no answer');
  if (state === 'locked') setVerdict('unknown', 'locked');
  if (was === 'gone' && state === 'live') announce(`${subject()} answers again.`);
}

function setVerdict(to, words) {
  byId('verdict').dataset.verdict = to;
  setText('verdict-text', words);
}

function showHead({ stats, health }) {
  setText('role', stats.role);
  setText('about', `${stats.version}, ${uptime(stats.uptimeSeconds)}`);
  setText('updated', `Updated ${new Date().toLocaleTimeString('en-GB')}`);
  document.title = `${health.status === 'ok' ? '' : `${health.status}: `}seaweed-rdma ${stats.role}`;
  setVerdict(health.status, health.status);
  if (verdict !== '' && verdict !== health.status) announce(`Health is ${health.status} now.`);
  verdict = health.status;
  showChecks(health.checks);
}

/** The panels of a role, once. */
function build(role) {
  if (panels !== undefined) return;
  const place = byId('panels');
  place.dataset.role = role;
  place.append(byId(`${role}-panels`).content.cloneNode(true));
  byId('configuration-place').replaceWith(byId('configuration-panel').content.cloneNode(true));
  show(place, true);
  panels = role === 'proxy' ? proxyPanels() : targetPanels();
  for (const panel of place.querySelectorAll('section')) {
    const title = panel.querySelector('h2');
    if (title.className === 'spoken') continue;
    const link = make('a', { href: `#${panel.id}`, text: title.textContent });
    byId('sections').append(make('li', {}, link));
  }
}

function proxyPanels() {
  const traffic = new TrafficPanels();
  listenForEviction();
  listenForReading();
  listenForBenchmark();
  return {
    show(reading) {
      traffic.show(reading);
      showClients(reading.stats, reading.busiest);
      showTargets(reading.stats.targets);
      showPool(reading.stats.arena);
      showCacheStats(reading.stats.cache);
    },
    lists: () => Promise.all([refreshNeedles(), refreshFallbacks()]),
    troubles: troublesOf,
  };
}

function targetPanels() {
  const panel = new TargetPanels();
  return { show: (reading) => panel.show(reading), lists: () => undefined, troubles: () => 0 };
}

byId('token-form').addEventListener('submit', (event) => {
  event.preventDefault();
  token.set(byId('token').value);
  byId('token').value = '';
  readings = 0;
  void step();
});
byId('forget-token').addEventListener('click', () => {
  token.forget();
  void step();
});
document.addEventListener('visibilitychange', () => void step());
void step();
