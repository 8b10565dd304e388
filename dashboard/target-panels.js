// What a target shows: its reads, its volumes, its pool.
import { byId, keyed, make, row, setCells, setText, show } from './elements.js';
import { bytes, rate, whole } from './figures.js';
import { showPool } from './panels.js';

export class TargetPanels {
  #before;

  show({ atMs, stats }) {
    const before = this.#before;
    this.#before = { atMs, stats };
    const perSecond = (of) => {
      if (before === undefined || before.stats.uptimeSeconds > stats.uptimeSeconds)
        return undefined;
      return Math.max(0, of(stats) - of(before.stats)) / ((atMs - before.atMs) / 1000);
    };
    const all = (each) => Object.values(each.reads).reduce((sum, count) => sum + count, 0);
    setText('f-rate', rate(perSecond(all)));
    setText('f-bytes', bytes(perSecond((each) => each.bytesSent)));
    setText('f-sessions', whole(stats.sessions));
    setText('f-sessions-note', `${whole(stats.sessionsTotal)} since the start`);
    setText('f-volumes', whole(stats.volumesConfirmed));
    setText('f-volumes-note', `of ${whole(stats.volumesLoaded)} loaded`);
    setText('f-needles', whole(stats.needles));
    setText('f-flight', whole(stats.requestsInFlight));
    showStatuses(stats, perSecond);
    showVolumes(stats.listed);
    showPool(stats.arena);
  }
}

function showStatuses({ reads }, perSecond) {
  const counted = Object.entries(reads).filter(([, count]) => count > 0);
  show('statuses', counted.length > 0);
  show('statuses-empty', counted.length === 0);
  keyed(
    byId('statuses').tBodies[0],
    counted,
    ([status]) => status,
    ([status]) => {
      const made = row(['mono', 'n', 'n']);
      setCells(made, status);
      return made;
    },
    (cells, [status, count]) => {
      setCells(cells, undefined, rate(perSecond((each) => each.reads[status] ?? 0)), whole(count));
    },
  );
}

function showVolumes(listed) {
  show('volume-table', listed.length > 0);
  show('volumes-empty', listed.length === 0);
  keyed(
    byId('volume-table').tBodies[0],
    listed,
    ({ volumeId }) => volumeId,
    () => {
      const made = row(['', '', '']);
      made.cells[2].append(make('span', { className: 'state' }));
      return made;
    },
    (cells, { volumeId, collection, confirmed }) => {
      setCells(cells, String(volumeId), collection === '' ? 'none' : collection);
      const state = cells.cells[2].firstElementChild;
      setText(state, confirmed ? 'served' : 'not confirmed');
      state.className = `state ${confirmed ? 'up' : 'connecting'}`;
    },
  );
}
