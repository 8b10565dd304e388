// The cache's contents, the recent fallbacks, and the configuration.
import { getJson, post } from './api.js';
import { announce, byId, keyed, make, row, setCells, setText, show } from './elements.js';
import { bytes, duration, nothing, share, whole } from './figures.js';
import { showBar } from './panels.js';
import { reasons } from './reasons.js';

const listedNeedles = 7;
const listedFallbacks = 12;
const hitsMax = 255;

export function showCacheStats(cache) {
  const { hits, misses, validations, validatedHits, evictions, needles } = cache;
  showBar('cache-bar', cache.bytes, cache.bytesMax, 'Cache use');
  const isOff = cache.bytesMax === 0;
  setText(
    'cache-use',
    isOff
      ? 'off: cache.size is 0'
      : `${bytes(cache.bytes)} of ${bytes(cache.bytesMax)}, hit ratio ${share(hits, hits + misses)}`,
  );
  setText('c-needles', whole(needles));
  setText('c-hits', whole(hits));
  setText('c-misses', whole(misses));
  setText('c-validated', validations === 0 ? nothing : (validatedHits / validations).toFixed(1));
  setText(
    'c-decoded',
    cache.decodedForms === 0 ? '0' : `${whole(cache.decodedForms)}, ${bytes(cache.decodedBytes)}`,
  );
  const left = Object.entries(evictions).filter(([, count]) => count > 0);
  const all = left.reduce((sum, [, count]) => sum + count, 0);
  const why = left.map(([reason, count]) => `${reason} ${whole(count)}`).join(', ');
  setText('c-evictions', all === 0 ? '0' : `${whole(all)} (${why})`);
}

export async function refreshNeedles() {
  const { needles } = await getJson(`/api/cache?limit=${listedNeedles}`);
  show('needles', needles.length > 0);
  show('needles-empty', needles.length === 0);
  keyed(
    byId('needles').tBodies[0],
    needles,
    ({ volumeId, needleId }) => `${volumeId},${needleId}`,
    needleRow,
    (cells, { volumeId, needleId, bytes: size, hits, decoded }) => {
      const often = hits >= hitsMax ? `${hitsMax}+` : whole(hits);
      const form = decoded ? `${bytes(size)}, decoded too` : bytes(size);
      setCells(cells, String(volumeId), needleId, form, often);
    },
  );
}

function needleRow({ volumeId, needleId }) {
  const made = row(['', 'mono', 'n', 'n', 'n']);
  const label = `Evict needle ${needleId} of volume ${volumeId}`;
  const button = make('button', { type: 'button', text: 'Evict', 'aria-label': label });
  button.addEventListener('click', async () => {
    const place = made.rowIndex;
    await evict({ needles: [{ volumeId, needleId }] });
    if (made.isConnected) return;
    // Its row is gone: whoever goes on with the keyboard goes on from the next one.
    const { rows } = byId('needles');
    const next = rows[Math.min(place, rows.length - 1)]?.querySelector('button');
    (next ?? byId('evict-all')).focus();
  });
  made.cells[4].append(button);
  return made;
}

/** Says what came of it, and shows what is there then. */
export async function evict(choice) {
  try {
    const { evicted } = await post('/api/cache/evict', choice);
    setText(
      'evict-note',
      evicted === 1 ? '1 needle evicted.' : `${whole(evicted)} needles evicted.`,
    );
    await refreshNeedles();
    return evicted;
  } catch (error) {
    setText('evict-note', error.message);
    return undefined;
  }
}

export function listenForEviction() {
  const dialog = byId('evict-dialog');
  byId('evict-all').addEventListener('click', () => dialog.showModal());
  dialog.addEventListener('close', () => {
    if (dialog.returnValue === 'evict') void evict({ all: true });
    dialog.returnValue = '';
  });
}

