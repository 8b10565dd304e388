/** One recorded group in front of the real product: stub (or real server) ← target, proxy, on a scratch copy of the data. */
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type RoleProcess, startRole } from '../../scripts/role-process.ts';
import { isPlainNeedle } from './plain-needle.ts';
import { type RealServer, startRealServer } from './real-server.ts';
import { judge, type ReplayTarget, replay, replayRepeatedly } from './replay.ts';
import {
  fixturesFolder,
  type RecordedBodies,
  type RecordedCase,
  type RecordedGroup,
  type RecordedServer,
  readStatusRows,
} from './transcript.ts';
import { UpstreamStub } from './upstream-stub.ts';

export interface RunOptions {
  readonly group: string;
  readonly recorded: RecordedGroup;
  readonly cases: readonly RecordedCase[];
  readonly bodies: RecordedBodies;
  /** off: everything passes through. */
  readonly transport: 'ucx' | 'inproc' | 'off';
  readonly lane: boolean;
  /** Native threads that answer what is published; absent: as many as the proxy takes by itself. */
  readonly lanes?: number;
  /** UCX_TLS of both sides. */
  readonly tls: string;
  /** A real server's program: it answers instead of the stub. */
  readonly weed?: string;
}

export interface CaseResult {
  readonly recorded: RecordedCase;
  /** Empty: equal to the recording. */
  readonly differences: readonly string[];
  /** What the volume server saw of it, probes left out. */
  readonly reached: readonly string[];
  /** Reasons of the proxy's passthroughs during this case, by its own metrics; asked for where a plain needle was passed, and of a real server. */
  readonly reasons: readonly string[];
}

interface Upstream {
  readonly data: string;
  readonly address: string;
  readonly publicAddress: string;
}

const peer = '127.0.0.9:14';

export class GroupRun {
  readonly #options: RunOptions;
  readonly #folder = mkdtempSync(join(tmpdir(), 'conformance-'));
  readonly #stubs: UpstreamStub[] = [];
  readonly #roles: RoleProcess[] = [];
  #real: RealServer | undefined;
  #target: ReplayTarget | undefined;
  #admins: readonly string[] = [];

  private constructor(options: RunOptions) {
    this.#options = options;
  }

  static async start(options: RunOptions): Promise<GroupRun> {
    const run = new GroupRun(options);
    try {
      await run.#start();
      return run;
    } catch (error) {
      await run.close();
      throw error;
    }
  }

  /** Every case once, one after the other. */
  async pass(): Promise<readonly CaseResult[]> {
    const target = this.#target as ReplayTarget;
    const results: (CaseResult & { readonly judged: () => readonly string[] })[] = [];
    const { volumeIds } = this;
    /** Undefined: requests were passed since they were asked for. */
    let before: ReadonlyMap<string, number> | undefined;
    this.#takeReached();
    for (const recorded of this.#options.cases) {
      const isWanted = this.#hasReason(recorded, volumeIds);
      if (isWanted) before ??= await this.#reasons();
      const replayed = await replay(target, recorded);
      const seen = this.#takeReached();
      const hasPassed = seen.length > 0 || this.#real !== undefined;
      const after = isWanted && hasPassed ? await this.#reasons() : undefined;
      const passed = [...(after ?? [])].filter(
        ([reason, count]) => count > (before?.get(reason) ?? 0),
      );
      const reasons = passed.map(([reason]) => reason);
      // A real server keeps no list: the proxy's own count stands for it.
      const reached = this.#real === undefined ? seen : reasons;
      if (hasPassed) before = after;
      const judged = (): readonly string[] => judge(target, replayed);
      results.push({
        recorded,
        differences: [],
        reached,
        reasons,
        judged,
      });
    }
    // Connections are judged after the last case: whoever closes late is found too.
    return results.map(({ judged, ...result }) => ({ ...result, differences: judged() }));
  }

