/** The two roles as processes of their own, run from the sources: what a history is driven through. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';

/** "verbs": UCX over an RDMA port alone, that of SEAWEED_RDMA_VERBS_ADDRESS. */
export type Transport = 'inproc' | 'ucx' | 'tcp' | 'verbs';

export interface StackOptions {
  readonly transport: Transport;
  /** With "tcp". */
  readonly isTlsOff?: boolean | undefined;
  /** For configuration files and logs. */
  readonly folder: string;
  /** One for each volume server: its URL, and its data directories. */
  readonly servers: readonly { readonly url: string; readonly dirs: readonly string[] }[];
  /** How often targets ask their volume servers; with inproc the proxy does, each second. */
  readonly confirmEveryMs?: number | undefined;
  /** The first target's; default: any free one. */
  readonly targetPort?: number;
  /** From the address of a target to the one that the proxy is told. */
  readonly onTheWay?: ((target: string) => Promise<string>) | undefined;
  /** More lines for [rdma] of proxy.toml. */
  readonly rdmaToml?: string;
  /** Native threads of the proxy that answer what is published. With any, no answer tells its source: lanes give no debug headers. */
  readonly lanes?: number | undefined;
  /** More lines for proxy.toml. */
  readonly proxyToml?: string;
  /** The version that runs a role, by its root; this one without. */
  readonly versions?: Readonly<Partial<Record<Role, string>>>;
}

type Role = 'proxy' | 'target';

export interface Stack {
  /** How often a volume server is asked what it serves. */
  readonly confirmEveryMs: number;
  /** The proxy's, on the loopback. */
  readonly port: number;
  /** The proxy's admin listener. */
  readonly adminUrl: string;
  /** One for each volume server; with inproc none. */
  readonly targets: readonly RunningTarget[];
  /** A number from the proxy's /metrics; labels as they are printed. */
  metric(name: string): Promise<number>;
  /** All series of a counter whose labels have this text, '' for any. */
  total(name: string, labels?: string): Promise<number>;
  /** Drains; the exit codes, the proxy's first. */
  stop(): Promise<readonly (number | null)[]>;
}

/** A target that may be killed and started again, with the same configuration. */
export interface RunningTarget {
  /** Resolves when the process is gone. */
  kill(): Promise<void>;
  /** Resolves when the new process is ready. */
  start(): Promise<void>;
  /** Stops the process where it stands, or lets it go on. */
  signal(name: 'SIGSTOP' | 'SIGCONT'): void;
}

const root = join(import.meta.dirname, '..', '..');
/** The target's; without one, the proxy's own. */
const confirmEveryMs = { target: 100, inproc: 1_000 };
/** One machine's: shared memory, with tcp for the handshake. */
const localUcx = 'device_name = "lo"\ntls = "tcp,posix,sysv,cma,self"\n';
/** The processors of a machine with a device in software may be emulated. */
const slow = {
  target: 'handshake_timeout = "60s"\n',
  proxy: 'connect_timeout = "30s"\ntimeout = "20s"\n',
};
const admin = '[admin]\nlisten = "127.0.0.1:0"\n';