export async function refreshFallbacks() {
  const { fallbacks } = await getJson(`/api/fallbacks?limit=${listedFallbacks}`);
  show('fallbacks-empty', fallbacks.length === 0);
  show('fallback-table', fallbacks.length > 0);
  const causes = [...new Set(fallbacks.map(({ reason }) => reason))];
  keyed(
    byId('fallback-advice'),
    causes,
    (reason) => reason,
    (reason) => {
      const { when = '', todo = '' } = reasons[reason] ?? {};
      return make('li', {}, make('b', { text: reason }), `: ${when}. What to do: ${todo}.`);
    },
    () => undefined,
  );
  let seen = new Map();
  keyed(
    byId('fallback-table').tBodies[0],
    fallbacks.map((each) => ({ ...each, key: uniqueKey(seen, each) })),
    ({ key }) => key,
    fallbackRow,
    () => undefined,
  );
  seen = undefined;
  const [latest] = fallbacks;
  if (latest !== undefined) announce(`Latest fallback: ${latest.reason} at ${clock(latest.at)}`);
}

function uniqueKey(seen, { at, path, reason }) {
  const key = `${at} ${reason} ${path}`;
  const count = (seen.get(key) ?? 0) + 1;
  seen.set(key, count);
  return `${key} ${count}`;
}

function fallbackRow({ at, outcome, reason, method, path, durationMs }) {
  const made = row(['n', '', 'mono', 'n wide']);
  made.cells[0].append(make('time', { datetime: at, text: clock(at) }));
  made.cells[0].className = '';
  const kind = outcome === 'error' ? 'error' : 'trouble';
  made.cells[1].append(make('span', { className: `tag ${kind}`, text: reason }));
  if (outcome === 'error') made.cells[1].append(' error');
  setText(made.cells[2], `${method} ${path}`);
  setText(made.cells[3], duration(durationMs / 1000));
  return made;
}

function clock(at) {
  return new Date(at).toLocaleTimeString('en-GB');
}

let shownReloads;

/** Anew after each reload of the file. */
export function showReload(configuration) {
  const reloads = configuration?.reloads ?? 0;
  if (reloads !== shownReloads) void showConfiguration();
  shownReloads = reloads;
  if (configuration === undefined) return;
  const { loadedAt, lastReload } = configuration;
  setText('config-loaded', reloadWords(lastReload) ?? `Read when it started, ${when(loadedAt)}.`);
}

function reloadWords(lastReload) {
  if (lastReload === null) return undefined;
  const { at, ok, needRestart, problems } = lastReload;
  if (!ok) return `Read again ${when(at)}: ${problems.length} errors, so nothing was changed.`;
  const waiting = needRestart.map(({ key }) => key).join(', ');
  const more = waiting === '' ? 'all of it is in effect' : `waiting for a restart: ${waiting}`;
  return `Read again ${when(at)}: ${more}.`;
}

function when(at) {
  return new Date(at).toLocaleString('en-GB');
}

async function showConfiguration() {
  let keys = [];
  try {
    ({ keys } = await getJson('/api/config'));
  } catch (error) {
    show('config-table', false);
    show('config-empty', true);
    setText('config-empty', error.message);
    return;
  }
  const filter = byId('config-filter');
  const onlySet = byId('config-set');
  const draw = () => {
    const wanted = filter.value.trim().toLowerCase();
    const shown = keys.filter(({ key, value, from }) => {
      const text = `${key} ${JSON.stringify(value)} ${from}`.toLowerCase();
      return text.includes(wanted) && !(onlySet.checked && from.startsWith('default'));
    });
    show('config-table', shown.length > 0);
    show('config-empty', shown.length === 0);
    setText('config-empty', 'No key is like that.');
    setText('config-count', `${shown.length} of ${keys.length} keys${fileOf(keys)}`);
    keyed(byId('config-table').tBodies[0], shown, ({ key }) => key, configRow, setConfig);
  };
  filter.oninput = draw;
  onlySet.onchange = draw;
  draw();
}

function configRow() {
  return row(['mono', 'mono', 'soft name']);
}

function setConfig(cells, { key, value, from }) {
  setCells(cells, key, JSON.stringify(value), placeOf(from));
  cells.cells[2].title = from;
}

/** Which file it was is said once, above. */
function placeOf(from) {
  return from.replace(/^.*\//, '').replace(/^(.*):(\d+)$/, 'line $2');
}

function fileOf(keys) {
  const inFile = keys.map(({ from }) => /^(.*):\d+$/.exec(from)?.[1]).find((file) => file);
  return inFile === undefined ? '' : `, from ${inFile}`;
}
