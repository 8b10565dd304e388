/** The Helm chart, rendered: for its defaults, each of its examples, and everything at once. */
import { cpSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { loadProxyConfig } from '../../src/config/proxy-config.ts';
import { runCommand, runProgram } from '../integration/program.ts';
import { scratchFolder } from '../integration/scratch.ts';
import {
  chart,
  faultsByType,
  helm,
  type KubernetesObject,
  root,
  strictDecode,
} from './made-tools.ts';
import {
  bytesOf,
  type Container,
  faultsOfContainer,
  faultsOfProxyPod,
  type PodSpec,
  variableOf,
} from './pod-rules.ts';

const scratch = scratchFolder();
const folder = join(root, 'deploy/helm/seaweed-rdma');
const examples = readdirSync(join(folder, 'examples')).map((name) =>
  join(folder, 'examples', name),
);
const everything = join(import.meta.dirname, 'chart-everything.yaml');
const valueSets = [
  ['its defaults', []],
  ...examples.map((file) => [file.slice(folder.length + 1), ['-f', file]] as const),
  ['everything at once', ['-f', everything]],
] as const;

function one(objects: readonly KubernetesObject[], kind: string): KubernetesObject {
  const found = objects.filter((object) => object.kind === kind);
  expect(found.map((object) => object.kind)).toEqual([kind]);
  return found[0] as KubernetesObject;
}

function podOf(objects: readonly KubernetesObject[]): PodSpec {
  const { spec } = one(objects, 'DaemonSet') as unknown as {
    spec: { template: { spec: PodSpec } };
  };
  return spec.template.spec;
}

function tomlOf(objects: readonly KubernetesObject[]): string {
  const { data } = one(objects, 'ConfigMap') as unknown as { data: Record<string, string> };
  return data['proxy.toml'] as string;
}

describe.skipIf(helm === undefined)('the chart', () => {
  describe.each(valueSets)('with %s', (name, values) => {
    test('makes a pod that may do no more than it must', async () => {
      expect(faultsOfProxyPod(podOf(await chart(folder, ...values)))).toEqual([]);
    });

    test.skipIf(strictDecode === undefined)('makes objects that Kubernetes takes', async () => {
      expect(faultsByType(await chart(folder, ...values))).toBe('');
    });

    test('makes a configuration that the program takes, with memory for it', async () => {
      const objects = await chart(folder, ...values);
      const file = scratch.write(`${name.replace(/\W/g, '-')}.toml`, tomlOf(objects));
      const check = await runProgram(['config', 'check', '--role', 'proxy', file]);
      expect(check.stderr).toBe('');
      expect(check.status).toBe(0);

      const [container] = podOf(objects).containers as [Container];
      const { memory } = loadProxyConfig(file, {});
      const { limits } = container.resources;
      const pages = limits['hugepages-2Mi'];
      const room = bytesOf(memory.hugepages === 'require' ? pages : limits['memory']);
      expect(room).toBeGreaterThanOrEqual(memory.bytes);
      expect(bytesOf(limits['memory'])).toBeGreaterThan(256 * 2 ** 20);
    });

    test('starts pods anew when the configuration changes', async () => {
      const checksum = async (...more: readonly string[]): Promise<unknown> => {
        const { spec } = one(await chart(folder, ...values, ...more), 'DaemonSet') as unknown as {
          spec: { template: { metadata: { annotations: Record<string, string> } } };
        };
        return spec.template.metadata.annotations['checksum/config'];
      };
      const other = '[seaweedfs]\nvolume_server_url = "http://other:8080"\n';
      const changed = await checksum('--set-string', `config=${other}`);
      expect(await checksum()).toMatch(/^[0-9a-f]{64}$/);
      expect(changed).not.toBe(await checksum());
    });
  });

  test('gives devices and hugepages where they are asked for, and the capability to pin memory', async () => {
    const shared = podOf(
      await chart(folder, '-f', join(folder, 'examples/shared-device-plugin.yaml')),
    );
    const [{ resources, securityContext }] = shared.containers as [Container];
    expect(resources.limits).toMatchObject({
      'rdma/hca_shared_devices_a': 1,
      'hugepages-2Mi': '2Gi',
    });
    expect(securityContext.capabilities?.add).toEqual(['IPC_LOCK']);
    const none = podOf(await chart(folder, '-f', join(folder, 'examples/no-rdma.yaml')));
    expect((none.containers[0] as Container).securityContext.capabilities?.add).toBeUndefined();
  });

  test.each(['no-rdma', 'shared-device-plugin', 'sriov'])(
    'needs no Secret but the one of the steps, and no operator, with examples/%s.yaml',
    async (name) => {
      const objects = await chart(folder, '-f', join(folder, `examples/${name}.yaml`));
      expect(objects.map(({ kind }) => kind)).not.toContain('PodMonitor');
      expect(objects.map(({ kind }) => kind)).not.toContain('PrometheusRule');
      const secrets = JSON.stringify(podOf(objects).volumes).match(/"secret":\{"name":"[^"]*"/g);
      expect(secrets).toEqual(['"secret":{"name":"seaweed-rdma"']);
    },
  );

  test('gives proxy and target both secrets while they are changed', async () => {
    const objects = await chart(folder, '--set', 'secret.secondKey=next');
    const pod = podOf(objects);
    const [container] = pod.containers as [Container];
    const file = '/etc/seaweed-rdma/secret/next';
    expect(variableOf(container, 'SEAWEED_RDMA__RDMA__SECOND_SECRET_FILE')).toBe(file);
    expect(JSON.stringify(pod.volumes)).toContain('{"key":"next","path":"secret/next","mode":');
  });

  test('lets the test pod leave out what it has not got', async () => {
    const objects = await chart(folder, '-f', join(folder, 'examples/shared-device-plugin.yaml'));
    const { spec } = one(objects, 'Pod') as unknown as { spec: { containers: Container[] } };
    expect(spec.containers[0]?.args.slice(-2)).toEqual(['--skip', 'devices,memory,transport']);
  });

  test('has an address for the admin listener that probes and Prometheus reach', async () => {
    const objects = await chart(folder, '-f', everything);
    const [container] = podOf(objects).containers as [Container];
    expect(variableOf(container, 'SEAWEED_RDMA__ADMIN__LISTEN')).toBe('$(NODE_IP):9081');
    expect(container.ports).toContainEqual({ name: 'admin', containerPort: 9081, protocol: 'TCP' });
    const monitor = one(objects, 'PodMonitor') as unknown as {
      spec: { podMetricsEndpoints: { port: string; authorization: object }[] };
    };
    expect(monitor.spec.podMetricsEndpoints[0]).toMatchObject({
      port: 'admin',
      authorization: { credentials: { name: 'token', key: 'token' } },
    });
  });

  test('carries the alert rules as they are', async () => {
    const { spec } = one(await chart(folder, '-f', everything), 'PrometheusRule') as unknown as {
      spec: object;
    };
    expect(spec).toEqual(parse(readFileSync(join(root, 'deploy/prometheus/alerts.yaml'), 'utf8')));
  });

  test('makes no Secret, and names the one that is there', async () => {
    const objects = await chart(folder, '-f', everything);
    expect(objects.map(({ kind }) => kind)).not.toContain('Secret');
    expect(JSON.stringify(podOf(objects).volumes)).toContain('"name":"seaweed-rdma"');
  });

  test.each([
    ['an unknown key', 'hostNetwrok=true', /hostNetwrok/],
    ['an unknown key inside', 'rdma.resuorce=rdma/hca', /resuorce/],
    ['a port that is none', 'http.port=70000', /70000|maximum/i],
    [
      'a grace shorter than the drain',
      'terminationGracePeriodSeconds=5',
      /terminationGracePeriodSeconds/,
    ],
    ['a resource without a domain', 'rdma.resource=hca', /pattern|rdma/i],
    ['hugepages of no unit', 'hugepages2Mi=512', /hugepages2Mi/],
    ['an empty configuration', 'config=', /config/],
  ])('refuses %s', async (_what, setting, message) => {
    await expect(chart(folder, '--set', setting)).rejects.toThrow(message);
  });

  test('is taken by helm lint', async () => {
    const { status, stdout } = await runCommand(helm as string, ['lint', '--strict', folder]);
    expect(stdout).toContain('0 chart(s) failed');
    expect(status).toBe(0);
  });

  test('has a target for the pod of a volume server, as a named template', async () => {
    const parent = join(scratch.folder, 'parent');
    mkdirSync(join(parent, 'charts'), { recursive: true });
    cpSync(folder, join(parent, 'charts/seaweed-rdma'), { recursive: true, dereference: true });
    scratch.write('parent/Chart.yaml', 'apiVersion: v2\nname: parent\nversion: 1.0.0\n', 0o644);
    const include = (name: string, more: string): string =>
      `- {{- include "seaweed-rdma.${name}" (dict "root" (index .Subcharts "seaweed-rdma") ${more}) | nindent 10 }}`;
    scratch.write(
      'parent/templates/statefulset.yaml',
      `apiVersion: apps/v1
kind: StatefulSet
metadata: { name: volume }
spec:
  template:
    spec:
      containers:
        ${include('targetContainer', '"dataVolume" "data" "dataPath" "/data"')}
      volumes:
        ${include('targetVolume', '"config" "seaweed-rdma-target"')}
`,
    );
    const { spec } = one(await chart(parent), 'StatefulSet') as unknown as {
      spec: { template: { spec: PodSpec } };
    };
    const [container] = spec.template.spec.containers as [Container];
    expect(faultsOfContainer(container)).toEqual([]);
    const patch = parse(
      readFileSync(join(root, 'deploy/kustomize/target/sidecar.yaml'), 'utf8'),
    ) as {
      spec: { template: { spec: PodSpec } };
    };
    const [patched] = patch.spec.template.spec.containers as [Container];
    expect({ ...container, image: '' }).toEqual({ ...patched, image: '' });
    expect(spec.template.spec.volumes).toEqual(patch.spec.template.spec.volumes);
  });
});
