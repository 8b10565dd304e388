/** The JSON Schema of each role's file. */
import type { Role } from './check-file.ts';
import type { FieldSchema } from './field.ts';
import { jsonSchema } from './json-schema.ts';
import { proxySchema } from './proxy-schema.ts';
import { sampleComments } from './sample-comments.ts';
import { targetSchema } from './target-schema.ts';

export function roleSchema(role: Role): FieldSchema {
  const title = `${role}.toml of seaweed-rdma`;
  const comments = sampleComments(role);
  return role === 'proxy'
    ? jsonSchema(title, proxySchema, comments)
    : jsonSchema(title, targetSchema, comments);
}
