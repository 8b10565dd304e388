/** What stands around the routes in /openapi.json, and where it is served. */
import type { FastifyDynamicSwaggerOptions } from '@fastify/swagger';
import type { AdminOptions } from '../admin-options.ts';

export function openApiHead({
  role,
  version,
}: Pick<AdminOptions, 'role' | 'version'>): NonNullable<FastifyDynamicSwaggerOptions['openapi']> {
  return {
    openapi: '3.0.3',
    info: {
      title: `seaweed-rdma ${role}: admin API`,
      version,
      description:
        'On the admin listener, never on the HTTP listener. Answers may gain properties; none is renamed or removed.',
    },
    tags: [
      { name: 'status', description: 'What probes, people and Prometheus look at' },
      { name: 'cache', description: 'The needles that are held' },
      { name: 'traffic', description: 'What became of requests' },
      { name: 'try', description: "Reads through the proxy's own HTTP listener" },
      { name: 'configuration', description: 'What the role runs with' },
    ],
    components: { securitySchemes: { adminToken: { type: 'http', scheme: 'bearer' } } },
    security: [{ adminToken: [] }],
  };
}
