/** A volume server that is written to, a target and a proxy with lanes, as processes of their own, for one test file. */
import { once } from 'node:events';
import { mkdirSync, mkdtempSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, expect } from 'vitest';
import type { LaneStatus, LanesStatus } from '../../src/proxy/lanes/lane-status.ts';
import { type ClientAnswer, KeepAliveClient } from '../history/keep-alive-client.ts';
import { startVolumeServer, type TestVolumeServer } from '../history/volume-server.ts';
import { type Role, startRole } from './program.ts';
import type { Scratch } from './scratch.ts';

export interface LaneStageOptions {
  readonly transport: 'inproc' | 'ucx';
  readonly lanes?: number;
  readonly listen?: string;
  /** More lines of the sections of proxy.toml. */
  readonly http?: string;
  readonly cache?: string;
  readonly limits?: string;
  /** More sections. */
  readonly more?: string;
  /** Lines of [seaweedfs]. */
  readonly seaweedfs?: string;
}

export interface LaneStats {
  readonly lanes?: LanesStatus;
  readonly requests: { readonly requests: number; readonly outcomes: Record<string, number> };
  readonly clients: { readonly requests: number; readonly ownRequests: number };
  readonly connections: number;
  readonly cache: { readonly slabs: number };
}

export const volumeId = 3;
const volumeIds = [volumeId, 4];
const localUcx = 'device_name = "lo"\ntls = "tcp,posix,sysv,cma,self"\n';
const admin = '[admin]\nlisten = "127.0.0.1:0"\n';
const waitMs = { timeout: 10_000, interval: 10 };

export function pathOf(needleId: number, volume: number = volumeId): string {
  return `/${volume},${needleId.toString(16)}00000001`;
}

export class LaneStage {
  readonly server: TestVolumeServer;
  readonly proxy: Role;
  readonly target: Role | undefined;
  readonly port: number;
  readonly #admin: string;
  readonly #file: string;
  readonly #scratch: Scratch;
  readonly #tomlOf: (change: Partial<LaneStageOptions>) => string;
  readonly #clients: KeepAliveClient[] = [];

  /** Needles 1 to 8 of both volumes are there, of 1,000 bytes each. */
  static async start(scratch: Scratch, options: LaneStageOptions): Promise<LaneStage> {
    const dir = mkdtempSync(join(scratch.folder, 'data-'));
    mkdirSync(dir, { recursive: true });
    const server = await startVolumeServer({ dirs: [dir], volumeIds });
    for (const volume of volumeIds) {
      for (let id = 1; id <= 8; id += 1) server.put(volume, BigInt(id), contentOf(id));
    }
    let target: Role | undefined;
    let place = `transport = "inproc"\ndirs = ["${dir}"]\n`;
    if (options.transport === 'ucx') {
      const toml = `[rdma]\nport = 0\nbuffer_size = "64MiB"\n${localUcx}[target]\ndirs = ["${dir}"]\nvolume_server_url = "${server.url}"\nconfirm_every = "100ms"\n${admin}`;
      target = startRole([
        'target',
        '--config',
        scratch.write(`${dir}-target.toml`.slice(-30), toml),
      ]);
      place = `target = "${(await target.ready())['rdma']}"\n${localUcx}timeout = "1s"\n`;
    }
    const tomlOf = (change: Partial<LaneStageOptions>): string => {
      const {
        lanes = 2,
        listen = '127.0.0.1:0',
        http = '',
        cache = '',
        limits = '',
        more = '',
        seaweedfs = '',
      } = {
        ...options,
        ...change,
      };
      return `[http]\nlisten = "${listen}"\nlanes = ${lanes}\nlane_strict_connections = 1\n${http}[seaweedfs]\nvolume_server_url = "${server.url}"\n${seaweedfs}[rdma]\n${place}[memory]\nsize = "96MiB"\n[cache]\nsize = "64MiB"\n${cache}[limits]\nrequests_in_flight = 1000\n${limits}${admin}${more}`;
    };
    const file = `proxy-${dir.slice(-6)}.toml`;
    const proxy = startRole(['proxy', '--config', scratch.write(file, tomlOf({}))]);
    const ready = await proxy.ready();
    const bound = { http: String(ready['http']), admin: String(ready['admin']) };
    const stage = new LaneStage({ scratch, server, proxy, target, file, tomlOf, ...bound });
    stages.push(stage);
    await stage.#served();
    return stage;
  }

  private constructor(parts: {
    readonly scratch: Scratch;
    readonly server: TestVolumeServer;
    readonly proxy: Role;
    readonly target: Role | undefined;
    readonly file: string;
    readonly tomlOf: (change: Partial<LaneStageOptions>) => string;
    readonly http: string;
    readonly admin: string;
  }) {
    this.#scratch = parts.scratch;
    this.server = parts.server;
    this.proxy = parts.proxy;
    this.target = parts.target;
    this.#file = parts.file;
    this.#tomlOf = parts.tomlOf;
    this.port = Number(parts.http.split(':').at(-1));
    this.#admin = `http://${parts.admin}`;
  }

