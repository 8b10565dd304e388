/** The volume server of a bench where no real one is at hand, in a process of its own. Argument: directory. */
import { startOrigin } from '../src/origin/origin-server.ts';

const [dir] = process.argv.slice(2);
if (dir === undefined) throw new TypeError('origin-process DIR');

const logger = { info: () => undefined };
const origin = await startOrigin({ dirs: [dir], listen: { host: '127.0.0.1', port: 0 }, logger });
process.send?.({ url: origin.url });
process.once('disconnect', () => void origin.close());
