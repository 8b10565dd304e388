/** The status pages as /openapi.json describes them. */
import { described, type JsonSchema, oneOf, record, text } from '../../schema/json-schema.ts';
import { healthPage, statsPages } from '../stats.ts';
import { refusals } from './refusals.ts';

const tags = ['status'];

export const livenessSchema: JsonSchema = {
  tags,
  summary: 'The process answers',
  security: [],
  response: { 200: described(record({ status: oneOf('ok') }), 'It does.') },
};

const readiness = record({ status: oneOf('ready', 'not ready'), detail: text });

export const readinessSchema: JsonSchema = {
  tags,
  summary: 'Requests may be sent here',
  security: [],
  response: {
    200: described(readiness, 'They may.'),
    503: described(readiness, 'Starting, draining, or mode = "require" without a target.'),
  },
};

export const healthSchema: JsonSchema = {
  tags,
  summary: 'Checks of the role, with the reasons of each verdict',
  response: {
    200: described(healthPage, 'Serving; degraded: slower than it could be.'),
    503: described(healthPage, 'Not serving.'),
    ...refusals,
  },
};

export const metricsSchema: JsonSchema = {
  tags,
  summary: 'Metrics in the Prometheus text format',
  response: {
    200: {
      description: 'docs/metrics.md names each.',
      content: { 'text/plain': { schema: text } },
    },
    ...refusals,
  },
};

export function statsSchemaOf(role: 'proxy' | 'target'): JsonSchema {
  return {
    tags,
    summary: 'Counters and states since the start, as JSON',
    response: { 200: described(statsPages[role], 'Exact, not sampled.'), ...refusals },
  };
}
