// To try from the page: one needle, and a benchmark. Both go through the proxy's own HTTP listener.
import { post, readNeedle } from './api.js';
import { byId, make, row, setCells, setText, show } from './elements.js';
import { bytes, duration, rate, whole } from './figures.js';
import { evict, refreshNeedles } from './tables.js';

const previewBytesMax = 4096;
const hexBytesMax = 256;
const runsKept = 6;
/** Of the answer's headers those that say something about the needle. */
const shownHeaders = [
  'content-type',
  'content-length',
  'content-encoding',
  'etag',
  'last-modified',
  'accept-ranges',
  'content-range',
  'cache-status',
  'server-timing',
  'x-amz-request-id',
  'server',
];

export function listenForReading() {
  byId('read-form').addEventListener('submit', (event) => {
    event.preventDefault();
    void read(byId('read-fid').value.trim(), byId('read-token').value);
  });
  byId('read-evict').addEventListener('click', async () => {
    const fid = byId('read-fid').value.trim();
    if (fid === '') return byId('read-fid').reportValidity();
    const evicted = await evict({ fids: [fid] });
    setText('read-note', evicted === 1 ? 'Evicted.' : byId('evict-note').textContent);
  });
}

async function read(fid, readToken) {
  setText('read-note', 'Reading…');
  const askedAt = performance.now();
  try {
    const answer = await readNeedle(fid, readToken);
    const body = new Uint8Array(await answer.arrayBuffer());
    const took = (performance.now() - askedAt) / 1000;
    const source = answer.headers.get('x-rdma-source') ?? 'not said';
    setText('r-status', `${answer.status} ${answer.statusText}`);
    setText('r-outcome', source.replace(';reason=', ', '));
    setText(
      'r-size',
      body.length < 1024 ? `${body.length} B` : `${bytes(body.length)} (${whole(body.length)})`,
    );
    setText('r-took', duration(took));
    showHeaders(answer.headers);
    showPreview(body, answer.headers.get('content-type') ?? '');
    show('read-result', true);
    setText('read-note', `${answer.status}, ${whole(body.length)} bytes, ${source}`);
    await refreshNeedles();
  } catch (error) {
    show('read-result', false);
    setText('read-note', error.message);
  }
}

function showHeaders(headers) {
  const body = byId('read-headers').tBodies[0];
  body.replaceChildren();
  for (const name of shownHeaders) {
    const value = headers.get(name);
    if (value === null) continue;
    const made = row(['mono', 'mono']);
    setCells(made, name, value);
    body.append(made);
  }
}

let picture;

function showPreview(body, type) {
  if (picture !== undefined) URL.revokeObjectURL(picture);
  picture = undefined;
  const place = byId('preview');
  if (body.length === 0)
    return place.replaceChildren(make('p', { className: 'empty', text: 'No bytes.' }));
  if (/^image\/(png|jpeg|gif|webp|avif|bmp|svg\+xml)\b/.test(type)) {
    picture = URL.createObjectURL(new Blob([body], { type }));
    const image = make('img', { src: picture, alt: 'The needle as a picture' });
    image.addEventListener('error', () => place.replaceChildren(dump(body)));
    return place.replaceChildren(image);
  }
  if (/^(text\/|application\/(json|xml|javascript|toml|yaml))/.test(type)) {
    const text = new TextDecoder().decode(body.subarray(0, previewBytesMax));
    const more = body.length > previewBytesMax ? '\n…' : '';
    return place.replaceChildren(make('pre', { text: text + more }));
  }
  return place.replaceChildren(dump(body));
}

function dump(body) {
  const lines = [];
  const width = innerWidth < 640 ? 8 : 16;
  for (let at = 0; at < Math.min(body.length, hexBytesMax); at += width) {
    const part = [...body.subarray(at, at + width)];
    const hex = part.map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
    const letters = part.map((byte) =>
      byte >= 32 && byte < 127 ? String.fromCharCode(byte) : '·',
    );
    lines.push(`${at.toString(16).padStart(4, '0')}  ${hex.padEnd(width * 3)} ${letters.join('')}`);
  }
  if (body.length > hexBytesMax) lines.push('…');
  return make('pre', { text: lines.join('\n') });
}

export function listenForBenchmark() {
  let running;
  byId('bench-cancel').addEventListener('click', () => running?.abort());
  byId('bench-form').addEventListener('submit', async (event) => {
    event.preventDefault();
    if (running !== undefined) return;
    running = new AbortController();
    setRunning(true);
    setText('bench-note', 'Running…');
    try {
      const result = await post('/api/bench', plan(), { signal: running.signal });
      addRun(result);
      setText('bench-note', benchWords(result));
    } catch (error) {
      setText('bench-note', running.signal.aborted ? 'Cancelled.' : error.message);
    }
    running = undefined;
    setRunning(false);
    void refreshNeedles().catch(() => undefined);
  });
}

function setRunning(isRunning) {
  byId('bench-run').disabled = isRunning;
  show('bench-cancel', isRunning);
}

function plan() {
  const fids = byId('bench-fids')
    .value.split(/\s+/)
    .filter((fid) => fid !== '');
  const numberOf = (id) => Number(byId(id).value);
  return {
    ...(fids.length === 0 ? {} : { fids }),
    iterations: numberOf('bench-iterations'),
    depth: numberOf('bench-depth'),
    size: numberOf('bench-size'),
  };
}

function benchWords({ requests, seconds, ended }) {
  const limits = {
    time: ', ended by its time limit',
    bytes: ', ended by its byte limit',
    done: '',
  };
  return `${whole(requests)} reads in ${duration(seconds)}${limits[ended]}.`;
}

function addRun({ perSecond, bytesPerSecond, latencyUs, outcomes }) {
  const body = byId('bench-table').tBodies[0];
  const made = row(['', 'n', 'n', 'n', 'n wide', 'n wide']);
  const by = Object.entries(outcomes)
    .filter(([, count]) => count > 0)
    .map(([outcome, count]) => `${outcome} ${whole(count)}`);
  const time = (us) => duration(us / 1e6);
  const { p50, p99, max } = latencyUs;
  setCells(
    made,
    by.join(', '),
    rate(perSecond),
    time(p50),
    time(p99),
    bytes(bytesPerSecond),
    time(max),
  );
  body.prepend(made);
  while (body.rows.length > runsKept) body.lastElementChild.remove();
  show('bench-table', true);
}
