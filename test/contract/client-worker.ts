/** A worker thread that reads one needle with a client of its own. */
import { parentPort, workerData } from 'node:worker_threads';
import { connect } from '../../src/client/connect.ts';

const { needle, ...options } = workerData;
const client = await connect(options);
const content = await client.readNeedle(needle);
const bytes = content.copy();
content.release();
parentPort?.postMessage({ bytes, leases: client.stats().leasesOutstanding });
await client.close();
