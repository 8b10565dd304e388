/** The parts of /openapi.json around the routes, and the path that serves it. */
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
      { name: 'status', description: 'State for probes, people and Prometheus' },
      { name: 'cache', description: 'The cached needles' },
      { name: 'traffic', description: 'Finished requests and their outcomes' },
      { name: 'try', description: "Reads through the proxy's own HTTP listener" },
      { name: 'configuration', description: "The role's configuration" },
    ],
    components: { securitySchemes: { adminToken: { type: 'http', scheme: 'bearer' } } },
    security: [{ adminToken: [] }],
  };
}
