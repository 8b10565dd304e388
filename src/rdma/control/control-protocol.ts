/**
 * The conversation on a control connection: proxy and target prove to each other that they know the secret, before UCX
 * sees a byte of the peer. Four lines of JSON; each proof covers every line so far, so no line can be changed on its way:
 *
 *     proxy:  {"hello": "seaweed-rdma", "version_min", "version_max", "nonce", "keys", "hosts"}
 *     target: {"version", "nonce"} PROOF
 *     proxy:  {} PROOF
 *     target: {"ucx_host", "ucx_port", "hosts"} PROOF   or, in place of any line   {"refused": STATUS}
 *
 * `keys` names the proxy's secrets, two while they are being changed, and the target proves the first of its own that is
 * among them. A name is made of the secret and the nonce, so that it says nothing and is another one each time. Targets
 * of before this field, and for proxies of before it targets of today, prove the first one.
 *
 * A proxy that wants no UCX says {…, "stream": "tls" or "plain"} in its first line, and the target's last one is
 * {"stream"} with the same word: the protocol's messages follow on this connection, under TLS with a key that both make
 * of the secret and these lines.
 *
 * `hosts` has the addresses from which packets of the speaker's UCX come: that of its end of the connection, those of
 * other devices that its UCX was given, and the target's on its routes to the hosts that the proxy named: UCX dials back
 * from these, whichever device it was given. The other side's UCX ports take packets of these. What the connection seems
 * to come from is not admitted, since a stranger may pass the lines on; nor are addresses of further devices, such as a
 * bridge's, which may be another machine's to the other side. If the proxy does not name the address from which it seems
 * to come, the target adds that as `came_from`, and always its `namespaces`: from these the proxy explains a
 * session that fails. UCX has a place of its own, since it cannot be reached
 * through address translation, nor at a second address of a device.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { isIP } from 'node:net';
import { networkInterfaces } from 'node:os';
import { type Secret, secretsNow } from '../secret.ts';
import { type StatusName, statusNumbers } from '../status.ts';
import { isAuto, withoutAlias } from '../ucx-devices.ts';

export const controlVersion = 1;
/** A longer line is refused before its end has come. */
export const lineBytesMax = 8_192;
export const hostsMax = 16;
/** kSecretsMax of native/protocol/wire.h. */
const secretsMax = 2;
const keyDigits = 16;

export type Refusal = Exclude<StatusName, 'ok'>;
export type Speaker = 'proxy' | 'target';

/** How messages go over a connection of ours. Without a secret there is no key for TLS. */
export type StreamKind = 'tls' | 'plain';

export function isStreamKind(value: unknown): value is StreamKind {
  return value === 'tls' || value === 'plain';
}

export interface UcxPlace {
  /** A literal address. */
  readonly host: string;
  readonly port: number;
}

/** The lines that were spoken, and the secrets that may prove them: one, once it is known which the other side has. */
export class Conversation {
  #secrets: readonly Buffer[];
  #spoken = '';

  constructor(secret: Secret) {
    this.#secrets = secretsNow(secret).map((each) => Buffer.from(each, 'latin1'));
  }

  /** Names of the secrets, for a proxy's first line; none without a secret. */
  keys(nonce: string): readonly string[] {
    return this.#secrets.filter(({ length }) => length > 0).map((each) => keyOf(each, nonce));
  }

  /** Takes the first of the secrets that a proxy's first line names, where it names one. */
  choose({ keys, nonce }: Fields): void {
    const named: readonly unknown[] = Array.isArray(keys) ? keys.slice(0, secretsMax) : [];
    const found = this.#secrets.find((each) => named.includes(keyOf(each, String(nonce))));
    this.#secrets = [found ?? (this.#secrets[0] as Buffer)];
  }

  /** The line to send, its line feed included. */
  say(speaker: Speaker, content: object, isProved: boolean): string {
    const text = JSON.stringify(content);
    const [secret] = this.#secrets as [Buffer];
    return this.#keep(isProved ? `${text} ${this.#proof(speaker, text, secret)}` : text);
  }

  /** Takes a line that came, without its line feed. undefined: it does not parse, or its proof is wrong. */
  hear(speaker: Speaker, line: string, isProved: boolean): Fields | Unproved | undefined {
    const at = line.lastIndexOf(' ');
    const text = isProved && at >= 0 ? line.slice(0, at) : line;
    const fields = fieldsOf(text);
    if (fields === undefined) return undefined;
    const proof = line.slice(at + 1);
    const proved = isProved
      ? this.#secrets.filter((each) => isSame(proof, this.#proof(speaker, text, each)))
      : this.#secrets;
    this.#keep(line);
    if (proved.length === 0) return unproved;
    this.#secrets = proved;
    return fields;
  }

