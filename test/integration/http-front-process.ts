/** A front that serves nothing itself, as a process: prints its port. Argument: the volume server's URL. */
import pino from 'pino';
import { startHttpFront } from '../../src/proxy/front/server.ts';
import { forwarders } from '../../src/proxy/passthrough/forwarders.ts';
import { generousLimits, routeOf } from './http-front-fixture.ts';

const upstreamUrl = process.argv[2] as string;
const front = await startHttpFront(
  {
    listen: { host: '127.0.0.1', port: 0 },
    lane: true,
    debugHeaders: false,
    limits: generousLimits,
    logger: pino({ level: 'silent' }),
  },
  routeOf(upstreamUrl, undefined),
  forwarders,
);
process.stdout.write(`${front.port}\n`);
