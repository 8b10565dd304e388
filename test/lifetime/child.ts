/**
 * Runs one way to end, in a process of its own. Arguments: the scenario, the kind of client, a directory with volume 3.
 * Prints "ready" where the parent is to act, and "done" when everything that the scenario promises came true.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { loadBinding } from '../../src/rdma/binding.ts';
import type { NeedleFetcher } from '../../src/rdma/needle-fetcher.ts';
import { type Subject, when, whenServed } from '../contract/subjects.ts';
import { command, fetchAndRelease, openSubject, startTraffic } from './traffic.ts';

/** What a scenario holds at exit. */
const held: unknown[] = [];

const scenarios: Readonly<Record<string, () => Promise<void>>> = {
  async 'closes everything'(): Promise<void> {
    const subject = await serve();
    await fetchAndRelease(subject.fetcher);
    await subject.close();
    console.log('done');
  },

  async 'exits with a lease held'(): Promise<void> {
    const subject = await serve();
    held.push(await subject.fetcher.read(command));
    console.log('done');
    process.exit(7);
  },

  async 'exits with fetches in flight'(): Promise<void> {
    const { fetcher } = await serve();
    startTraffic(fetcher);
    await pause(50);
    console.log('done');
    process.exit(7);
  },

  async 'exits from a listener'(): Promise<void> {
    const { fetcher } = await open();
    await when(fetcher, () => {
      if (fetcher.state.kind !== 'up') return false;
      console.log('done');
      process.exit(7);
    });
  },

  async 'is ended by a signal'(): Promise<void> {
    const { fetcher } = await serve();
    startTraffic(fetcher);
    console.log('ready');
  },

  async 'throws in a listener'(): Promise<void> {
    const { fetcher } = await open();
    console.log('done');
    fetcher.onChange(() => {
      throw new Error('thrown in a listener');
    });
    await new Promise(() => {});
  },

  async 'survives what a listener throws'(): Promise<void> {
    const thrown: Error[] = [];
    process.on('uncaughtException', (error) => thrown.push(error));
    const subject = await open();
    let once = true;
    subject.fetcher.onChange(() => {
      if (!once) return;
      once = false;
      throw new Error('thrown in a listener');
    });
    await whenServed(subject.fetcher, 3);
    await fetchAndRelease(subject.fetcher);
    await subject.close();
    if (thrown.length !== 1) throw new Error(`${thrown.length} errors were thrown`);
    console.log('done');
  },

  async 'closes from a listener'(): Promise<void> {
    const subject = await open();
    const { promise, resolve } = Promise.withResolvers<void>();
    subject.fetcher.onChange(() => {
      if (subject.fetcher.state.kind === 'up') resolve(subject.close());
    });
    await promise;
    console.log('done');
  },

  async 'terminates worker threads'(): Promise<void> {
    // UCX reads its variables from the process, which a worker thread's process.env does not reach.
    loadBinding();
    for (let round = 0; round < 4; round += 1) {
      const worker = startWorker('traffic');
      await new Promise((resolve) => worker.once('message', resolve));
      await pause(10 * round);
      await worker.terminate();
    }
    const subject = await serve();
    await fetchAndRelease(subject.fetcher);
    await subject.close();
    console.log('done');
  },

  async 'lets worker threads exit'(): Promise<void> {
    loadBinding();
    const codes: unknown[] = [];
    for (const way of ['exit', 'closed']) {
      const worker = startWorker(way);
      codes.push(await new Promise((resolve) => worker.once('exit', resolve)));
    }
    if (codes.join() !== '7,0') throw new Error(`exit codes ${codes.join()}`);
    console.log('done');
  },

  async 'forgets leases'(): Promise<void> {
    const subject = await serve();
    await forget(subject.fetcher, 5);
    for (let round = 0; round < 100 && subject.client.stats().leaseLeaks < 5; round += 1) {
      globalThis.gc?.();
      await pause(10);
    }
    const { leaseLeaks, leasesOutstanding } = subject.client.stats();
    if (leaseLeaks !== 5 || leasesOutstanding !== 0) {
      throw new Error(`${leaseLeaks} leaks counted, ${leasesOutstanding} leases out`);
    }
    await subject.close();
    console.log('done');
  },
};

const [scenario = '', kindName = '', dir = ''] = process.argv.slice(2);
const run = scenarios[scenario];
if (run === undefined) throw new RangeError(`no scenario "${scenario}"`);
await run();

function open(): Promise<Subject> {
  return openSubject(kindName, dir);
}

async function serve(): Promise<Subject> {
  const subject = await open();
  await whenServed(subject.fetcher, 3);
  return subject;
}

function startWorker(way: string): Worker {
  return new Worker(new URL('./worker.ts', import.meta.url), {
    workerData: { way, kindName, dir },
  });
}

async function forget(fetcher: NeedleFetcher, count: number): Promise<void> {
  for (let i = 0; i < count; i += 1) {
    const result = await fetcher.read(command);
    if (result.kind === 'failed') throw new Error(result.status);
  }
}
