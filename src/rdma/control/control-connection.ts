/** A proxy's control connection to one target: open for as long as the session that it leads to. */
import { connect, type Socket } from 'node:net';
import type { Secret } from '../secret.ts';
import type { StatusName } from '../status.ts';
import { allowsShm, allowsSysv } from '../ucx-transports.ts';
import {
  Conversation,
  controlVersion,
  type Fields,
  hostsOf,
  isHost,
  isNonce,
  isPort,
  LineReader,
  newNonce,
  ownHosts,
  plainHost,
  type Refusal,
  refusalIn,
  type StreamKind,
  type UcxPlace,
  unproved,
} from './control-protocol.ts';
import { fabricHere, fabricOf, rdmaObstacle } from './fabric-facts.ts';
import { isNamespaces, ownNamespaces } from './namespaces.ts';
import { railsText, sharedIpcText, translationText } from './obstacles.ts';
import { descriptorOf } from './socket-descriptor.ts';

export interface ControlPlace {
  /** A literal address. */
  readonly host: string;
  readonly port: number;
  readonly secret: Secret;
  readonly timeoutMs: number;
  /** The address of this host to come from; absent: the route's. */
  readonly from?: string | undefined;
  /** The network devices of UCX, as UCX_NET_DEVICES. */
  readonly devices: string;
  /** UCX_TLS. */
  readonly transports: string;
  /** A session of UCX stays on its device, here and on the target. Absent: it does not. */
  readonly keepsDevice?: boolean;
  /** undefined: the session is UCX's. */
  readonly stream?: StreamKind | undefined;
  /** With `stream`: UCX is wanted where the target has it. */
  readonly wantsUcx?: boolean;
}

/** The connection itself goes on as the session's: `fd` is to be copied at once. */
export interface AdmittedStream {
  readonly fd: number;
  /** undefined: without TLS. */
  readonly key: Buffer | undefined;
}

export interface Admitted {
  /** Where the target's UCX listens. */
  readonly ucx: UcxPlace;
  /** Addresses of the target from which its packets may come. */
  readonly hosts: readonly string[];
  /** Why UCX may find no way all the same; never rejects. */
  readonly obstacle: Promise<string | undefined>;
}

/** No admission: the status as the target's, or one of the client's own. */
export class NotAdmittedError extends Error {
  readonly status: Refusal;

  constructor(status: Refusal, message: string) {
    super(message);
    this.name = 'NotAdmittedError';
    this.status = status;
  }
}

const keepAliveMs = 30_000;
const lastWordMs = 1_000;

export class ControlConnection {
  /** Rejects with a NotAdmittedError; also when close() comes first. */
  readonly admitted: Promise<Admitted>;
  readonly #onStream: ((stream: AdmittedStream) => void) | undefined;
  readonly #stream: StreamKind | undefined;
  readonly #wantsUcx: boolean;
  /** Resolves when an admission ends that close() did not end. */
  readonly lost: Promise<void>;
  readonly #socket: Socket;
  readonly #devices: string;
  readonly #transports: string;
  readonly #keepsDevice: boolean;
  readonly #conversation: Conversation;
  readonly #settle: PromiseWithResolvers<Admitted>;
  readonly #loss: PromiseWithResolvers<void> = Promise.withResolvers<void>();
  #isClosed = false;
  #hosts: readonly string[] = [];
  readonly #reader = new LineReader();
  readonly #timer: NodeJS.Timeout;
  #state: 'greeting' | 'proving' | 'settled' = 'greeting';