export async function startStack(options: StackOptions): Promise<Stack> {
  mkdirSync(options.folder, { recursive: true });
  const confirmMs =
    options.transport === 'inproc'
      ? confirmEveryMs.inproc
      : (options.confirmEveryMs ?? confirmEveryMs.target);
  const roles: RunningRole[] = [];
  const targets: RunningTarget[] = [];
  const start = async (name: Role, toml: string, at = roles.length): Promise<RunningRole> => {
    const version = options.versions?.[name] ?? root;
    const role = await startRole({ version, folder: options.folder, name, toml }, at);
    roles[at] = role;
    return role;
  };
  const restartable = (at: number, toml: string): RunningTarget => ({
    kill: () => (roles[at] as RunningRole).kill(),
    start: async () => void (await start('target', toml, at)),
    signal: (name) => (roles[at] as RunningRole).signal(name),
  });
  const stop = async (): Promise<readonly (number | null)[]> => {
    const codes: (number | null)[] = [];
    for (const role of roles.toReversed()) codes.push(await role.stop());
    return codes;
  };
  try {
    const servers: string[] = [];
    for (const { url, dirs } of options.servers) {
      let target = '';
      if (options.transport !== 'inproc') {
        const at = roles.length;
        const port = at === 0 ? (options.targetPort ?? 0) : 0;
        const toml = targetToml(
          url,
          dirs,
          confirmMs,
          `port = ${port}\n${fabricToml(options, 'target')}`,
        );
        const bound = (await start('target', toml)).bound('rdma');
        target = (await options.onTheWay?.(bound)) ?? bound;
        targets.push(restartable(at, toml));
      }
      servers.push(`[[seaweedfs.volume_server]]\nurl = "${url}"\ntarget = "${target}"\n`);
    }
    const proxy = await start('proxy', proxyToml(options, servers));
    const adminUrl = `http://${proxy.bound('admin')}`;
    return {
      confirmEveryMs: confirmMs,
      port: Number(proxy.bound('http').split(':').at(-1)),
      adminUrl,
      targets,
      metric: (name) => metricOf(adminUrl, name),
      total: (name, labels = '') => totalOf(adminUrl, name, labels),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

function fabricToml({ folder, transport, isTlsOff = false }: StackOptions, role: Role): string {
  if (transport === 'ucx') return localUcx;
  const file = join(folder, 'secret');
  writeFileSync(file, 'a secret of sixteen bytes or more\n', { mode: 0o600 });
  const secret = `secret_file = "${file}"\n`;
  if (transport === 'tcp') return `transport = "tcp"\ntls_off = ${isTlsOff}\n${secret}`;
  const address = process.env['SEAWEED_RDMA_VERBS_ADDRESS'];
  const listen = role === 'target' ? `listen = "${address}"\n` : '';
  return `tls = "rc"\n${secret}${listen}${slow[role]}`;
}

function targetToml(
  url: string,
  dirs: readonly string[],
  confirmMs: number,
  fabric: string,
): string {
  return `[rdma]\nbuffer_size = "256MiB"\n${fabric}[target]\ndirs = ${JSON.stringify(dirs)}\nvolume_server_url = "${url}"\nconfirm_every = "${confirmMs}ms"\n${admin}`;
}

function proxyToml(options: StackOptions, lines: readonly string[]): string {
  const { transport, servers, rdmaToml = '', lanes = 0, proxyToml: more = '' } = options;
  const isInproc = transport === 'inproc';
  const upstream = isInproc
    ? `[seaweedfs]\nvolume_server_url = "${servers[0]?.url}"\n`
    : lines.join('');
  const fabric = isInproc
    ? `transport = "inproc"\ndirs = ${JSON.stringify(servers[0]?.dirs)}\n`
    : fabricToml(options, 'proxy');
  // An earlier version knows no lanes.
  const frontToml =
    lanes === 0 ? 'debug_headers = true\n' : `lanes = ${lanes}\nlane_strict_connections = 1\n`;
  return `[http]\nlisten = "127.0.0.1:0"\n${frontToml}${upstream}[rdma]\n${fabric}${rdmaToml}${admin}${more}`;
}

class RunningRole {
  readonly #child: ChildProcess;
  readonly #ready: Readonly<Record<string, unknown>>;
  readonly #ended: Promise<number | null>;

  constructor(
    child: ChildProcess,
    ready: Readonly<Record<string, unknown>>,
    ended: Promise<number | null>,
  ) {
    this.#child = child;
    this.#ready = ready;
    this.#ended = ended;
  }

  bound(key: string): string {
    return String(this.#ready[key]);
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#ended;
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  async stop(): Promise<number | null> {
    this.#child.kill('SIGCONT');
    this.#child.kill('SIGTERM');
    const late = new AbortController();
    void pause(10_000, undefined, { signal: late.signal }).then(
      () => this.#child.kill('SIGKILL'),
      () => undefined,
    );
    const code = await this.#ended;
    late.abort();
    return code;
  }
}

interface Program {
  readonly version: string;
  /** For its configuration file. */
  readonly folder: string;
  readonly name: Role;
  readonly toml: string;
}

/** Resolves when the role is ready; rejects with its last lines when it ends before. */
async function startRole(
  { version, folder, name, toml }: Program,
  index: number,
): Promise<RunningRole> {
  const file = join(folder, `${name}-${index}.toml`);
  writeFileSync(file, toml, { mode: 0o600 });
  const args = [join(version, 'src', 'main.ts'), name, '--config', file];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const orphan = (): void => void child.kill('SIGKILL');
  process.once('exit', orphan);
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  void ended.then(() => process.off('exit', orphan));
  const last: string[] = [];
  const keep = (line: string): void => {
    last.push(line);
    if (last.length > 20) last.shift();
  };
  createInterface(child.stderr).on('line', keep);
  let bound: Readonly<Record<string, unknown>> = {};
  const ready = new Promise<Readonly<Record<string, unknown>>>((resolve) => {
    createInterface(child.stdout).on('line', (line) => {
      keep(line);
      const fields = JSON.parse(line) as Record<string, unknown>;
      if (fields['event'] === 'ready') bound = fields;
      // A proxy listens before it knows its volume server and targets.
      if (fields['event'] === (name === 'proxy' ? 'settled' : 'ready')) resolve(bound);
    });
  });
  const first = await Promise.race([ready, ended.then(() => undefined)]);
  if (first === undefined) throw new Error(`the ${name} ended: ${last.join('\n')}`);
  return new RunningRole(child, first, ended);
}

async function metricOf(adminUrl: string, name: string): Promise<number> {
  const text = await (await fetch(`${adminUrl}/metrics`)).text();
  const line = text.split('\n').find((each) => each.startsWith(`${name} `));
  return Number(line?.slice(name.length + 1) ?? Number.NaN);
}

async function totalOf(adminUrl: string, name: string, labels: string): Promise<number> {
  const text = await (await fetch(`${adminUrl}/metrics`)).text();
  const lines = text
    .split('\n')
    .filter((line) => line.startsWith(`${name}{`) && line.includes(labels));
  return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
}
