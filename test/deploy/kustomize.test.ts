/** The kustomizations, rendered: each overlay, and the target beside a volume server. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { runProgram } from '../integration/program.ts';
import { scratchFolder } from '../integration/scratch.ts';
import {
  faultsByType,
  type KubernetesObject,
  kustomize,
  rendered,
  root,
  strictDecode,
} from './made-tools.ts';
import { type Container, faultsOfContainer, faultsOfProxyPod, type PodSpec } from './pod-rules.ts';

const scratch = scratchFolder();
const folder = join(root, 'deploy/kustomize');
const overlays = readdirSync(join(folder, 'overlays'));

function build(path: string): Promise<readonly KubernetesObject[]> {
  return rendered([...(kustomize as readonly string[]), path]);
}

function podOf(objects: readonly KubernetesObject[], kind: string): PodSpec {
  const found = objects.find((object) => object.kind === kind);
  return (found as unknown as { spec: { template: { spec: PodSpec } } }).spec.template.spec;
}

async function checkConfiguration(
  objects: readonly KubernetesObject[],
  role: 'proxy' | 'target',
): Promise<void> {
  const map = objects.find(({ kind }) => kind === 'ConfigMap');
  const { data } = map as unknown as { data: Record<string, string> };
  const file = scratch.write(`${role}.toml`, data[`${role}.toml`] as string);
  const variables = { SEAWEED_RDMA__RDMA__SECRET_FILE: scratch.write('key', 'secret') };
  const check = await runProgram(['config', 'check', '--role', role, file], variables);
  expect(check.stderr).toBe('');
  expect(check.status).toBe(0);
}

describe.skipIf(kustomize === undefined)('kustomize', () => {
  test.each(overlays)(
    'makes a pod of the overlay %s that may do no more than it must',
    async (name) => {
      const objects = await build(join(folder, 'overlays', name));
      expect(faultsOfProxyPod(podOf(objects, 'DaemonSet'))).toEqual([]);
      if (strictDecode !== undefined) expect(faultsByType(objects)).toBe('');
      await checkConfiguration(objects, 'proxy');
    },
  );

  test('names the configuration by its content, so that pods start anew with another one', async () => {
    const objects = await build(join(folder, 'base'));
    const { metadata } = objects.find(({ kind }) => kind === 'ConfigMap') as KubernetesObject;
    expect(metadata.name).toMatch(/^seaweed-rdma-proxy-[a-z0-9]{10}$/);
    expect(JSON.stringify(podOf(objects, 'DaemonSet').volumes)).toContain(metadata.name);
  });

  test('puts the target beside a volume server, which stays as it was', async () => {
    const server = {
      name: 'volume',
      image: 'chrislusf/seaweedfs:4.44',
      volumeMounts: [{ name: 'data', mountPath: '/data' }],
    };
    const stateful = {
      apiVersion: 'apps/v1',
      kind: 'StatefulSet',
      metadata: { name: 'seaweedfs-volume' },
      spec: {
        serviceName: 'seaweedfs-volume',
        selector: { matchLabels: { app: 'v' } },
        template: {
          metadata: { labels: { app: 'v' } },
          spec: { containers: [server], volumes: [{ name: 'data', emptyDir: {} }] },
        },
      },
    };
    scratch.write('server/statefulset.yaml', JSON.stringify(stateful), 0o644);
    // Only relative paths name a component.
    const up = '../'.repeat(scratch.folder.split('/').length);
    const component = `${up}${join(folder, 'target').slice(1)}`;
    scratch.write(
      'server/kustomization.yaml',
      `apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [statefulset.yaml]\ncomponents: [${component}]\n`,
      0o644,
    );
    const objects = await build(join(scratch.folder, 'server'));
    const pod = podOf(objects, 'StatefulSet');
    const target = pod.containers.find(({ name }) => name === 'seaweed-rdma-target') as Container;
    expect(pod.containers.find(({ name }) => name === 'volume')).toEqual(server);
    expect(faultsOfContainer(target)).toEqual([]);
    expect(target.volumeMounts).toContainEqual({
      name: 'data',
      mountPath: '/data',
      readOnly: true,
    });
    if (strictDecode !== undefined) expect(faultsByType(objects)).toBe('');
    await checkConfiguration(objects, 'target');
  });
});

describe("the values for SeaweedFS's own chart", () => {
  test('have the same target as the patch', () => {
    const file = join(root, 'deploy/helm/seaweedfs/values.yaml');
    const { volume } = parse(readFileSync(file, 'utf8')) as {
      volume: { sidecars: string; extraVolumes: string };
    };
    const [container] = parse(volume.sidecars) as [Container];
    const patch = parse(readFileSync(join(folder, 'target/sidecar.yaml'), 'utf8')) as {
      spec: { template: { spec: PodSpec } };
    };
    const [patched] = patch.spec.template.spec.containers as [Container];
    const plain = (each: Container): object => ({ ...each, image: '', volumeMounts: [] });
    expect(plain(container)).toEqual(plain(patched));
    expect(faultsOfContainer(container)).toEqual([]);
    expect(parse(volume.extraVolumes)).toEqual(patch.spec.template.spec.volumes);
  });
});
