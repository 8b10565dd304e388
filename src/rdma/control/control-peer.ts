/** One control connection of a target, from accept to close: hears the proxy, admits or refuses it. */
import type { Socket } from 'node:net';
import { hasSecret, type Secret } from '../secret.ts';
import { sourcesFor } from '../ucx-devices.ts';
import {
  Conversation,
  controlVersion,
  type Fields,
  hostsOf,
  isNonce,
  isSpoken,
  isStreamKind,
  LineReader,
  newNonce,
  ownHosts,
  plainHost,
  type Refusal,
  type StreamKind,
  type UcxPlace,
  unproved,
} from './control-protocol.ts';
import { fabricHere } from './fabric-facts.ts';
import { ownNamespaces } from './namespaces.ts';
import { railsText, translationText } from './obstacles.ts';
import { descriptorOf } from './socket-descriptor.ts';

const keepAliveMs = 30_000;

/** UCX's side, as it is once the address is had. */
export interface AdmittedTo {
  /** Where proxies connect to by UCX once they are admitted; `host` is where they came to. */
  readonly ucxPlace: (host: string) => UcxPlace;
  /** Serves a proxy that wants no UCX over its connection: `fd` is copied at once. Throws where that fails. */
  readonly adopt: (fd: number, key: Buffer | undefined) => void;
  /** False: UCX is not started here. */
  readonly hasUcx: boolean;
  /** A session of UCX stays on its device; UCX 1.13 needs the same choice on both sides. Absent: it does not. */
  readonly keepsDevice?: boolean;
  /** Replaces the hosts of which UCX's ports take packets. Throws where that fails. */
  readonly admit: (hosts: readonly string[]) => void;
}

export interface PeerOptions {
  readonly to: AdmittedTo;
  readonly socket: Socket;
  readonly host: string;
  readonly secret: Secret;
  readonly handshakeTimeoutMs: number;
  /** The network devices of UCX, as UCX_NET_DEVICES. */
  readonly devices: string;
  /** UCX_TLS. */
  readonly transports: string;
  /** For proxies that want no UCX. */
  readonly streams: StreamKind;
}

export interface PeerEvents {
  /** `hosts` have proved themselves; returns why there is no place for them all the same. */
  admit(hosts: readonly string[]): string | undefined;
  /** It is admitted, and a NAT or a relay stands between. */
  translated(detail: string): void;
  refused(status: Refusal, detail: string | undefined): void;
  gone(): void;
  timedOut(): void;
}

export class Peer {
  readonly host: string;
  readonly #socket: Socket;
  readonly #to: AdmittedTo;
  readonly #streams: StreamKind;
  readonly #isKeyed: boolean;
  readonly #devices: string;
  readonly #transports: string;
  readonly #events: PeerEvents;
  readonly #conversation: Conversation;
  readonly #reader = new LineReader();
  readonly #timer: NodeJS.Timeout;
  #state: 'greeting' | 'proving' | 'proved' | 'refused' = 'greeting';
  #hosts: readonly string[] = [];
  #wantsStream = false;

  constructor(options: PeerOptions, events: PeerEvents) {
    const { socket, handshakeTimeoutMs } = options;
    this.host = options.host;
    this.#socket = socket;
    this.#to = options.to;
    this.#streams = options.streams;
    this.#isKeyed = hasSecret(options.secret);
    this.#devices = options.devices;
    this.#transports = options.transports;
    this.#events = events;
    this.#conversation = new Conversation(options.secret);
    this.#timer = setTimeout(() => events.timedOut(), handshakeTimeoutMs).unref();
    socket.on('data', (bytes) => this.#read(bytes));
    socket.on('error', () => {});
    socket.on('end', () => socket.destroy());
    socket.once('close', () => {
      clearTimeout(this.#timer);
      events.gone();
    });
  }

  get #keepsDevice(): boolean {
    return this.#to.keepsDevice === true;
  }

  end(): void {
    this.#socket.destroy();
  }

  #read(bytes: Buffer): void {
    if (this.#state === 'refused') return;
    // A proxy that has proved itself says nothing more.
    if (this.#state === 'proved') {
      this.end();
      return;
    }
    const { line, isTooMuch } = this.#reader.read(bytes);
    if (isTooMuch) this.#refuse('bad_request');
    else if (line !== undefined) this.#hearSafely(line);
  }

  /** No line of a stranger ends the target. */
  #hearSafely(line: string): void {
    try {
      this.#hear(line);
    } catch {
      this.#refuse('bad_request');
    }
  }

