/**
 * A SeaweedFS cluster with the product in it, as an operator would set it up: the volume server binds 127.0.0.2 and
 * announces 127.0.0.1, where the proxy listens at its port; its gRPC port is relayed. Everything is a process of its own
 * on loopback, in a scratch folder, and ends with the cluster.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { answers, Program } from '../../bench/programs.ts';
import { type RoleProcess, startRole } from '../../scripts/role-process.ts';
import { Forwarder } from './forwarder.ts';
import { grpcOffset, pairedPorts } from './paired-ports.ts';

export interface ClusterOptions {
  /** The program of SeaweedFS. */
  readonly weed: string;
  /** The program of SeaweedFS's volume server in Rust; undefined: the volume server is `weed volume`. */
  readonly rustVolumeServer?: string | undefined;
  /** `jwt.signing.read.key` of all servers, of the clients and of the proxy; '' or absent: reads need no token. */
  readonly readKey?: string;
  /** Of the proxy: `cache.size` and `memory.size`. */
  readonly cacheSize?: string;
  readonly memorySize?: string;
  /**
   * What stands where clients expect the volume server: the proxy, the volume server itself, or a relay that hears what
   * clients send (`onClientBytes`).
   */
  readonly front: 'proxy' | 'volume-server' | ((connection: number, bytes: Buffer) => void);
}

export interface FilerOptions {
  readonly isEncrypting?: boolean;
}

export interface Filer {
  readonly port: number;
  /** `http://host:port`. */
  readonly url: string;
  readonly pid: number;
}

/** Where the volume server really is. */
const serverHost = '127.0.0.2';
export const announcedHost = '127.0.0.1';
const volumeSizeMegabytes = 512;

export class Cluster {
  readonly folder: string = mkdtempSync(join(tmpdir(), 'seaweed-rdma-clients-'));
  readonly weed: string;
  readonly hasReadKey: boolean;
  readonly #options: ClusterOptions;
  readonly #programs: Program[] = [];
  readonly #ended: (() => Promise<unknown>)[] = [];
  #master = '';
  #volumePort = 0;
  #volumeServer: Program | undefined;
  #target: RoleProcess | undefined;
  #proxy: RoleProcess | undefined;

  private constructor(options: ClusterOptions) {
    this.#options = options;
    this.weed = options.weed;
    this.hasReadKey = (options.readKey ?? '') !== '';
  }

  static async start(options: ClusterOptions): Promise<Cluster> {
    const cluster = new Cluster(options);
    try {
      await cluster.#start();
      return cluster;
    } catch (error) {
      await cluster.close();
      throw error;
    }
  }

  /** host:port; gRPC is 10,000 above. */
  get master(): string {
    return this.#master;
  }

  /** host:port that clients are told. */
  get volumeServer(): string {
    return `${announcedHost}:${this.#volumePort}`;
  }

  /** host:port of the volume server itself. */
  get hiddenVolumeServer(): string {
    const host = this.#options.front === 'volume-server' ? announcedHost : serverHost;
    return `${host}:${this.#volumePort}`;
  }

  get pids(): Readonly<Record<'volumeServer' | 'target' | 'proxy', number | undefined>> {
    return {
      volumeServer: this.#volumeServer?.pid,
      target: this.#target?.pid,
      proxy: this.#proxy?.pid,
    };
  }