  /** @param onStream is called in place of `admitted`, where the place asks for a stream */
  constructor(place: ControlPlace, onStream?: (stream: AdmittedStream) => void) {
    const { host, port, secret, timeoutMs, devices, transports } = place;
    this.#devices = devices;
    this.#transports = transports;
    this.#keepsDevice = place.keepsDevice ?? false;
    this.#stream = place.stream;
    this.#wantsUcx = place.wantsUcx ?? place.stream === undefined;
    this.#onStream = onStream;
    this.#conversation = new Conversation(secret);
    this.#settle = Promise.withResolvers<Admitted>();
    this.admitted = this.#settle.promise;
    this.lost = this.#loss.promise;
    const own = place.from === undefined ? {} : { localAddress: place.from };
    this.#socket = connect({ host, port, noDelay: true, ...own });
    this.#timer = setTimeout(
      () => this.#fail('not_connected', `no answer within ${timeoutMs} ms`),
      timeoutMs,
    ).unref();
    this.#socket.on('connect', () => this.#greet());
    this.#socket.on('data', (bytes) => this.#read(bytes));
    this.#socket.on('error', ({ message }) => {
      const isOpen = this.#socket.bytesWritten > 0;
      this.#fail('not_connected', isOpen ? `${message}: ${strangerText}` : message);
    });
    this.#socket.on('close', () => {
      this.#fail('not_connected', `it closed the connection: ${strangerText}`);
      if (!this.#isClosed) this.#loss.resolve();
    });
  }

  close(): void {
    this.#isClosed = true;
    this.#fail('closed', 'closed here');
    this.#socket.destroy();
  }

  #greet(): void {
    const version = { version_min: controlVersion, version_max: controlVersion };
    this.#hosts = ownHosts(plainHost(this.#socket.localAddress), this.#devices);
    const stream =
      this.#stream === undefined ? {} : { stream: this.#stream, wants_ucx: this.#wantsUcx };
    const kept = this.#keepsDevice ? { keeps_device: true } : {};
    const nonce = newNonce();
    const facts = {
      nonce,
      keys: this.#conversation.keys(nonce),
      hosts: this.#hosts,
      ...stream,
      ...kept,
    };
    const hello = { hello: 'seaweed-rdma', ...version, ...facts };
    this.#socket.write(this.#conversation.say('proxy', hello, false));
  }

  #read(bytes: Buffer): void {
    // A target that has welcomed says nothing more.
    if (this.#state === 'settled') {
      this.#socket.destroy();
      return;
    }
    const { line, isTooMuch } = this.#reader.read(bytes);
    if (isTooMuch) this.#fail('protocol_error', `its answer is not a target's: ${strangerText}`);
    else if (line !== undefined) this.#hear(line);
  }

  #hear(line: string): void {
    const refusal = refusalIn(line);
    if (refusal !== undefined) {
      this.#fail(refusal, refusalTexts[refusal] ?? `the target refuses: ${refusal}`);
      return;
    }
    const fields = this.#conversation.hear('target', line, true);
    if (fields === undefined) {
      this.#fail('protocol_error', `its answer is not a target's: ${strangerText}`);
    } else if (fields === unproved) {
      this.#tellUnauthorized();
      this.#fail('unauthorized', 'the target does not know the secret of rdma.secret_file');
    } else if (this.#state === 'greeting') {
      this.#prove(fields);
    } else {
      this.#enter(fields);
    }
  }

  /** For the log of the target: its secret is another one. */
  #tellUnauthorized(): void {
    this.#socket.setTimeout(lastWordMs, () => this.#socket.destroy());
    this.#socket.end(this.#conversation.say('proxy', { refused: 'unauthorized' }, false));
  }

  #prove({ version, nonce }: Fields): void {
    if (version !== controlVersion || !isNonce(nonce)) {
      this.#fail('protocol_error', 'its challenge is malformed');
      return;
    }
    this.#state = 'proving';
    this.#socket.write(this.#conversation.say('proxy', {}, true));
  }

  #enter(welcome: Fields): void {
    if (this.#stream !== undefined && !(this.#wantsUcx && welcome['stream'] === undefined)) {
      this.#goOnAsStream(welcome['stream']);
      return;
    }
    const { ucx_host: ucxHost, ucx_port: ucxPort, came_from: cameFrom } = welcome;
    const hosts = hostsOf(welcome['hosts']);
    if (!isHost(ucxHost) || !isPort(ucxPort) || hosts === undefined) {
      this.#fail('protocol_error', 'its welcome is malformed');
      return;
    }
    if ((welcome['keeps_device'] === true) !== this.#keepsDevice) {
      this.#fail('unsupported_version', railsText);
      return;
    }
    this.#state = 'settled';
    clearTimeout(this.#timer);
    this.#socket.setKeepAlive(true, keepAliveMs);
    this.#settle.resolve({
      ucx: { host: ucxHost, port: ucxPort },
      hosts: [ucxHost, ...hosts],
      obstacle: this.#obstacle(cameFrom, welcome),
    });
  }

  /** Takes the first that is known. */
  async #obstacle(
    cameFrom: unknown,
    { namespaces, fabric, ucx_host: reached }: Fields,
  ): Promise<string | undefined> {
    const translation = isHost(cameFrom) ? translationText(cameFrom, this.#hosts) : undefined;
    if (translation !== undefined) return translation;
    const own = ownNamespaces();
    const sharesMemory = allowsShm(this.#transports) || allowsSysv(this.#transports);
    if (sharesMemory && own !== undefined && isNamespaces(namespaces)) {
      const shared = sharedIpcText(own, namespaces);
      if (shared !== undefined) return shared;
    }
    const target = fabricOf(fabric);
    if (target === undefined) return undefined;
    return rdmaObstacle(fabricHere(this.#transports, this.#devices), target, String(reached));
  }

  #goOnAsStream(kind: unknown): void {
    const fd = descriptorOf(this.#socket);
    if (kind !== this.#stream || fd === undefined) {
      const why =
        'the target knows no sessions over TCP: its version is older, or it listens for UCX';
      this.#fail('unsupported_version', why);
      return;
    }
    const key = kind === 'tls' ? this.#conversation.streamKey() : undefined;
    this.#state = 'settled';
    clearTimeout(this.#timer);
    this.#onStream?.({ fd, key });
    this.#isClosed = true;
    this.#socket.destroy();
  }

  #fail(status: Refusal, detail: string): void {
    if (this.#state === 'settled') return;
    this.#state = 'settled';
    clearTimeout(this.#timer);
    if (!this.#socket.writableEnded) this.#socket.destroy();
    this.#settle.reject(new NotAdmittedError(status, detail));
  }
}

const strangerText = 'another program, or a target of an older version, listens there';

const refusalTexts: Partial<Record<StatusName, string>> = {
  protocol_error: `its answer is not a target's: ${strangerText}`,
  unauthorized: 'the target refuses the secret of rdma.secret_file',
  unsupported_version: 'the target speaks another version of the control connection',
  overload: 'the target has no place: rdma.max_sessions, or its socket filter; its log says which',
};
