/** Every hostile request. */
import { hostileCodings } from './hostile-codings.ts';
import { hostileHeads } from './hostile-heads.ts';
import { hostileHops } from './hostile-hops.ts';
import { hostileLengths } from './hostile-lengths.ts';
import type { HostileRequest } from './hostile-request.ts';

export const hostileRequests: readonly HostileRequest[] = [
  ...hostileLengths,
  ...hostileCodings,
  ...hostileHeads,
  ...hostileHops,
];