  /** 32 bytes that only the two sides know, and no other conversation has. */
  streamKey(): Buffer {
    const hmac = createHmac('sha256', this.#secrets[0] as Buffer);
    return hmac.update(`stream\n${this.#spoken}`).digest();
  }

  #keep(line: string): string {
    const whole = `${line}\n`;
    this.#spoken += whole;
    return whole;
  }

  #proof(speaker: Speaker, text: string, secret: Buffer): string {
    const hmac = createHmac('sha256', secret);
    return hmac.update(`control ${speaker}\n${this.#spoken}${text}`).digest('hex');
  }
}

export type Fields = Readonly<Record<string, unknown>>;
/** The other side does not know the secret. */
export const unproved: unique symbol = Symbol('unproved');
export type Unproved = typeof unproved;

function keyOf(secret: Buffer, nonce: string): string {
  return createHmac('sha256', secret).update(`key\n${nonce}`).digest('hex').slice(0, keyDigits);
}

export function newNonce(): string {
  return randomBytes(32).toString('hex');
}

export function isSpoken({ version_min: from, version_max: to }: Fields): boolean {
  return isVersion(from) && isVersion(to) && from <= controlVersion && to >= controlVersion;
}

function isVersion(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value);
}

export function isNonce(value: unknown): value is string {
  return typeof value === 'string' && /^[0-9a-f]{64}$/.test(value);
}

export function isHost(value: unknown): value is string {
  return typeof value === 'string' && isIP(value) !== 0;
}

export function isPort(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value > 0 && value <= 65_535;
}

/** undefined: not a list of at most `hostsMax` literal addresses. */
export function hostsOf(value: unknown): readonly string[] | undefined {
  if (!Array.isArray(value) || value.length > hostsMax) return undefined;
  return value.every(isHost) ? value : undefined;
}

/** undefined: the target's line is no refusal. */
export function refusalIn(line: string): Refusal | undefined {
  const refused = fieldsOf(line)?.['refused'];
  if (refused === undefined) return undefined;
  const isKnown =
    typeof refused === 'string' && Object.hasOwn(statusNumbers, refused) && refused !== 'ok';
  return isKnown ? (refused as Refusal) : 'protocol_error';
}

/**
 * @param own the address of this end
 * @param devices as UCX_NET_DEVICES: names, or "auto" or "all" for every one
 * @param sources of the routes to the other side
 */
export function ownHosts(
  own: string,
  devices: string,
  sources: readonly string[] = [],
): readonly string[] {
  const names = devices.split(',').map((name) => name.trim());
  const isEvery = names.some((name) => isAuto(name) || name === 'all');
  const others = Object.entries(networkInterfaces()).flatMap(([label, rows]) => {
    const isGiven = isEvery || names.includes(withoutAlias(label));
    return isGiven ? (rows ?? []) : [];
  });
  const beyond = others.filter(({ internal }) => !internal).map(({ address }) => address);
  const told = [...sources, ...beyond].filter(
    (address) => !address.startsWith('fe80:') && isIP(address) === isIP(own),
  );
  return [...new Set([own, ...told])].slice(0, hostsMax);
}

/** The host of one end of a socket, as a literal address; '': the socket is gone. */
export function plainHost(address: string | undefined): string {
  return address?.replace(/%.*$/, '').replace(/^::ffff:(?=\d+\.)/, '') ?? '';
}

/** Collects a peer's bytes until a line is whole. */
export class LineReader {
  #text = '';

  /** The next line; undefined: not yet. `isTooMuch`: it is longer than a line may be, or more came behind it. */
  read(bytes: Buffer): { readonly line: string | undefined; readonly isTooMuch: boolean } {
    this.#text += bytes.toString('latin1');
    const end = this.#text.indexOf('\n');
    if (end < 0) return { line: undefined, isTooMuch: this.#text.length > lineBytesMax };
    const line = this.#text.slice(0, end);
    const isTooMuch = line.length > lineBytesMax || this.#text.length > end + 1;
    this.#text = '';
    return { line, isTooMuch };
  }
}

function fieldsOf(text: string): Fields | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Fields)
      : undefined;
  } catch {
    return undefined;
  }
}

function isSame(given: string, expected: string): boolean {
  const [left, right] = [Buffer.from(given, 'latin1'), Buffer.from(expected, 'latin1')];
  return left.length === right.length && timingSafeEqual(left, right);
}
