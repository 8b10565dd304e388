/**
 * Keeps one UCX target connected: looks its name up at each attempt, tries the addresses in turn, has the target admit
 * this host (control-connection.ts) before UCX connects, and pauses longer after each failure (reconnect-pause.ts).
 */
import { type LookupAddress, lookup } from 'node:dns';
import { isIP } from 'node:net';
import { networkInterfaces } from 'node:os';
import type { AdmittedHosts } from './control/admitted-hosts.ts';
import {
  type AdmittedStream,
  ControlConnection,
  NotAdmittedError,
} from './control/control-connection.ts';
import type { StreamKind, UcxPlace } from './control/control-protocol.ts';
import { messageOf } from './errors.ts';
import type { NativeClient } from './native-types.ts';
import { type RailWay, waysOf } from './rails/rail-ways.ts';
import { ReconnectPause } from './reconnect-pause.ts';
import { hasSecret, type Secret, secretsNow } from './secret.ts';
import type { StatusName } from './status.ts';
import type { Connector, ConnectorLink } from './target-fetcher.ts';
import { addressesOf, type TransportChoice } from './ucx-devices.ts';

export interface TargetAddress {
  /** A name or a literal address; names are looked up at each attempt to connect. */
  readonly host: string;
  readonly port: number;
  readonly secret: Secret;
  readonly connectTimeoutMs: number;
}

/** Every address of the target, and a device to come from. */
export interface RailRoute {
  /** undefined: whichever the kernel takes. */
  readonly device: string | undefined;
  /** The number of the rail among the client's. */
  readonly index: number;
  readonly places: readonly Pick<TargetAddress, 'host' | 'port'>[];
}

/** Shared by the connectors of one client. */
export interface FabricSide {
  readonly peers: AdmittedHosts;
  /** The family that UCX's TCP speaks. */
  readonly isIpv6: boolean;
  /** Names the network devices of UCX, as UCX_NET_DEVICES. */
  readonly devices: string;
  /** UCX_TLS. */
  readonly transports: string;
  /** A session of UCX stays on its device, as on the target. */
  readonly keepsDevice: boolean;
  /** "tcp": by connections of ours; those of UCX are not made. "auto": by the one that the target has. */
  readonly transport: TransportChoice;
  readonly isTlsOff: boolean;
}

/** A literal address, and for a rail the port and the address of this host. */
type Dialled = { readonly host: string } & Partial<RailWay>;

export class TargetConnector implements Connector {
  readonly #native: NativeClient;
  readonly #address: TargetAddress;
  readonly #peers: AdmittedHosts;
  readonly #family: 4 | 6;
  readonly #devices: string;
  readonly #transports: string;
  readonly #stream: StreamKind | undefined;
  readonly #transport: TransportChoice;
  readonly #route: RailRoute | undefined;
  readonly #keepsDevice: boolean;
  /** An attempt by UCX failed that the target had admitted: the next one is made without it. */
  #hasUcxFailed = false;
  /** Native targets by literal address: one that is tried again is not added again. */
  readonly #targets = new Map<string, number>();
  #link: ConnectorLink | undefined;
  /** Open for as long as the session that it led to. */
  #control: ControlConnection | undefined;
  /** Why UCX may find no way to the target that it admits this host to. */
  #obstacle: string | undefined;
  readonly #pause = new ReconnectPause();
  #timer: NodeJS.Timeout | undefined;

  /** @param route of a rail, in place of the address's host and port */
  constructor(native: NativeClient, address: TargetAddress, side: FabricSide, route?: RailRoute) {
    this.#native = native;
    this.#route = route;
    this.#keepsDevice = side.keepsDevice;
    this.#address = address;
    this.#peers = side.peers;
    this.#devices = side.devices;
    this.#transports = side.transports;
    this.#family = side.isIpv6 ? 6 : 4;
    const isTls = hasSecret(address.secret) && !side.isTlsOff;
    this.#transport = side.transport;
    this.#stream = side.transport === 'ucx' ? undefined : isTls ? 'tls' : 'plain';
  }

  start(link: ConnectorLink): void {
    this.#link = link;
    this.#attempt();
  }

  up(): void {
    this.#pause.reset();
    this.#hasUcxFailed = false;
  }

  explained(detail: string): string {
    return this.#obstacle === undefined ? detail : `${detail}; ${this.#obstacle}`;
  }

  lost(status: StatusName): void {
    this.#endControl();
    this.#peers.drop(this);
    if (this.#link === undefined) return;
    // Neither gets better soon: an operator has to change a configuration.
    const isHopeless = status === 'unauthorized' || status === 'unsupported_version';
    this.#timer = setTimeout(() => this.#attempt(), this.#pause.next(isHopeless));
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#link = undefined;
    this.#endControl();
    this.#peers.drop(this);
    for (const target of this.#targets.values()) this.#native.disconnect(target);
  }

  #endControl(): void {
    const control = this.#control;
    this.#control = undefined;
    control?.close();
  }

  #attempt(): void {
    if (this.#route !== undefined) {
      void this.#attemptBy(this.#route);
      return;
    }
    const { host } = this.#address;
    if (isIP(host) !== 0) {
      this.#connect({ host });
      return;
    }
    lookup(host, { all: true }, (error, addresses) => {
      const isOwn = ({ family }: LookupAddress): boolean =>
        this.#stream !== undefined || family === this.#family;
      const own = addresses?.filter(isOwn) ?? [];
      const usable = own.length > 0 ? own : (addresses ?? []);
      const found = usable[this.#pause.attempts % usable.length];
      if (error === null && found !== undefined) {
        this.#connect({ host: found.address });
        return;
      }
      this.#failed('not_connected', `${host}: ${error?.message ?? 'no address'}`);
    });
  }

  /** Names and interfaces are looked up at each attempt. */
  async #attemptBy({ device, places }: RailRoute): Promise<void> {
    const found = await Promise.all(
      places.map(async ({ host, port }) => {
        const addresses = isIP(host) === 0 ? await addressesOf(host) : [host];
        return addresses.map((address) => ({ host: address, port }));
      }),
    );
    const ways: readonly Dialled[] =
      device === undefined ? found.flat() : waysOf(device, found.flat(), networkInterfaces());
    const way = ways[this.#pause.attempts % ways.length];
    if (way !== undefined) {
      this.#connect(way);
      return;
    }
    const wanted = places.map(({ host }) => host).join(', ');
    this.#failed(
      'not_connected',
      device === undefined
        ? `${wanted}: no address`
        : `${device} has no address from which ${wanted} may be reached`,
    );
  }