  /** Each of these cases several times on one connection of its own; returns what differs, one line for each finding. */
  async repeatedPass(cases: readonly RecordedCase[], times: number): Promise<readonly string[]> {
    const target = this.#target as ReplayTarget;
    const findings: string[] = [];
    for (const recorded of cases) {
      const found = await replayRepeatedly(target, recorded, times);
      findings.push(...found.map((line) => `${recorded.name}, ${line}`));
    }
    this.#takeReached();
    return findings;
  }

  /** The test judges why a plain needle was passed: the proxy's metrics are much text to ask for after each case. */
  #hasReason(recorded: RecordedCase, volumeIds: ReadonlySet<number>): boolean {
    if (this.#real !== undefined) return true;
    return this.#options.transport !== 'off' && isPlainNeedle(recorded, volumeIds);
  }

  async close(): Promise<readonly (number | string)[]> {
    const codes = [];
    for (const role of this.#roles.toReversed()) codes.push(await role.stop());
    await Promise.all(this.#stubs.map((stub) => stub.close()));
    await this.#real?.stop();
    rmSync(this.#folder, { recursive: true, force: true });
    return codes;
  }

  /** What the volume server lists in its status. */
  get volumeIds(): ReadonlySet<number> {
    return new Set(this.#rows().map((row) => row.Id));
  }

  get log(): string {
    return this.#roles.map((role) => role.log.join('\n')).join('\n');
  }

  async #start(): Promise<void> {
    const { recorded, cases, bodies, transport, tls, weed } = this.#options;
    const server = recorded.servers[0] as RecordedServer;
    const upstream =
      weed === undefined ? await this.#startStubs(server) : await this.#startReal(weed);
    const { data } = upstream;
    let target: RoleProcess | undefined;
    if (transport === 'ucx') {
      target = await this.#role('target', targetConfig(data, upstream.address, tls));
    }
    const proxy = await this.#role('proxy', this.#proxyConfig(upstream, target, server));
    let publicProxy = proxy;
    if (cases.some((each) => each.port === 'public')) {
      const open = { data, address: upstream.publicAddress };
      publicProxy = await this.#role('proxy', this.#proxyConfig(open, target, server));
    }
    this.#admins = [...new Set([proxy, publicProxy])].map((role) => role.bound['admin'] as string);
    this.#target = {
      port: portOf(proxy.bound['http']),
      publicPort: portOf(publicProxy.bound['http']),
      bodies,
      isStubbed: weed === undefined,
      tokens: new Map([
        [this.#real?.peerAddress ?? peer, '{{PEER}}'],
        [upstream.address, '{{SELF}}'],
        [upstream.publicAddress, '{{SELF}}'],
      ]),
    };
  }

  async #startStubs(server: RecordedServer): Promise<Upstream> {
    const { cases, bodies, group } = this.#options;
    const data = join(this.#folder, 'data');
    cpSync(join(fixturesFolder, server.data), data, { recursive: true });
    const common = { bodies, needsToken: group === 'jwt', peer };
    const onPort = (port: 'public' | undefined) => cases.filter((each) => each.port === port);
    const statusRows = this.#rows();
    const main = await this.#stub({ ...common, cases: onPort(undefined), statusRows });
    const open = await this.#stub({ ...common, cases: onPort('public'), statusRows: undefined });
    return { data, address: main.address, publicAddress: open.address };
  }

  async #startReal(weed: string): Promise<Upstream> {
    this.#real = await startRealServer(weed, this.#options.recorded, this.#folder);
    const { address, dataFolder, publicAddress = address } = this.#real;
    return { data: dataFolder, address, publicAddress };
  }

  #rows(): readonly { readonly Id: number }[] {
    const { recorded, group } = this.#options;
    const unmounted = group === 'unmounted' ? 8 : 0;
    const { data } = recorded.servers[0] as RecordedServer;
    return readStatusRows(data).filter((row) => row.Id !== unmounted);
  }

  async #stub(options: Parameters<typeof UpstreamStub.start>[0]): Promise<UpstreamStub> {
    const stub = await UpstreamStub.start(options);
    this.#stubs.push(stub);
    return stub;
  }

