/** The Compose file: against its own schema, and what it gives the program. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { runProgram } from '../integration/program.ts';
import { scratchFolder } from '../integration/scratch.ts';
import { composeSchema, root } from './made-tools.ts';

interface Service {
  readonly image: string;
  readonly command?: string | readonly string[];
  readonly user?: string;
  readonly read_only?: boolean;
  readonly cap_drop?: readonly string[];
  readonly cap_add?: readonly string[];
  readonly security_opt?: readonly string[];
  readonly privileged?: boolean;
  readonly ipc?: string;
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly healthcheck?: object;
  readonly configs?: readonly { readonly source: string }[];
  readonly secrets?: readonly string[];
}

interface Compose {
  readonly services: Readonly<Record<string, Service>>;
  readonly configs: Readonly<Record<string, { readonly content: string }>>;
  readonly secrets: Readonly<Record<string, { readonly environment?: string }>>;
  readonly volumes: Readonly<Record<string, unknown>>;
}

const scratch = scratchFolder();
const text = readFileSync(join(root, 'deploy/compose.yaml'), 'utf8');
const compose = parse(text, { merge: true }) as Compose;
const ours = ['proxy', 'target'] as const;

describe('the Compose file', () => {
  test.skipIf(composeSchema === undefined)('is one by the schema of Compose', () => {
    const schema = JSON.parse(readFileSync(composeSchema as string, 'utf8')) as object;
    const ajv = new Ajv2020({ strict: false, allErrors: true });
    addFormats.default(ajv);
    const isValid = ajv.compile(schema);
    isValid(compose);
    expect(isValid.errors ?? []).toEqual([]);
    expect(isValid({ services: { proxy: { imaeg: 'a' } } })).toBe(false);
  });

  test.each(ours)('gives the %s no more than it must have', (role) => {
    const service = compose.services[role] as Service;
    expect(service.read_only).toBe(true);
    expect(service.cap_drop).toEqual(['ALL']);
    expect(service.cap_add ?? []).toEqual([]);
    expect(service.privileged ?? false).toBe(false);
    expect(service.user).toBe('1000:1000');
    expect(service.security_opt).toContain('no-new-privileges:true');
    expect((service.volumes ?? []).every((volume) => volume.endsWith(':ro'))).toBe(true);
    expect(service.image).toMatch(/:\d/);
    // UCX watches peers in shared memory by their process ids, which mean another process in another container.
    expect(service.ipc).toBeUndefined();
  });

  test.each(ours)('gives the %s a configuration that it takes', async (role) => {
    const content = compose.configs[`${role}.toml`]?.content as string;
    const key = scratch.write('key', 'secret');
    const file = scratch.write(
      `${role}.toml`,
      content.replaceAll('/run/secrets/seaweed-rdma', key),
    );
    const check = await runProgram(['config', 'check', '--role', role, file]);
    expect(check.stderr).toBe('');
    expect(check.status).toBe(0);
    expect(compose.services[role]?.configs?.map(({ source }) => source)).toEqual([`${role}.toml`]);
    expect(compose.services[role]?.secrets).toEqual(['seaweed-rdma']);
  });

  test('holds no secret, and opens no port to other hosts', () => {
    expect(Object.values(compose.secrets)).toEqual([{ environment: 'SEAWEED_RDMA_SECRET' }]);
    const ports = Object.values(compose.services).flatMap(({ ports }) => ports ?? []);
    expect(ports.length).toBeGreaterThan(0);
    expect(ports.filter((port) => !port.startsWith('127.0.0.1:'))).toEqual([]);
  });

  test('starts what others wait for only with a health check', () => {
    const wrong = Object.entries(compose.services).flatMap(([name, { depends_on }]) =>
      Object.entries(depends_on ?? {})
        .filter(([other, { condition }]) => {
          // The image of the roles has its own.
          const isOurs = ours.some((role) => role === other);
          const { healthcheck } = compose.services[other] ?? {};
          return condition !== 'service_healthy' || !(isOurs || healthcheck !== undefined);
        })
        .map(([other]) => `${name} waits for ${other}`),
    );
    expect(wrong).toEqual([]);
  });
});
