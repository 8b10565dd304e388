/** /openapi.json: the committed copy is the one that is served, and what a running proxy answers is what it says. */
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import {
  type AdminStage,
  ask,
  fid,
  fillVolume,
  largeNeedleId,
  parsed,
  startStage,
} from './admin-stage.ts';
import { answerSchema, type Description } from './described-answers.ts';
import { scratchFolder } from './scratch.ts';

const scratch = scratchFolder();
const committed = join(import.meta.dirname, '..', '..', 'docs', 'openapi.json');

let stage: AdminStage;
let text: string;
let description: Description;

beforeAll(async () => {
  fillVolume(scratch.folder, 3, 1000);
  stage = await startStage(scratch.folder, {
    configuration: () => [{ key: 'cache.size', value: '2MiB', from: 'default' }],
  });
  const answer = await ask(`${stage.admin}/openapi.json`);
  text = answer.body.toString('utf8');
  description = parsed(answer);
});

describe('/openapi.json', () => {
  // After a change of the API: vitest run test/integration/openapi.test.ts --update
  test('is the one in docs', async () => {
    await expect(text).toMatchFileSnapshot(committed);
  });

  test('describes every route of the API, each with a summary and the refusals that it knows', () => {
    expect(description.openapi).toBe('3.0.3');
    expect(Object.keys(description.paths).toSorted()).toEqual([
      '/api/bench',
      '/api/cache',
      '/api/cache/evict',
      '/api/cache/warm',
      '/api/config',
      '/api/fallbacks',
      '/api/read',
      '/api/requests',
      '/api/requests/follow',
      '/api/traffic',
      '/health',
      '/livez',
      '/metrics',
      '/readyz',
      '/stats',
    ]);
    for (const [path, operations] of Object.entries(description.paths)) {
      for (const { summary, tags, responses } of Object.values(operations)) {
        expect([path, summary.length > 10, tags.length]).toEqual([path, true, 1]);
        if (path.startsWith('/api')) {
          expect(Object.keys(responses)).toEqual(expect.arrayContaining(['200', '401', '403']));
        }
      }
    }
  });

  const pages: readonly [path: string, status: number, query: string, body?: object][] = [
    ['/livez', 200, ''],
    ['/readyz', 200, ''],
    ['/health', 200, ''],
    ['/stats', 200, ''],
    ['/api/config', 200, ''],
    ['/api/cache/warm', 200, '', { fids: [fid(1n), fid(2n), fid(4711n)] }],
    ['/api/cache/warm', 400, '', { fids: 'all' }],
    ['/api/cache', 200, ''],
    ['/api/cache', 400, '?limit=-1'],
    ['/api/fallbacks', 200, ''],
    ['/api/traffic', 200, ''],
    ['/api/traffic', 400, '?limit=many'],
    ['/api/requests', 200, '?outcome=passthrough&status=4xx,2xx&client=127.0.0.1'],
    ['/api/requests', 400, '?reason=because'],
    ['/api/requests/follow', 400, '?client=nobody'],
    ['/api/bench', 200, '', { iterations: 10 }],
    ['/api/bench', 400, '', {}],
    ['/api/cache/evict', 200, '', { all: true }],
    ['/api/bench', 409, '', { iterations: 10 }],
    ['/api/read', 400, ''],
  ];

  test('describes all that a running proxy answers', async () => {
    await ask(`${stage.http}/${fid(largeNeedleId)}`);
    for (const [path, status, query, body] of pages) {
      const answer = await ask(`${stage.admin}${path}${query}`, {}, body);
      expect([path, answer.status]).toEqual([path, status]);
      const validate = answerSchema(description, path, body === undefined ? 'get' : 'post', status);
      validate(parsed(answer));
      expect([path, validate.errors]).toEqual([path, null]);
    }
    const { fallbacks } = parsed<{ fallbacks: object[] }>(
      await ask(`${stage.admin}/api/fallbacks`),
    );
    expect(fallbacks.length).toBeGreaterThan(0);
  });

  test('would notice an answer that is not as described', async () => {
    const validate = answerSchema(description, '/stats', 'get', 200);
    const stats = parsed<Record<string, unknown>>(await ask(`${stage.admin}/stats`));
    expect(validate({ ...stats, requests: { requests: 'many' } })).toBe(false);
    expect(validate({ ...stats, cache: undefined })).toBe(false);
    expect(validate({ ...stats, undeclared: 1 })).toBe(false);
    expect(validate({ ...stats, arena: { ...(stats['arena'] as object), more: 1 } })).toBe(false);
    expect(validate(stats)).toBe(true);
  });
});