  #hear(line: string): void {
    const isProved = this.#state === 'proving';
    const fields = this.#conversation.hear('proxy', line, isProved);
    if (fields === undefined) this.#refuse('bad_request');
    else if (fields === unproved) this.#refuse('unauthorized');
    else if (isProved) this.#enter();
    else this.#challenge(fields);
  }

  #challenge(hello: Fields): void {
    const hosts = hostsOf(hello['hosts']);
    if (hello['hello'] !== 'seaweed-rdma' || !isNonce(hello['nonce']) || hosts === undefined) {
      this.#refuse('bad_request');
      return;
    }
    if (!isSpoken(hello)) {
      this.#refuse('unsupported_version');
      return;
    }
    const isAlike = (hello['keeps_device'] === true) === this.#keepsDevice;
    const hasUcx = hello['wants_ucx'] === true && this.#to.hasUcx && isAlike;
    const stream = hasUcx ? undefined : hello['stream'];
    const fault = this.#faultOf(stream, isAlike);
    if (fault !== undefined) {
      this.#refuse('bad_request', fault);
      return;
    }
    this.#wantsStream = stream !== undefined;
    this.#hosts = hosts;
    this.#state = 'proving';
    this.#conversation.choose(hello);
    this.#say({ version: controlVersion, nonce: newNonce() });
  }

  /** Why what the proxy wants cannot be had; undefined: it can. */
  #faultOf(stream: unknown, isAlike: boolean): string | undefined {
    if (stream === undefined) {
      if (!this.#to.hasUcx) return 'it asks for UCX, which is not started here: rdma.transport';
      return isAlike ? undefined : railsText;
    }
    if (stream === this.#streams) {
      if (this.#isKeyed || isLoopbackAddress(this.host)) return undefined;
      return 'without rdma.secret_file only proxies of this host have sessions over TCP';
    }
    return `it asks for a stream "${isStreamKind(stream) ? stream : '?'}", and this target has "${this.#streams}": rdma.tls_off and rdma.secret_file are to be the same on both sides`;
  }

  #enter(): void {
    this.#state = 'proved';
    if (this.#wantsStream) this.#goOnAsStream();
    else void this.#admit();
  }

  /** The proxy speaks next, and has not yet: no byte of its messages has been read here. */
  #goOnAsStream(): void {
    clearTimeout(this.#timer);
    this.#say({ stream: this.#streams });
    const fd = descriptorOf(this.#socket);
    if (fd !== undefined && this.#socket.writableLength === 0) {
      this.#to.adopt(fd, this.#streams === 'tls' ? this.#conversation.streamKey() : undefined);
    }
    this.end();
  }

  /** Never rejects. */
  async #admit(): Promise<void> {
    const sources = await sourcesFor(this.#hosts);
    if (this.#socket.destroyed) return;
    const fault = this.#events.admit(this.#hosts);
    if (fault !== undefined) {
      this.#refuse('overload', fault);
      return;
    }
    clearTimeout(this.#timer);
    this.#socket.setKeepAlive(true, keepAliveMs);
    const reached = plainHost(this.#socket.localAddress);
    const { host, port } = this.#to.ucxPlace(reached);
    const hosts = ownHosts(reached, this.#devices, sources);
    const translation = translationText(this.host, this.#hosts);
    if (translation !== undefined) this.#events.translated(translation);
    const seen = translation === undefined ? {} : { came_from: this.host };
    const namespaces = ownNamespaces();
    const fabric = fabricHere(this.#transports, this.#devices);
    const kept = this.#keepsDevice ? { keeps_device: true } : {};
    const facts = { hosts, ...seen, namespaces, fabric, ...kept };
    this.#say({ ucx_host: host, ucx_port: port, ...facts });
  }

  #say(content: object): void {
    this.#socket.write(this.#conversation.say('target', content, true));
  }

  /** The time for the handshake ends the connection of a peer that does not. */
  #refuse(status: Refusal, detail?: string): void {
    this.#state = 'refused';
    this.#events.refused(status, detail);
    this.#socket.end(this.#conversation.say('target', { refused: status }, false));
  }
}

function isLoopbackAddress(host: string): boolean {
  return host === '::1' || host.startsWith('127.');
}
