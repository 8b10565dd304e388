import fc from 'fast-check';
import { expect, it } from 'vitest';
import { restingPlaces, restMsMin } from './resting-places.ts';

interface Place {
  readonly hasAsked: boolean;
  readonly quietMs: number;
}

const chosen = (places: readonly Place[], countMax: number): Place[] =>
  restingPlaces(
    places.map((place) => ({ ...place, restingMs: () => place.quietMs })),
    countMax,
    0,
  ).map(({ hasAsked, quietMs }) => ({ hasAsked, quietMs }));

it('those that never asked go first, then the quietest', () => {
  const places = [
    { hasAsked: true, quietMs: 5_000 },
    { hasAsked: false, quietMs: 2_000 },
    { hasAsked: true, quietMs: 9_000 },
    { hasAsked: false, quietMs: 3_000 },
    { hasAsked: true, quietMs: restMsMin - 1 },
  ];
  expect(chosen(places, 9).reverse()).toEqual([places[3], places[1], places[2], places[0]]);
  expect(chosen(places, 3).reverse()).toEqual([places[3], places[1], places[2]]);
  expect(chosen(places.slice(4), 3)).toEqual([]);
});

it('as many as are wanted are the first of all, sorted', () => {
  const place = fc.record({ hasAsked: fc.boolean(), quietMs: fc.nat(5_000) });
  fc.assert(
    fc.property(fc.array(place), fc.integer({ min: 1, max: 8 }), (places, countMax) => {
      const sorted = places
        .filter(({ quietMs }) => quietMs >= restMsMin)
        .sort((a, b) => Number(a.hasAsked) - Number(b.hasAsked) || b.quietMs - a.quietMs);
      expect(chosen(places, countMax).reverse()).toEqual(sorted.slice(0, countMax));
    }),
  );
});
