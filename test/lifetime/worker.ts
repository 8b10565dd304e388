/** A worker thread with a client of its own, which ends as its data says. */
import { parentPort, workerData } from 'node:worker_threads';
import { whenServed } from '../contract/subjects.ts';
import { fetchAndRelease, openSubject, startTraffic } from './traffic.ts';

const { way, kindName, dir } = workerData as {
  readonly way: 'traffic' | 'exit' | 'closed';
  readonly kindName: string;
  readonly dir: string;
};

const subject = await openSubject(kindName, dir);
await whenServed(subject.fetcher, 3);
await fetchAndRelease(subject.fetcher);
parentPort?.postMessage('ready');
if (way === 'traffic') startTraffic(subject.fetcher);
if (way === 'closed') await subject.close();
if (way === 'exit') {
  startTraffic(subject.fetcher);
  process.exit(7);
}
