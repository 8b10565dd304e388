/** Many of a kind work at a list side by side: a comparison mostly waits. */
import { afterAll, beforeAll } from 'vitest';
import type { StationOptions } from './station.ts';

/** In which ways the front and the application behind it are looked at. */
export const kinds: readonly StationOptions[] = [
  { lane: true, lenient: false },
  { lane: true, lenient: true },
  { lane: false, lenient: true },
];

interface Closable {
  close(): Promise<void>;
}

const stationCount = 12;

/** Open for the tests of one `describe`; returns how to have all of them work, each until it has nothing left to do. */
export function stationsFor<S extends Closable>(
  start: () => Promise<S>,
  count: number = stationCount,
): (work: (station: S) => Promise<void>) => Promise<void> {
  let stations: readonly S[] = [];
  beforeAll(async () => {
    stations = await Promise.all(Array.from({ length: count }, start));
  });
  afterAll(async () => {
    await Promise.all(stations.map((station) => station.close()));
  });
  return async (work) => {
    await Promise.all(stations.map(work));
  };
}
