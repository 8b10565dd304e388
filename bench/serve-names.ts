/** Names of the serve part's servers, and what each one is. */

import type { SubjectName } from './serve-plan.ts';

export const serverNames: Readonly<Record<SubjectName, string>> = {
  strict: 'proxy with a lane, strict hit',
  immutable: 'proxy with a lane, immutable hit',
  'strict-two': 'proxy with two lanes, strict hit',
  'immutable-two': 'proxy with two lanes, immutable hit',
  'strict-loop': 'proxy without lanes, strict hit',
  'immutable-loop': 'proxy without lanes, immutable hit',
  'lane-off': 'proxy, strict hit, lane off',
  signed: 'proxy with a read key, strict hit',
  'miss-shm': 'proxy, miss over shm',
  'miss-tcp': 'proxy, miss over tcp',
  passthrough: 'proxy, passthrough',
  'volume-server': 'volume server',
  'nginx-cache': 'nginx cache',
  'nginx-proxy': 'nginx proxy',
  varnish: 'Varnish',
  'node-http': 'Node http, from memory',
  fastify: 'fastify, from memory',
};

/** A figure's name, with whom it compares with written out. */
export function named(figure: string): string {
  return figure.replace(
    /÷ ([a-z-]+)/,
    (_, name: string) => `÷ ${isServer(name) ? serverNames[name] : name}`,
  );
}

export function isServer(name: string): name is SubjectName {
  return name in serverNames;
}