  #connect(place: Dialled): void {
    if (this.#link === undefined) return;
    const { host } = place;
    const startedMs = performance.now();
    const leftMs = (): number => {
      const { connectTimeoutMs: timeoutMs } = this.#address;
      return Math.max(timeoutMs - (performance.now() - startedMs), timeoutMs / 2);
    };
    const control = this.#ask(place, (stream) => {
      if (this.#control !== control) return;
      // The connection is the session now, which tells its own end.
      this.#control = undefined;
      this.#openStream(host, stream, leftMs());
    });
    control.admitted.then(
      ({ ucx, hosts, obstacle }) => {
        if (this.#control !== control) return;
        this.#obstacle = undefined;
        void obstacle.then((text) => {
          if (this.#control === control) this.#obstacle = text;
        });
        const fault = this.#peers.set(this, hosts);
        if (fault !== undefined) {
          this.#failed('overload', fault);
          return;
        }
        void control.lost.then(() => this.#askSoon(control, place));
        this.#hasUcxFailed = this.#transport === 'auto';
        this.#open(ucx, leftMs());
      },
      (error: unknown) => {
        if (this.#control !== control) return;
        this.#failed(
          error instanceof NotAdmittedError ? error.status : 'not_connected',
          messageOf(error),
        );
      },
    );
  }

  #ask(dialled: Dialled, onStream?: (stream: AdmittedStream) => void): ControlConnection {
    const { secret, connectTimeoutMs: timeoutMs } = this.#address;
    const [devices, transports, stream] = [this.#devices, this.#transports, this.#stream];
    const wantsUcx = this.#transport !== 'tcp' && !this.#hasUcxFailed;
    const address = { port: this.#address.port, ...dialled };
    const keepsDevice = this.#keepsDevice;
    const common = { ...address, keepsDevice, secret, timeoutMs, devices, transports };
    const place = { ...common, stream: onStream === undefined ? undefined : stream, wantsUcx };
    const control = new ControlConnection(place, onStream);
    this.#control = control;
    return control;
  }

  #failed(status: StatusName, detail: string): void {
    this.#link?.failed(status, detail);
    this.lost(status);
  }

  /** The session may live on, but not for long without an admission. The pause lets proxies that take places of each other's take turns. */
  #askSoon(lost: ControlConnection, place: Dialled): void {
    setTimeout(() => this.#askAgain(lost, place), this.#pause.soon()).unref();
  }

  #askAgain(lost: ControlConnection, place: Dialled): void {
    if (this.#control !== lost) return;
    const control = this.#ask(place);
    control.admitted.then(
      ({ hosts }) => {
        if (this.#control !== control) return;
        // A fault takes the admission back, and so ends the session: the next attempt tells it.
        this.#peers.set(this, hosts);
        void control.lost.then(() => this.#askSoon(control, place));
      },
      // The end of the session tells.
      () => undefined,
    );
  }

  #openStream(host: string, { fd, key }: AdmittedStream, timeoutMs: number): void {
    const timeoutNs = Math.ceil(timeoutMs * 1e6);
    const target = this.#targetAt(host, 0, timeoutNs).target;
    this.#native.connectStream(target, fd, key, timeoutNs);
    this.#link?.open(target);
  }

  #open({ host, port }: UcxPlace, timeoutMs: number): void {
    const timeoutNs = Math.ceil(timeoutMs * 1e6);
    const { target, isNew } = this.#targetAt(host, port, timeoutNs);
    if (!isNew) this.#native.connect(target, port, timeoutNs);
    this.#link?.open(target);
  }

  /** A new one begins to connect, where the port is not 0. */
  #targetAt(
    host: string,
    port: number,
    timeoutNs: number,
  ): { readonly target: number; readonly isNew: boolean } {
    const secrets = secretsNow(this.#address.secret);
    const known = this.#targets.get(host);
    if (known !== undefined) {
      this.#native.setSecrets(known, secrets);
      return { target: known, isNew: false };
    }
    const rail = this.#route?.index ?? 0;
    const target = this.#native.addTarget(host, port, secrets, timeoutNs, rail);
    this.#targets.set(host, target);
    return { target, isNew: true };
  }
}

/** The one target of an inproc client: it is there as long as the client is. */
export class InprocConnector implements Connector {
  readonly #native: NativeClient;
  readonly #target: number;

  constructor(native: NativeClient) {
    this.#native = native;
    this.#target = native.addTarget('inproc', 0, [], 1e9, 0);
  }

  start(link: ConnectorLink): void {
    link.open(this.#target);
  }

  up(): void {}
  lost(): void {}

  explained(detail: string): string {
    return detail;
  }

  stop(): void {
    this.#native.disconnect(this.#target);
  }
}
