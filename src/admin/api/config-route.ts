/** /api/config and /openapi.json: what the role runs with, and what this listener can be asked. */
import type { FastifyInstance } from 'fastify';
import {
  anything,
  described,
  type JsonSchema,
  list,
  record,
  text,
  type ValueOf,
} from '../../schema/json-schema.ts';
import type { AccessHooks } from '../admin-access.ts';
import type { AdminOptions } from '../admin-options.ts';
import { json, jsonText } from '../admin-page.ts';
import { apiRefusals, refusal } from './refusals.ts';

const configurationKey = record({
  key: described(text, 'Dotted, as in cache.size.'),
  value: described(anything, 'The value as it would be written; secrets are names of files.'),
  from: described(
    text,
    '"default", perhaps with why it is not the usual one, "FILE:LINE", or the name of a variable.',
  ),
});
const page = record({ keys: list(configurationKey) });

const schema: JsonSchema = {
  tags: ['configuration'],
  summary: 'Every key with its value and origin',
  response: {
    200: described(page, 'The keys as `config check --json` lists them.'),
    404: refusal('The program that started the role did not tell.'),
    ...apiRefusals,
  },
};

export function addConfigRoute(
  app: FastifyInstance,
  { configuration }: Pick<AdminOptions, 'configuration'>,
  hooks: AccessHooks,
): void {
  app.get('/api/config', { onRequest: hooks.api, schema }, (_request, reply) => {
    const keys = configuration?.();
    if (keys !== undefined) return json<ValueOf<typeof page>>(reply, 200, { keys });
    return json(reply, 404, { error: 'started by a program that gave no configuration to show' });
  });
  let description: string | undefined;
  app.get('/openapi.json', { schema: { hide: true } as JsonSchema }, (_request, reply) => {
    description ??= jsonText(app.swagger());
    return reply.header('Content-Type', 'application/json').send(description);
  });
}
