/** The doctor's checks, in order, and the form of a check's result. */

export type CheckResult = 'ok' | 'warn' | 'fail' | 'skip';

/** A finding of a layer; `name` is of `catalogue`. A check of several targets or servers comes once for each. */
export interface Finding {
  readonly name: string;
  readonly result: CheckResult;
  /** One line. */
  readonly summary: string;
  /** Facts that were looked at and their values, with numbers. */
  readonly evidence: readonly string[];
  /** Commands, or keys to set; empty where nothing is to be done. */
  readonly fix: readonly string[];
}

/** Every layer with its checks, in the order in which they run. docs/doctor.md explains each; a test compares. */
export const catalogue = {
  configuration: ['config-file', 'config-warnings', 'secret-file', 'token-file'],
  program: ['node-version', 'addon'],
  ucx: ['ucx-version', 'ucx-environment', 'ucx-transports', 'ucx-addresses'],
  devices: ['rdma-devices', 'rdma-port', 'rdma-mtu', 'rdma-gid', 'device-name'],
  memory: ['memlock', 'hugepages', 'memory-size', 'shared-memory', 'numa'],
  limits: ['descriptors'],
  clock: ['clock-sync', 'clock-difference'],
  ports: ['listen-address'],
  'volume-server': ['volume-server'],
  storage: ['data-dirs', 'file-system', 'index-files', 'served-volumes', 'temp-dir'],
  target: ['target-address', 'target-port', 'target-session', 'rails', 'transport', 'ping'],
  volumes: ['announced-volumes'],
  security: ['read-tokens', 'http-exposure', 'admin-exposure', 'secret-exposure', 'ucx-exposure'],
  needle: ['needle-bytes'],
  speed: ['latency', 'bandwidth'],
  clients: ['client-requests', 'client-addresses'],
} as const;

export type Layer = keyof typeof catalogue;
export type CheckName = (typeof catalogue)[Layer][number];

export const layers: readonly Layer[] = Object.keys(catalogue) as Layer[];

export const checkNames: readonly CheckName[] = layers.flatMap(
  (layer): readonly CheckName[] => catalogue[layer],
);

/** A layer's name stands for all of its checks; undefined: neither a layer nor a check. */
export function checksOf(name: string): readonly CheckName[] | undefined {
  const layer = layers.find((known) => known === name);
  if (layer !== undefined) return catalogue[layer];
  const check = checkNames.find((known) => known === name);
  return check === undefined ? undefined : [check];
}

export interface Check extends Finding {
  readonly layer: Layer;
}

export function ok(name: CheckName, summary: string, evidence: readonly string[] = []): Finding {
  return { name, result: 'ok', summary, evidence, fix: [] };
}

export function skip(name: CheckName, summary: string, evidence: readonly string[] = []): Finding {
  return { name, result: 'skip', summary, evidence, fix: [] };
}

/** A fault or a risk, and what to do about it: never empty. */
interface Trouble {
  readonly summary: string;
  readonly evidence?: readonly string[];
  readonly fix: readonly [string, ...string[]];
}

export function warn(name: CheckName, { summary, evidence = [], fix }: Trouble): Finding {
  return { name, result: 'warn', summary, evidence, fix };
}

export function fail(name: CheckName, { summary, evidence = [], fix }: Trouble): Finding {
  return { name, result: 'fail', summary, evidence, fix };
}
