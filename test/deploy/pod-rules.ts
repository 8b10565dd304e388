/** What every container of ours must be, whoever rendered it. */
export interface Container {
  readonly name: string;
  readonly image: string;
  readonly args: readonly string[];
  readonly env?: readonly { readonly name: string; readonly value?: string }[];
  readonly ports?: readonly { readonly name: string; readonly containerPort: number }[];
  readonly resources: {
    readonly requests: Readonly<Record<string, string | number>>;
    readonly limits: Readonly<Record<string, string | number>>;
  };
  readonly securityContext: {
    readonly runAsNonRoot?: boolean;
    readonly runAsUser?: number;
    readonly readOnlyRootFilesystem?: boolean;
    readonly privileged?: boolean;
    readonly allowPrivilegeEscalation?: boolean;
    readonly capabilities?: { readonly drop?: readonly string[]; readonly add?: readonly string[] };
    readonly seccompProfile?: { readonly type: string };
  };
  readonly volumeMounts: readonly {
    readonly name: string;
    readonly mountPath: string;
    readonly readOnly?: boolean;
  }[];
  readonly startupProbe?: Probe;
  readonly readinessProbe?: Probe;
  readonly livenessProbe?: Probe;
}

interface Probe {
  readonly httpGet: { readonly path: string; readonly port: string; readonly host?: string };
}

export interface PodSpec {
  readonly containers: readonly Container[];
  readonly hostNetwork?: boolean;
  readonly hostIPC?: boolean;
  readonly hostPID?: boolean;
  readonly dnsPolicy?: string;
  readonly automountServiceAccountToken?: boolean;
  readonly terminationGracePeriodSeconds?: number;
  readonly volumes: readonly { readonly name: string; readonly hostPath?: unknown }[];
}

/** src/cli/roles/role.ts gives requests in flight this long. */
const drainSeconds = 10;

export function faultsOfContainer(container: Container): string[] {
  const { securityContext: context, resources, volumeMounts, ports, env } = container;
  const added = context.capabilities?.add ?? [];
  const wantsLock = (env ?? []).some(({ name }) => name === 'SEAWEED_RDMA_NODE');
  const special = Object.keys(resources.requests).filter((name) => /hugepages-|\//.test(name));
  const probes = [container.startupProbe, container.livenessProbe, container.readinessProbe];
  const rules: readonly (readonly [boolean, string])[] = [
    [context.runAsNonRoot === true && (context.runAsUser ?? 0) > 0, 'may be root'],
    [context.readOnlyRootFilesystem === true, 'may write to its root'],
    [context.privileged !== true, 'is privileged'],
    [context.capabilities?.drop?.join() === 'ALL', 'keeps capabilities'],
    [added.every((name) => name === 'IPC_LOCK'), 'adds more than IPC_LOCK'],
    [added.includes('IPC_LOCK') === wantsLock, 'IPC_LOCK and the Node that takes it come together'],
    [context.allowPrivilegeEscalation === wantsLock, 'escalates for nothing, or cannot lock'],
    [context.seccompProfile?.type === 'RuntimeDefault', 'has no seccomp profile'],
    [volumeMounts.every(({ readOnly }) => readOnly === true), 'has a writable mount'],
    [resources.requests['memory'] !== undefined, 'requests no memory, which hugepages need too'],
    [resources.limits['memory'] !== undefined, 'has no limit of memory'],
    [
      special.every((name) => resources.limits[name] === resources.requests[name]),
      'hugepages and devices are requested as much as they are limited',
    ],
    [
      probes.every(
        (probe) =>
          probe === undefined || (ports ?? []).some(({ name }) => name === probe.httpGet.port),
      ),
      'a probe asks a port that it does not name',
    ],
    [container.livenessProbe?.httpGet.path === '/livez', 'has no liveness probe'],
    [!/:latest$|^[^:]+$/.test(container.image), 'has an image of no version'],
  ];
  return rules.filter(([holds]) => !holds).map(([, fault]) => `${container.name}: ${fault}`);
}

export function faultsOfProxyPod(pod: PodSpec): string[] {
  const [container, ...others] = pod.containers;
  if (container === undefined || others.length > 0) return ['is not one container'];
  const rules: readonly (readonly [boolean, string])[] = [
    [pod.automountServiceAccountToken === false, 'has a token of the API server'],
    [
      !pod.hostNetwork || pod.dnsPolicy === 'ClusterFirstWithHostNet',
      'asks the resolver of the node, which knows no Service',
    ],
    [pod.hostPID !== true, 'sees the processes of the node'],
    // Shared memory that peers of another PID namespace are watched by is worse than TCP.
    [pod.hostIPC !== true, 'shares memory with the node'],
    [(pod.terminationGracePeriodSeconds ?? 0) > drainSeconds, 'is killed while it drains'],
    [pod.volumes.every(({ hostPath }) => hostPath === undefined), 'has a directory of the node'],
    [container.startupProbe?.httpGet.path === '/readyz', 'has no startup probe'],
    [container.readinessProbe?.httpGet.path === '/readyz', 'has no readiness probe'],
  ];
  const faults = rules.filter(([holds]) => !holds).map(([, fault]) => `pod: ${fault}`);
  return [...faults, ...faultsOfContainer(container)];
}

const units: Readonly<Record<string, number>> = { Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30 };

/** Of a quantity such as 512Mi. */
export function bytesOf(quantity: string | number | undefined): number {
  const [, count, unit] = /^(\d+)(Ki|Mi|Gi)$/.exec(String(quantity)) ?? [];
  if (count === undefined || unit === undefined) throw new Error(`no quantity: ${quantity}`);
  return Number(count) * (units[unit] as number);
}

export function variableOf(container: Container, name: string): string | undefined {
  return (container.env ?? []).find((each) => each.name === name)?.value;
}
