// Who asks the proxy and how it was answered, and what is asked for most: from /stats and /api/traffic.
import { announce, byId, keyed, make, row, setCells, setText, show } from './elements.js';
import { rate, share, uptime, whole } from './figures.js';
import { reasons } from './reasons.js';

const reasonsShown = 3;

export function showClients({ clients, sidecar, uptimeSeconds }, traffic) {
  setText('clients-line', cameWords(clients, sidecar, uptimeSeconds));
  show('clients-missing', clients.requests === 0);
  if (clients.requests === 0) announce('No client has asked the proxy since it started.');
  show('client-table', traffic.clients.length > 0);
  keyed(
    byId('client-table').tBodies[0],
    traffic.clients,
    ({ address, userAgent }) => `${address} ${userAgent}`,
    clientRow,
    (cells, client) => {
      setCells(cells, undefined, rate(client.perSecond), whole(client.requests), hereOf(client));
      showWhy(cells.cells[4], client);
    },
  );
  showBusiest(traffic);
}

function cameWords({ requests, lastRequestSecondsAgo, tracked }, sidecar, uptimeSeconds) {
  if (requests === 0) {
    const served = (sidecar?.requests ?? []).reduce((sum, { count }) => sum + count, 0);
    const bySidecar = served === 0 ? '' : ` The sidecar listener had ${whole(served)}.`;
    return `No client request since the start: ${uptime(uptimeSeconds)}.${bySidecar}`;
  }
  const who = tracked === 1 ? '1 client' : `${whole(tracked)} clients`;
  return `${whole(requests)} requests of ${who}; the last one ${whole(lastRequestSecondsAgo)} s ago.`;
}

function hereOf({ outcomes, requests }) {
  return share(outcomes.cache + outcomes.rdma, requests);
}

function clientRow({ address, userAgent }) {
  const made = row(['', 'n', 'n', 'n', 'wide']);
  made.cells[0].append(address === '' ? 'unix socket' : address);
  made.cells[0].append(make('div', { className: 'soft', text: userAgent || 'no User-Agent' }));
  return made;
}

/** The most frequent reasons that requests were not answered here. */
function showWhy(cell, { passthrough, errors }) {
  const why = [
    ...Object.entries(passthrough).map(([reason, count]) => ({ reason, count, isError: false })),
    ...Object.entries(errors).map(([reason, count]) => ({ reason, count, isError: true })),
  ]
    .sort((a, b) => b.count - a.count)
    .slice(0, reasonsShown);
  keyed(
    cell,
    why,
    ({ reason, isError }) => `${reason} ${isError}`,
    ({ reason, isError }) => {
      const kind = isError ? 'error' : reasons[reason]?.kind === 'trouble' ? 'trouble' : '';
      const tag = make('span', { className: `tag ${kind}`, text: reason });
      return make('div', {}, tag, ' ', make('span'));
    },
    (item, { count }) => setText(item.lastElementChild, whole(count)),
  );
}

function showBusiest({ volumes, needles, needlesSampledEvery }) {
  show('busiest-empty', volumes.length === 0);
  show('volume-rates', volumes.length > 0);
  show('needle-rates', needles.length > 0);
  keyed(
    byId('volume-rates').tBodies[0],
    volumes,
    ({ volumeId }) => volumeId,
    () => row(['', 'n', 'n', 'n']),
    (cells, volume) =>
      setCells(
        cells,
        String(volume.volumeId),
        rate(volume.perSecond),
        whole(volume.requests),
        hereOf(volume),
      ),
  );
  keyed(
    byId('needle-rates').tBodies[0],
    needles,
    ({ volumeId, needleId }) => `${volumeId},${needleId}`,
    () => row(['mono', 'n', 'n', 'n']),
    (cells, needle) =>
      setCells(
        cells,
        `${needle.volumeId},${hexadecimal(needle.needleId)}…`,
        rate(needle.perSecond),
        whole(needle.requests),
        hereOf(needle),
      ),
  );
  show('needles-sampled', needlesSampledEvery > 1);
  setText('needles-sampled', `Estimated: one in ${needlesSampledEvery} requests is looked at.`);
}

/** As file ids spell it: whole bytes. */
function hexadecimal(needleId) {
  const digits = BigInt(needleId).toString(16);
  return digits.length % 2 === 0 ? digits : `0${digits}`;
}
