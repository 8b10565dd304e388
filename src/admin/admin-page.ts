/** How the admin listener writes its JSON. */
import type { FastifyReply } from 'fastify';

/** Ends a request; to be returned by handlers and hooks. `Page` is the type that the schema of the route describes. */
export function json<Page extends object>(
  reply: FastifyReply,
  status: number,
  value: Page,
): FastifyReply {
  return reply.code(status).header('Content-Type', 'application/json').send(jsonText(value));
}

/** Needle and session ids have 64 bits: they go out as decimal strings. */
export function jsonText(value: unknown): string {
  const text = JSON.stringify(
    value,
    (_key, member: unknown) => (typeof member === 'bigint' ? member.toString() : member),
    2,
  );
  return `${text}\n`;
}
