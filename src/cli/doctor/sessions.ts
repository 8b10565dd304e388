/** Each target as it is found: its name, its port, a session with it, what it announces. The client stays open. */
import { lookup } from 'node:dns/promises';
import { connect } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { messageOf } from '../../rdma/errors.ts';
import type { NeedleFetcher, TargetState, TargetVolume } from '../../rdma/needle-fetcher.ts';
import { type RailStatus, railConnecting } from '../../rdma/rails/rail-status.ts';
import { createRdmaClient, type RdmaClient } from '../../rdma/rdma-client.ts';
import { devicesToReach } from '../../rdma/ucx-devices.ts';
import { volumesWithin } from '../fabric/fabric.ts';
import { ask } from './http-question.ts';
import type { Settings, TargetEndpoint } from './setup.ts';

export interface TargetFacts extends TargetEndpoint {
  /** "host:port", or "inproc". */
  readonly name: string;
  readonly addresses: readonly string[];
  /** '' when the name was found. */
  readonly lookupFailure: string;
  /** '' connected, else "ECONNREFUSED", "ETIMEDOUT" …; undefined: not tried. */
  readonly tcpFailure: string | undefined;
  readonly tcpMs: number;
  readonly session: SessionFacts | undefined;
  /**
   * Name of an HTTP server in the target's place: its Server header, or "HTTP"; '': none answers, or it was not asked.
   */
  readonly httpServer: string;
}

export interface SessionFacts {
  /** "up" or why not. */
  readonly state: Exclude<TargetState, { kind: 'connecting' }> | { readonly kind: 'silent' };
  readonly waitedMs: number;
  readonly volumes: readonly TargetVolume[];
  /** µs, in order. */
  readonly roundTripsUs: readonly number[];
  readonly pingsLost: number;
  /** Absent where there is one way to the target. */
  readonly rails?: readonly RailStatus[];
}

export interface TargetLook {
  readonly facts: TargetFacts;
  /** undefined when there is no session. */
  readonly fetcher: NeedleFetcher | undefined;
}

export interface Sessions {
  /** Why there is no client at all; '' when there is one, or none was needed. */
  readonly failure: string;
  readonly looks: readonly TargetLook[];
  close(): Promise<void>;
}

/** The largest needle that is read whole. */
export const needleBytesMax: number = 16 * 2 ** 20;
// The arena cuts itself into slabs: one of the largest size must fit beside what small slabs take.
const arenaBytes = 2 * needleBytesMax + 2 ** 24;
const pings = 20;

export async function openSessions(settings: Settings, timeoutMs: number): Promise<Sessions> {
  const client = await startClient(settings);
  if (typeof client === 'string') {
    const looks = await Promise.all(
      settings.targets.map(async (target) => ({
        facts: await reach(target, timeoutMs),
        fetcher: undefined,
      })),
    );
    return { failure: client, looks, close: async () => undefined };
  }
  const looks =
    settings.transport === 'inproc'
      ? [await lookInproc(client, settings, timeoutMs)]
      : await Promise.all(
          settings.targets.map((target) => lookTarget(client, target, settings, timeoutMs)),
        );
  return { failure: '', looks, close: () => client.close() };
}

async function startClient(settings: Settings): Promise<RdmaClient | string> {
  const { transport, isTlsOff, storage, targets, tls, rails = [] } = settings;
  const common = { arenaBytes, hugepages: 'off' } as const;
  const hosts = targets.map(({ host }) => host);
  const { deviceName, isIpv6 } = await devicesToReach(settings, hosts);
  try {
    return transport === 'inproc'
      ? createRdmaClient({
          ...common,
          kind: 'inproc',
          dirs: storage?.dirs ?? [],
          unconfirmed: true,
        })
      : createRdmaClient({
          ...common,
          kind: 'ucx',
          transport,
          isTlsOff,
          deviceName,
          rails,
          tls,
          isIpv6,
        });
  } catch (error) {
    return messageOf(error);
  }
}

async function lookInproc(
  client: RdmaClient,
  { volumeServers }: Settings,
  timeoutMs: number,
): Promise<TargetLook> {
  const fetcher = client.inproc();
  const session = await sessionOf(fetcher, timeoutMs);
  const facts = {
    host: 'inproc',
    port: 0,
    name: 'inproc',
    volumeServerUrl: volumeServers[0],
    addresses: [],
    lookupFailure: '',
    tcpFailure: undefined,
    tcpMs: 0,
    session,
    httpServer: '',
  };
  return { facts, fetcher: session.state.kind === 'up' ? fetcher : undefined };
}

