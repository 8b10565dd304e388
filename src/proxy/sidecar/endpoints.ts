/** Paths and methods, and who answers them. */
import { Benchmark } from './benchmark.ts';
import { answerCapabilities, answerHealth, answerPing } from './fabric-endpoints.ts';
import { KnownServers } from './known-servers.ts';
import { CutReads } from './needle-ends.ts';
import { NeedleSource } from './needle-source.ts';
import { answerRead, type ReadRooms } from './read-endpoint.ts';
import { RecentNeedles } from './recent-needles.ts';
import { badParameter, refusal } from './refusal.ts';
import { jsonAnswer, refused, type SidecarAnswer } from './sidecar-answer.ts';
import type { SidecarHost, SidecarOptions } from './sidecar-options.ts';
import type { SidecarPath } from './sidecar-outcome.ts';
import type { SidecarRequest } from './sidecar-request.ts';
import type { SidecarStatus } from './sidecar-status.ts';
import { TempFiles } from './temp-files.ts';

export interface Endpoint {
  readonly name: SidecarPath;
  readonly methods: readonly string[];
  /** True for requests that are refused where too much is under way, and that count as under way. */
  readonly isRead: boolean;
  answer(request: SidecarRequest): SidecarAnswer | Promise<SidecarAnswer>;
}

const looks: readonly string[] = ['GET', 'HEAD'];

export class Endpoints {
  readonly temp: TempFiles | undefined;
  readonly #source: NeedleSource;
  readonly #byPath: ReadonlyMap<string, Endpoint>;

  /** Throws where the temp folder cannot be used. */
  constructor(options: SidecarOptions, host: SidecarHost, status: () => SidecarStatus) {
    const { address } = status();
    this.temp = options.temp && new TempFiles(options.temp, address, host.log);
    this.#source = new NeedleSource(options, host);
    const rooms: ReadRooms = {
      source: this.#source,
      servers: new KnownServers(options.volumeServers),
      temp: this.temp,
      recent: new RecentNeedles(),
      cuts: new CutReads(options.needleEnds),
      host,
    };
    const benchmark = new Benchmark(rooms, options.limits.readBytesMax);
    const read = (request: SidecarRequest): Promise<SidecarAnswer> => answerRead(rooms, request);
    const look = { methods: looks, isRead: false };
    this.#byPath = new Map<string, Endpoint>([
      ['/read', { name: 'read', methods: looks, isRead: true, answer: read }],
      [
        '/rdma/read',
        { name: 'rdma_read', methods: [...looks, 'POST'], isRead: true, answer: read },
      ],
      [
        '/health',
        { ...look, name: 'health', answer: () => answerHealth(host.fabric(), status().isDraining) },
      ],
      ['/stats', { ...look, name: 'stats', answer: () => answerStats(host, status()) }],
      ['/rdma/ping', { ...look, name: 'ping', answer: () => answerPing(host) }],
      [
        '/rdma/capabilities',
        { ...look, name: 'capabilities', answer: () => answerCapabilities(options, host.fabric()) },
      ],
      [
        '/benchmark',
        {
          name: 'benchmark',
          methods: ['GET'],
          isRead: true,
          answer: (request) => benchmark.answer(request),
        },
      ],
      [
        '/cleanup',
        {
          name: 'cleanup',
          methods: ['DELETE'],
          isRead: false,
          answer: (request) => this.#clean(request),
        },
      ],
    ]);
  }

  find(path: string): Endpoint | undefined {
    return this.#byPath.get(path);
  }

  get paths(): readonly string[] {
    return [...this.#byPath.keys()];
  }

  close(): void {
    this.temp?.close();
    this.#source.close();
  }

  async #clean({ query }: SidecarRequest): Promise<SidecarAnswer> {
    const path = query.get('temp_file') ?? '';
    if (path === '') return refused(badParameter('temp_file', 'missing: the path of X-Temp-File'));
    const isCleaned = await this.temp?.clean(Buffer.from(path, 'latin1').toString('utf8'));
    if (isCleaned !== true) {
      const text = 'parameter "temp_file": no temp file of this sidecar, or removed already';
      return refused(refusal(404, 'temp-file', text));
    }
    return jsonAnswer({ success: true, message: 'removed', timestamp: new Date().toISOString() });
  }
}

function answerStats(host: SidecarHost, { temp, ...status }: SidecarStatus): SidecarAnswer {
  const reads = {
    cache: 0,
    rdma: 0,
    http: 0,
    declined: 0,
    ok: 0,
    refused: 0,
    error: 0,
    aborted: 0,
  };
  for (const { path, outcome, count } of status.requests) {
    if (path === 'read' || path === 'rdma_read') reads[outcome] += count;
  }
  const { mode, targets } = host.fabric();
  return jsonAnswer({
    enabled: targets.some(({ state }) => state !== undefined),
    connected: targets.some(({ state }) => state?.kind === 'up'),
    mode,
    reads,
    temp_files: temp ?? null,
    ...status,
    timestamp: new Date().toISOString(),
  });
}
