/**
 * Keeps one UCX target connected: looks its name up at each attempt, tries the addresses in turn, and pauses longer
 * after each failure, with jitter so that many proxies do not return to a restarted target in step.
 */
import { lookup } from 'node:dns';
import { isIP } from 'node:net';
import type { NativeClient } from './native-types.ts';
import type { StatusName } from './status.ts';
import type { Connector, ConnectorLink } from './target-fetcher.ts';

export interface TargetAddress {
  /** A name or a literal address; names are looked up at each attempt to connect. */
  readonly host: string;
  readonly port: number;
  /** Empty: none. */
  readonly secret: string;
  readonly connectTimeoutMs: number;
}

const pauseMsMin = 100;
const pauseMsMax = 5_000;

export class TargetConnector implements Connector {
  readonly #native: NativeClient;
  readonly #address: TargetAddress;
  readonly #family: 4 | 6;
  /** Native targets by literal address: one that is tried again is not added again. */
  readonly #targets = new Map<string, number>();
  #link: ConnectorLink | undefined;
  #attempts = 0;
  #timer: NodeJS.Timeout | undefined;

  /** `isIpv6`: the family that UCX's TCP speaks. */
  constructor(native: NativeClient, address: TargetAddress, isIpv6: boolean) {
    this.#native = native;
    this.#address = address;
    this.#family = isIpv6 ? 6 : 4;
  }

  start(link: ConnectorLink): void {
    this.#link = link;
    this.#attempt();
  }

  up(): void {
    this.#attempts = 0;
  }

  lost(status: StatusName): void {
    if (this.#link === undefined) return;
    // Neither gets better soon: an operator has to change a configuration.
    const isHopeless = status === 'unauthorized' || status === 'unsupported_version';
    const pauseMs = isHopeless
      ? pauseMsMax
      : Math.min(pauseMsMax, pauseMsMin * 2 ** Math.min(this.#attempts, 10));
    this.#attempts += 1;
    this.#timer = setTimeout(() => this.#attempt(), pauseMs * (0.5 + Math.random() / 2));
    this.#timer.unref();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#link = undefined;
    for (const target of this.#targets.values()) this.#native.disconnect(target);
  }

  #attempt(): void {
    const { host } = this.#address;
    if (isIP(host) !== 0) {
      this.#connect(host);
      return;
    }
    lookup(host, { all: true }, (error, addresses) => {
      const own = addresses?.filter(({ family }) => family === this.#family) ?? [];
      const usable = own.length > 0 ? own : (addresses ?? []);
      const found = usable[this.#attempts % usable.length];
      if (error === null && found !== undefined) {
        this.#connect(found.address);
        return;
      }
      this.#link?.failed('not_connected', `${host}: ${error?.message ?? 'no address'}`);
      this.lost('not_connected');
    });
  }

  #connect(host: string): void {
    const link = this.#link;
    if (link === undefined) return;
    const { port, secret, connectTimeoutMs } = this.#address;
    let target = this.#targets.get(host);
    if (target === undefined) {
      target = this.#native.addTarget(host, port, secret, connectTimeoutMs * 1e6);
      this.#targets.set(host, target);
    } else {
      this.#native.connect(target);
    }
    link.open(target);
  }
}

/** The one target of an inproc client: it is there as long as the client is. */
export class InprocConnector implements Connector {
  readonly #native: NativeClient;
  readonly #target: number;

  constructor(native: NativeClient) {
    this.#native = native;
    this.#target = native.addTarget('inproc', 0, '', 1e9);
  }

  start(link: ConnectorLink): void {
    link.open(this.#target);
  }

  up(): void {}
  lost(): void {}

  stop(): void {
    this.#native.disconnect(this.#target);
  }
}
