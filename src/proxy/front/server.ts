/**
 * The HTTP front: a net.Server whose connections are read by the lane, and fastify for what the lane hands over. The
 * pipeline of a request, in order: corridor, then the relay, or passthrough where it was handed over. No logic of its own.
 */
import {
  type AddressInfo,
  connect as connectTo,
  type IpcNetConnectOpts,
  type Socket,
  type TcpNetConnectOpts,
} from 'node:net';
import { AnswerPace } from '../../connections/answer-pace.ts';
import { Turnstile } from '../../connections/turnstile.ts';
import { type NeedleRoute, outcomeOf } from '../../needle/needle-outcome.ts';
import type { RequestObserver } from '../../needle/request-record.ts';
import type { Lanes } from '../lanes/lanes.ts';
import type { ConnectionHost } from './connection-host.ts';
import { copiedBytesMax, deliver, OutputChunks, overload } from './deliver.ts';
import type { Exchange } from './exchange.ts';
import type { Forwarder, Forwarders, ForwardingOptions } from './forwarder.ts';
import { startFramework } from './framework.ts';
import { type FrontCounters, newFrontCounters } from './front-counters.ts';
import type { FrontLimits } from './limits.ts';
import { type ListenAddress, Listener } from './listener.ts';
import { OwnConnections } from './own-connections.ts';
import type { PoolStatus } from './pool-status.ts';

export interface HttpFrontOptions {
  readonly listen: ListenAddress;
  /** False: everything takes the framework's way; the answers are the same. */
  readonly lane: boolean;
  /** Threads that answer what is published; absent: none. */
  readonly lanes?: Lanes | undefined;
  readonly debugHeaders: boolean;
  readonly limits: FrontLimits;
  /** Longer needles leave from where they lie; for the bench that asks which ones should. */
  readonly copiedBytesMax?: number;
  /** For lines that may come with each request or connection. */
  readonly logger: FrontLog;
  /** Records tell how long the corridor took. */
  readonly isTimed?: boolean;
}

/** A log with pino's arguments: the fields, then the message. */
export interface FrontLog {
  warn(fields: { readonly event: string; readonly error: unknown }, message: string): void;
  error(fields: { readonly event: string; readonly error: unknown }, message: string): void;
}

export interface HttpFront {
  /** The bound host, or the path of a unix socket. */
  readonly address: string;
  /** 0 for a unix socket. */
  readonly port: number;
  readonly stats: Readonly<FrontCounters>;
  /** Connections to volume servers, of what takes the short way. */
  readonly upstreamPools: readonly PoolStatus[];
  /** A connection of this process to its own listener; its answers say who gave them, save over a unix socket. */
  connect(): Socket;
  /** From the next answer on. */
  debugHeaders: boolean;
  /** Lanes have answered so many requests. */
  lanesAnswered(requests: number): void;
  /** Stops listening, lets requests finish for at most `drainMs`, then destroys. Idempotent. */
  close(drainMs: number): Promise<void>;
}

/** Requests are begun for so long in a turn of the event loop. A strict hit takes some 30 µs. */
const turnMs = 10;
/** Where turns of the event loop take longer, fewer requests are begun in one: a probe takes some four turns. */
const wholeTurnMsMax = 20;

/** `observers` are called in this order. Rejects where the address cannot be had. */
export async function startHttpFront(
  options: HttpFrontOptions,
  route: NeedleRoute,
  forwardersOf: (options: ForwardingOptions) => Forwarders,
  ...observers: readonly RequestObserver[]
): Promise<HttpFront> {
  const { limits, debugHeaders, logger } = options;
  const counters = newFrontCounters();
  const pace = new AnswerPace();
  const forwarders = forwardersOf({
    connectTimeoutMs: limits.upstreamConnectTimeoutMs,
    answerTimeoutMs: limits.upstreamTimeoutMs,
    upstreamConnections: limits.requestsInFlight,
    pace,
    counters,
  });
  const bug = (error: unknown): void =>
    logger.error({ event: 'bug', error }, 'a request could not be handled');
  const framework = await startFramework(limits.headBytes, (exchange) =>
    answer(exchange, host, forwarders.passthrough),
  );
  const ownConnections = new OwnConnections();
  const host: ConnectionHost & { debugHeaders: boolean; draining: boolean } = {
    route,
    observers,
    limits,
    counters,
    relay: forwarders.relay,
    isLaneOn: options.lane,
    lanes: options.lane ? options.lanes : undefined,
    debugHeaders,
    isTimed: options.isTimed ?? false,
    ownConnections,
    smallAnswers: new OutputChunks(options.copiedBytesMax ?? copiedBytesMax),
    turnstile: new Turnstile(turnMs, wholeTurnMsMax),
    pace,
    connectTimeoutMs: limits.upstreamConnectTimeoutMs,
    bug,
    draining: false,
    adopt: framework.adopt,
  };
  const listener = new Listener(host, (error) =>
    logger.warn({ event: 'accept-failed', error }, 'a connection could not be accepted'),
  );
  await listener.listen(options.listen);
  const bound = listener.address();
  let closed: Promise<void> | undefined;
  const close = async (drainMs: number): Promise<void> => {
    host.draining = true;
    await listener.close(drainMs);
    forwarders.close();
    await framework.close();
  };
  return {
    address: typeof bound === 'string' ? bound : bound.address,
    port: typeof bound === 'string' ? 0 : bound.port,
    stats: counters,
    get upstreamPools() {
      return forwarders.pools;
    },
    connect: () => {
      const socket = connectTo(reachable(bound));
      ownConnections.made(socket);
      return socket;
    },
    get debugHeaders() {
      return host.debugHeaders;
    },
    set debugHeaders(isOn) {
      host.debugHeaders = isOn;
    },
    lanesAnswered: (requests) => {
      counters.requestsByLane += requests;
    },
    close: (drainMs) => (closed ??= close(drainMs)),
  };
}

/** Where a listener that is bound to every address of a family is reached from this machine. */
function reachable(bound: AddressInfo | string): TcpNetConnectOpts | IpcNetConnectOpts {
  if (typeof bound === 'string') return { path: bound };
  const { address, port } = bound;
  const loopback = { '0.0.0.0': '127.0.0.1', '::': '::1' }[address];
  return { host: loopback ?? address, port, noDelay: true };
}

/** One request that the lane handed over. Every way out writes to its exchange. */
async function answer(
  exchange: Exchange,
  host: ConnectionHost,
  passthrough: Forwarder,
): Promise<void> {
  const { head } = exchange.request;
  const outcome = overload(head, host) ?? (await outcomeOf(host.route, head, exchange.hasBody));
  deliver(exchange, outcome, host, passthrough);
}