  async #served(): Promise<void> {
    const served = async (): Promise<unknown> => {
      const { targets } = (await this.get('/stats')) as {
        readonly targets: readonly {
          readonly volumesConfirmed: number;
          readonly server: unknown;
        }[];
      };
      return targets[0]?.server !== undefined && targets[0]?.volumesConfirmed;
    };
    await expect.poll(served, waitMs).toBe(volumeIds.length);
  }

  /** Idempotent; the proxy's exit code. */
  async close(): Promise<number | null> {
    for (const client of this.#clients.splice(0)) client.close();
    const code = this.proxy.hasEnded ? (await this.proxy.ended)[0] : await this.proxy.stop();
    if (this.target !== undefined && !this.target.hasEnded) {
      this.target.signal('SIGCONT');
      await this.target.stop();
    }
    await this.server.close();
    return code;
  }

  // The admin listener

  async get(path: string): Promise<unknown> {
    return (await fetch(`${this.#admin}${path}`)).json();
  }

  /** A stream of lines. */
  follow(path: string, signal: AbortSignal): Promise<Response> {
    return fetch(`${this.#admin}${path}`, { signal });
  }

  async post(path: string, body: unknown): Promise<unknown> {
    const headers = { 'content-type': 'application/json' };
    const init = { method: 'POST', headers, body: JSON.stringify(body) };
    return (await fetch(`${this.#admin}${path}`, init)).json();
  }

  async stats(): Promise<LaneStats> {
    return (await this.get('/stats')) as LaneStats;
  }

  /** All series of a counter with this text in their labels. */
  async metric(name: string, label = ''): Promise<number> {
    const text = await (await fetch(`${this.#admin}/metrics`)).text();
    const lines = text
      .split('\n')
      .filter((line) => /^[^{ ]+/.exec(line)?.[0] === name && line.includes(label));
    return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
  }

  async inLanes(figure: keyof LaneStatus): Promise<number> {
    const { lanes } = await this.stats();
    return (lanes?.lanes ?? []).reduce((sum, lane) => sum + lane[figure], 0);
  }

  /** With another file; resolves when the role has said so. Asks it for nothing meanwhile: to be asked wakes it. */
  async reload(change: Partial<LaneStageOptions>): Promise<void> {
    const reloads = (): number => this.proxy.lines.filter(({ event }) => event === 'reload').length;
    const before = reloads();
    this.#scratch.write(this.#file, this.#tomlOf(change));
    this.proxy.signal('SIGHUP');
    await expect.poll(reloads, waitMs).toBe(before + 1);
  }

  // Clients

  client(): KeepAliveClient {
    const client = new KeepAliveClient(this.port);
    this.#clients.push(client);
    return client;
  }

  /** Connections that lanes have, and that were answered reads of this path. */
  async held(count: number, path: string): Promise<readonly KeepAliveClient[]> {
    const before = await this.inLanes('connections');
    const publisher = new KeepAliveClient(this.port);
    const isPublished = async (): Promise<boolean> => {
      await read(publisher, path);
      return (await this.inLanes('connections')) === before + 1;
    };
    await expect.poll(isPublished, waitMs).toBe(true);
    publisher.close();
    await expect.poll(() => this.inLanes('connections'), waitMs).toBe(before);
    const clients = Array.from({ length: count }, () => this.client());
    for (const client of clients) expect((await read(client, path)).status).toBe(200);
    await expect.poll(() => this.inLanes('connections'), waitMs).toBe(before + count);
    return clients;
  }

  /** A client whose connection a lane has, that asks for this path and reads nothing until it is told to. */
  async stuckReader(path: string): Promise<Socket> {
    const before = await this.inLanes('connections');
    const socket = connect({ host: '127.0.0.1', port: this.port });
    socket.on('error', () => undefined);
    const ask = (asked: string): void => {
      socket.write(`GET ${asked} HTTP/1.1\r\nHost: 127.0.0.1:${this.port}\r\n\r\n`);
    };
    ask(pathOf(8));
    await once(socket, 'data');
    await expect.poll(() => this.inLanes('connections'), waitMs).toBe(before + 1);
    socket.pause();
    ask(path);
    return socket;
  }

  async heldOne(path: string): Promise<KeepAliveClient> {
    const [client] = await this.held(1, path);
    return client as KeepAliveClient;
  }

  /** How many requests lanes answer meanwhile. */
  async answeredDuring(work: () => Promise<unknown>): Promise<number> {
    const before = await this.#answered();
    await work();
    return (await this.#answered()) - before;
  }

  /** A lane counts an answer a moment after it was sent. */
  async #answered(): Promise<number> {
    for (let last = -1; ; await pause(20)) {
      const now = await this.inLanes('requests');
      if (now === last) return now;
      last = now;
    }
  }
}

const stages: LaneStage[] = [];
afterAll(async () => {
  await Promise.all(stages.map((stage) => stage.close()));
});

export function contentOf(seed: number, length = 1_000): Buffer {
  const bytes = Buffer.alloc(length);
  for (let i = 0; i < length; i += 1) bytes[i] = (i * 7 + seed * 31) % 251;
  return bytes;
}

export function read(client: KeepAliveClient, path: string): Promise<ClientAnswer> {
  return client.request({ method: 'GET', path });
}