  async #role(name: string, config: string): Promise<RoleProcess> {
    const role = await startRole(name, { config });
    this.#roles.push(role);
    return role;
  }

  #proxyConfig(
    { data, address }: Pick<Upstream, 'data' | 'address'>,
    target: RoleProcess | undefined,
    server: RecordedServer,
  ): string {
    const { transport, lane, lanes = 'auto', tls } = this.#options;
    const security = join(this.#folder, 'security.toml');
    writeFileSync(security, server.security ?? '');
    const places = {
      ucx: `target = "${target?.bound['rdma']}"`,
      inproc: `dirs = ["${data}"]`,
      off: '',
    };
    const place = places[transport];
    return `
[http]
listen = "127.0.0.1:0"
lane = ${lane}
lanes = ${JSON.stringify(lanes)}
lane_strict_connections = 1
[seaweedfs]
volume_server_url = "http://${address}"
security_toml = "${server.security === undefined ? '' : security}"
[rdma]
mode = "${transport === 'off' ? 'off' : 'prefer'}"
transport = "${transport === 'off' ? 'ucx' : transport}"
${place}
tls = "${tls}"
timeout = "10s"
connect_timeout = "10s"
[cache]
size = "24MiB"
[memory]
size = "64MiB"
hugepages = "off"
[admin]
listen = "127.0.0.1:0"
`;
  }

  #takeReached(): readonly string[] {
    return this.#stubs.flatMap((stub) =>
      stub.takeReached().map(({ name, text }) => `${name}: ${text}`),
    );
  }

  /** Answers from the cache so far. */
  async cacheHits(): Promise<number> {
    return (await this.#requests('cache')).get('') ?? 0;
  }

  /** Connections that were piped raw so far. */
  rawPipes(): Promise<number> {
    return this.#sum(/^seaweed_rdma_raw_pipes_total (\d+)/gm);
  }

  /** Requests that lanes have answered so far. */
  laneRequests(): Promise<number> {
    return this.#sum(/^seaweed_rdma_lane_requests_total\{.*\} (\d+)/gm);
  }

  async #sum(pattern: RegExp): Promise<number> {
    const texts = await Promise.all(this.#admins.map((admin) => fetchText(admin, '/metrics')));
    const counts = texts.flatMap((text) => [...text.matchAll(pattern)].map(([, count]) => count));
    return counts.reduce((sum, count) => sum + Number(count), 0);
  }

  /** Requests passed so far, by reason. */
  #reasons(): Promise<ReadonlyMap<string, number>> {
    return this.#requests('passthrough');
  }

  /** Requests so far with this outcome, by reason. */
  async #requests(outcome: string): Promise<ReadonlyMap<string, number>> {
    const counts = new Map<string, number>();
    for (const admin of this.#admins) {
      const text = await fetchText(admin, '/metrics');
      for (const line of text.split('\n')) {
        const [, labels = '', count] =
          /^seaweed_rdma_requests_total\{(.*)\} (\d+)/.exec(line) ?? [];
        const reason = /reason="([^"]*)"/.exec(labels)?.[1];
        if (!labels.includes(`outcome="${outcome}"`) || reason === undefined) continue;
        counts.set(reason, (counts.get(reason) ?? 0) + Number(count));
      }
    }
    return counts;
  }
}

function targetConfig(data: string, volumeServer: string, tls: string): string {
  return `
[rdma]
listen = "127.0.0.1"
port = 0
tls = "${tls}"
buffer_size = "64MiB"
[target]
dirs = ["${data}"]
volume_server_url = "http://${volumeServer}"
[admin]
listen = "127.0.0.1:0"
`;
}

function portOf(address: string | undefined): number {
  return Number(/:(\d+)$/.exec(address ?? '')?.[1]);
}

function fetchText(address: string, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const asked = request(`http://${address}${path}`, (answer) => {
      let text = '';
      answer.setEncoding('utf8');
      answer.on('data', (chunk: string) => {
        text += chunk;
      });
      answer.on('end', () => resolve(text));
    });
    asked.on('error', reject).end();
  });
}
