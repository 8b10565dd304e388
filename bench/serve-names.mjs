/** Names of the serve part's servers, and what each one is. */

export const serverNames = {
  strict: 'proxy, strict hit',
  immutable: 'proxy, immutable hit',
  'lane-off': 'proxy, strict hit, lane off',
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
export function named(figure) {
  return figure.replace(/÷ ([a-z-]+)/, (_, name) => `÷ ${serverNames[name] ?? name}`);
}