async function lookTarget(
  client: RdmaClient,
  target: TargetEndpoint,
  { secret, connectTimeoutMs, role, rails = [] }: Settings,
  timeoutMs: number,
): Promise<TargetLook> {
  const { host, port, places = [] } = target;
  const waitMs = Math.min(connectTimeoutMs, timeoutMs);
  const address = { host, port, secret, connectTimeoutMs: waitMs };
  const isRailed = role === 'proxy' && rails.length > 0;
  const every = places.length > 0 ? places : [{ host, port }];
  const options = { places: every, silenceMs: timeoutMs, hasFallback: false, connections: 1 };
  const fetcher = isRailed ? client.addRails(address, options) : client.addTarget(address);
  const [reached, session] = await Promise.all([
    reach(target, timeoutMs),
    sessionOf(fetcher, timeoutMs),
  ]);
  if (reached.lookupFailure !== '') return { facts: reached, fetcher: undefined };
  const isUp = session.state.kind === 'up';
  const httpServer = mayBeHttp(reached, session) ? await httpServerAt(reached.name, waitMs) : '';
  return { facts: { ...reached, session, httpServer }, fetcher: isUp ? fetcher : undefined };
}

/** A target is not bothered with another protocol: one that answers has a status of its own, a stopped one says nothing. */
function mayBeHttp({ tcpFailure }: TargetFacts, { state }: SessionFacts): boolean {
  if (tcpFailure !== '' || state.kind !== 'down') return false;
  const isPeer = /Destination is unreachable|Endpoint (?:timeout|is not connected)/;
  const isOpen = state.status === 'not_connected' || state.status === 'protocol_error';
  return isOpen && !isPeer.test(state.detail);
}

async function httpServerAt(name: string, timeoutMs: number): Promise<string> {
  const answered = await ask(new URL(`http://${name}/status`), timeoutMs);
  if (answered.kind === 'failed') return '';
  return String(answered.answer.headers['server'] ?? 'HTTP');
}

async function reach(target: TargetEndpoint, timeoutMs: number): Promise<TargetFacts> {
  const { host, port } = target;
  const name = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
  const nothing = {
    ...target,
    name,
    addresses: [],
    tcpFailure: undefined,
    tcpMs: 0,
    httpServer: '',
  };
  const found = await within(timeoutMs, lookup(host, { all: true })).catch(messageOf);
  if (typeof found === 'string') {
    return { ...nothing, lookupFailure: found, session: undefined };
  }
  const addresses = found.map(({ address }) => address);
  const startedAt = performance.now();
  const tcpFailure = await connectTcp(addresses[0] ?? host, port, timeoutMs);
  const tcpMs = performance.now() - startedAt;
  return { ...nothing, addresses, lookupFailure: '', tcpFailure, tcpMs, session: undefined };
}

async function within<T>(timeoutMs: number, promise: Promise<T>): Promise<T> {
  const ended = new AbortController();
  const late = pause(timeoutMs, undefined, { signal: ended.signal }).then(() => {
    throw new Error(`no answer within ${timeoutMs} ms`);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    ended.abort();
    late.catch(() => undefined);
  }
}

/** '' when something accepts there, else the system's code. */
function connectTcp(host: string, port: number, timeoutMs: number): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  const socket = connect({ host, port, timeout: timeoutMs });
  const end = (result: string): void => {
    socket.destroy();
    resolve(result);
  };
  socket.on('connect', () => end(''));
  socket.on('timeout', () => end('ETIMEDOUT'));
  socket.on('error', (error: NodeJS.ErrnoException) => end(error.code ?? error.message));
  return promise;
}

async function sessionOf(fetcher: NeedleFetcher, timeoutMs: number): Promise<SessionFacts> {
  const startedAt = performance.now();
  const state = await settled(fetcher, timeoutMs);
  const waitedMs = performance.now() - startedAt;
  if (state.kind !== 'up') {
    return { state, waitedMs, volumes: [], roundTripsUs: [], pingsLost: 0 };
  }
  await volumesWithin(fetcher, Math.min(timeoutMs, 1000));
  const roundTripsUs: number[] = [];
  let pingsLost = 0;
  for (let sent = 0; sent < pings && pingsLost < 2; sent += 1) {
    const result = await fetcher.ping(timeoutMs);
    if (result.kind === 'failed') pingsLost += 1;
    else roundTripsUs.push(result.roundTripUs);
  }
  const volumes = [...fetcher.volumes.values()];
  const facts = { state, waitedMs, volumes, roundTripsUs, pingsLost };
  if (fetcher.rails === undefined) return facts;
  return { ...facts, rails: await railsWithin(fetcher, timeoutMs) };
}

/** Waits for rails that are still being connected. */
async function railsWithin(
  fetcher: NeedleFetcher,
  timeoutMs: number,
): Promise<readonly RailStatus[]> {
  const byMs = performance.now() + timeoutMs;
  const isConnecting = (): boolean =>
    fetcher.rails?.some(({ state, reason }) => state === 'down' && reason === railConnecting) ===
    true;
  while (isConnecting() && performance.now() < byMs) await pause(20);
  return fetcher.rails ?? [];
}

/** The first state that is not "connecting". */
function settled(fetcher: NeedleFetcher, timeoutMs: number): Promise<SessionFacts['state']> {
  const { promise, resolve } = Promise.withResolvers<SessionFacts['state']>();
  const timer = setTimeout(() => resolve({ kind: 'silent' }), timeoutMs + 250);
  const look = (): void => {
    const { state } = fetcher;
    if (state.kind === 'connecting') return;
    clearTimeout(timer);
    resolve(state);
  };
  fetcher.onChange(look);
  look();
  return promise;
}
