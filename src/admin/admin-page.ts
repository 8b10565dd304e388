/** How the admin listener writes its JSON. */
import type { FastifyReply } from 'fastify';

/** Ends a request; to be returned by handlers and hooks. */
export function json(reply: FastifyReply, status: number, value: object): FastifyReply {
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