  /** host:port of the proxy's admin listener. */
  get admin(): string {
    return String(this.#proxy?.bound['admin']);
  }

  /** A folder of its own for one program. */
  scratch(name: string): string {
    const folder = join(this.folder, name);
    mkdirSync(folder, { recursive: true });
    return folder;
  }

  /** Filers of one cluster share their files, so each is put into a group of its own. */
  async startFiler({ isEncrypting = false }: FilerOptions = {}): Promise<Filer> {
    const [port = 0] = await pairedPorts(1);
    const name = `filer-${port}`;
    const args = [
      ...['-ip=127.0.0.1', '-ip.bind=127.0.0.1', `-port=${port}`, `-master=${this.#master}`],
      `-filerGroup=group${port}`,
      `-defaultStoreDir=${this.scratch(name)}`,
      `-localSocket=${join(this.folder, `${name}.sock`)}`,
      `-encryptVolumeData=${isEncrypting}`,
    ];
    const filer = this.run(['filer', ...args]);
    const url = `http://127.0.0.1:${port}`;
    await filer.until(() => answers(`${url}/`));
    return { port, url, pid: filer.pid };
  }

  /** A SeaweedFS program that lives until it is stopped, or the cluster is. */
  run(args: readonly string[]): Program {
    return this.#spawn([this.weed, '-logtostderr=true', ...args]);
  }

  /** Stops one of them before the cluster ends. */
  async stop(program: Program): Promise<void> {
    await program.stop();
    this.#programs.splice(this.#programs.indexOf(program), 1);
  }

  /** Called when the cluster ends, before its programs are stopped. */
  atEnd(end: () => Promise<unknown>): void {
    this.#ended.push(end);
  }

  async close(): Promise<void> {
    for (const end of this.#ended.toReversed()) await end().catch(() => undefined);
    await Promise.all(this.#programs.map((program) => program.stop()));
    rmSync(this.folder, { recursive: true, force: true });
  }

  async #start(): Promise<void> {
    const { readKey = '' } = this.#options;
    const security = join(this.folder, 'security.toml');
    if (readKey !== '') writeFileSync(security, `[jwt.signing.read]\nkey = "${readKey}"\n`);
    writeFileSync(join(this.folder, 'master.toml'), '[master.volume_growth]\ncopy_1 = 2\n');
    const [masterPort = 0, volumePort = 0] = await pairedPorts(2);
    this.#master = `127.0.0.1:${masterPort}`;
    this.#volumePort = volumePort;
    const master = this.run([
      'master',
      ...['-ip=127.0.0.1', '-ip.bind=127.0.0.1', `-port=${masterPort}`, '-telemetry=false'],
      ...[`-mdir=${this.scratch('master')}`, `-volumeSizeLimitMB=${volumeSizeMegabytes}`],
    ]);
    await master.until(() => answers(`http://${this.#master}/cluster/healthz`));
    const data = this.scratch('data');
    await this.#startVolumeServer(data);
    await this.#startFront(data, readKey === '' ? '' : security);
    await master.until(async () => {
      const answer = await fetch(`http://${this.#master}/dir/status`);
      return (await answer.text()).includes(this.volumeServer);
    });
  }

  async #startVolumeServer(data: string): Promise<void> {
    const { rustVolumeServer, front } = this.#options;
    const bind = front === 'volume-server' ? announcedHost : serverHost;
    const args = [
      ...[`-ip=${announcedHost}`, `-ip.bind=${bind}`, `-port=${this.#volumePort}`],
      ...[`-port.grpc=${this.#volumePort + grpcOffset}`, `-master=${this.#master}`],
      ...[`-dir=${data}`, '-max=60', '-preStopSeconds=0', '-minFreeSpace=1MiB'],
    ];
    if (bind !== announcedHost) await this.#relayGrpc();
    this.#volumeServer =
      rustVolumeServer === undefined
        ? this.run(['volume', ...args])
        : this.#spawn([
            rustVolumeServer,
            ...args,
            ...(this.hasReadKey ? [`-securityFile=${join(this.folder, 'security.toml')}`] : []),
          ]);
    await this.#volumeServer.until(() => answers(`http://${this.hiddenVolumeServer}/status`));
  }

  async #relayGrpc(): Promise<void> {
    const port = this.#volumePort + grpcOffset;
    await this.#relay(port, undefined);
  }

  async #relay(
    port: number,
    onClientBytes: ((connection: number, bytes: Buffer) => void) | undefined,
  ): Promise<void> {
    const ear = onClientBytes === undefined ? {} : { onClientBytes };
    const ends = { host: announcedHost, port, toHost: serverHost, toPort: port };
    const relay = await Forwarder.start({ ...ends, ...ear });
    this.#ended.unshift(() => relay.close());
  }

  async #startFront(data: string, security: string): Promise<void> {
    const { front } = this.#options;
    if (front === 'volume-server') return;
    if (front !== 'proxy') return this.#relay(this.#volumePort, front);
    this.#target = await this.#role('target', targetConfig(data, this.hiddenVolumeServer));
    this.#proxy = await this.#role(
      'proxy',
      proxyConfig({
        listen: this.volumeServer,
        volumeServer: this.hiddenVolumeServer,
        target: String(this.#target.bound['rdma']),
        security,
        cacheSize: this.#options.cacheSize ?? '192MiB',
        memorySize: this.#options.memorySize ?? '384MiB',
      }),
    );
  }

  async #role(name: string, config: string): Promise<RoleProcess> {
    const role = await startRole(name, { config });
    this.#ended.unshift(() => role.stop());
    return role;
  }

  #spawn(command: readonly string[]): Program {
    const program = new Program(command, this.folder);
    this.#programs.push(program);
    return program;
  }
}

function targetConfig(data: string, volumeServer: string): string {
  return `
[rdma]
port = 0
buffer_size = "192MiB"
hugepages = "off"
[target]
dirs = ["${data}"]
volume_server_url = "http://${volumeServer}"
[admin]
listen = "127.0.0.1:0"
`;
}

interface ProxyFacts {
  readonly listen: string;
  readonly volumeServer: string;
  readonly target: string;
  readonly security: string;
  readonly cacheSize: string;
  readonly memorySize: string;
}

function proxyConfig(facts: ProxyFacts): string {
  const { listen, volumeServer, target, security, cacheSize, memorySize } = facts;
  return `
[http]
listen = "${listen}"
[seaweedfs]
volume_server_url = "http://${volumeServer}"
security_toml = "${security}"
[rdma]
target = "${target}"
[cache]
size = "${cacheSize}"
[memory]
size = "${memorySize}"
hugepages = "off"
[admin]
listen = "127.0.0.1:0"
`;
}
