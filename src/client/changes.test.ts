import { expect, test, vi } from 'vitest';
import type { NeedleFetcher, TargetState } from '../rdma/needle-fetcher.ts';
import { Changes } from './changes.ts';

function target(): { readonly fetcher: NeedleFetcher; change(kind: TargetState['kind']): void } {
  let told = (): void => undefined;
  const fetcher = {
    state: { kind: 'connecting' } as { kind: TargetState['kind'] },
    onChange(listener: () => void): void {
      told = listener;
    },
  };
  return {
    fetcher: fetcher as unknown as NeedleFetcher,
    change(kind) {
      fetcher.state = { kind };
      told();
    },
  };
}

test('a wait ends with the next change, with its time, or with its signal', async () => {
  const { fetcher, change } = target();
  const changes = new Changes([fetcher]);
  const next = changes.next(60_000, undefined);
  change('up');
  expect(await next).toBe(true);
  expect(await changes.next(1, undefined)).toBe(false);
  const controller = new AbortController();
  const aborted = changes.next(60_000, controller.signal);
  controller.abort(new Error('enough'));
  await expect(aborted).rejects.toThrow('enough');
});

test('how long a target is up counts from when it came up, and anew after it was lost', () => {
  const { fetcher, change } = target();
  const changes = new Changes([fetcher]);
  expect(changes.upForMs(fetcher)).toBe(Number.POSITIVE_INFINITY);
  change('up');
  expect(changes.upForMs(fetcher)).toBeLessThan(10_000);
  change('down');
  expect(changes.upForMs(fetcher)).toBe(Number.POSITIVE_INFINITY);
});

test('a listener that throws stops no other, and its error is not lost', () => {
  const { fetcher, change } = target();
  const changes = new Changes([fetcher]);
  const later: (() => void)[] = [];
  const queue = vi.spyOn(globalThis, 'queueMicrotask').mockImplementation((run) => {
    later.push(run);
  });
  let told = 0;
  const end = changes.listen(() => {
    throw new Error('of the listener');
  });
  changes.listen(() => {
    told += 1;
  });
  change('up');
  queue.mockRestore();
  expect(told).toBe(1);
  expect(later[0]).toThrow('of the listener');
  end();
  change('down');
  expect([told, later.length]).toEqual([2, 1]);
});
