/**
 * The network between a proxy and its target at its worst: a relay of TCP connections whose weather changes. Each kind of weather
 * lasts until it has met a connection, and then the network is calm until bytes have gone both ways.
 */
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { seededRandom } from './needle-set.ts';

/** What TCP itself lets happen. */
export const ofTcp = ['pieces', 'late', 'held', 'one-way', 'ended', 'reset'] as const;
/** What it is to keep from happening, and does not where something between the two hosts is broken. */
export const ofBroken = ['flipped', 'lost', 'doubled'] as const;

export type Weather = (typeof ofTcp)[number] | (typeof ofBroken)[number];

const calmMs = 400;
const weatherMs = 400;
/** Longer than the proxy's deadline. */
const heldMs = 5_000;
const patienceMs = 8_000;
const lateMsMax = 30;
const pieceBytesMax = 700;

interface Way {
  readonly from: Socket;
  readonly to: Socket;
  readonly isBack: boolean;
}

export class BadNetwork {
  /** Connections that each kind of weather has met. */
  readonly met: Partial<Record<Weather, number>> = {};
  readonly #server: Server;
  readonly #random: () => number;
  readonly #kinds: readonly Weather[];
  readonly #sockets = new Set<Socket>();
  #weather: Weather | undefined;
  #over: PromiseWithResolvers<void> = Promise.withResolvers();
  #metNow = new Set<Socket>();
  /** Ways by which bytes have gone since it is calm. */
  #passed = new Set<boolean>();
  #isEnding = false;
  #ended: Promise<void> | undefined;

  private constructor(target: string, seed: number, isBroken: boolean) {
    this.#random = seededRandom(seed);
    this.#kinds = isBroken ? [...ofTcp, ...ofBroken] : ofTcp;
    const { hostname, port } = new URL(`tcp://${target}`);
    this.#server = createServer({ noDelay: true }, (near) => {
      const far = connect({ host: hostname, port: Number(port), noDelay: true });
      this.#carry({ from: near, to: far, isBack: false });
      this.#carry({ from: far, to: near, isBack: true });
    });
  }

  /** `isBroken`: bytes are changed, lost and doubled as well. */
  static async before(target: string, seed: number, isBroken: boolean): Promise<BadNetwork> {
    const network = new BadNetwork(target, seed, isBroken);
    network.#server.listen(0, '127.0.0.1');
    await once(network.#server, 'listening');
    return network;
  }

  /** In place of the target's. */
  get address(): string {
    const bound = this.#server.address();
    if (bound === null || typeof bound === 'string') throw new Error('it does not listen');
    return `127.0.0.1:${bound.port}`;
  }

  /** Goes through all kinds of weather, again and again for so long. */
  async run(seconds: number): Promise<void> {
    const untilMs = performance.now() + seconds * 1_000;
    do {
      for (const weather of this.#shuffled()) {
        this.#passed = new Set();
        await this.#until(() => this.#passed.size === 2, calmMs);
        if (this.#isEnding) return;
        this.#over = Promise.withResolvers();
        this.#metNow = new Set();
        this.#weather = weather;
        const isLong = weather === 'held' || weather === 'one-way';
        await this.#until(() => this.#metNow.size > 0, isLong ? heldMs : weatherMs);
        this.#weather = undefined;
        this.#over.resolve();
      }
    } while (performance.now() < untilMs);
  }

  /** Idempotent. */
  end(): Promise<void> {
    this.#ended ??= this.#end();
    return this.#ended;
  }

  async #end(): Promise<void> {
    this.#isEnding = true;
    this.#weather = undefined;
    this.#over.resolve();
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await once(this.#server, 'close');
  }

  async #until(isMet: () => boolean, leastMs: number): Promise<void> {
    const begunAtMs = performance.now();
    const passedMs = (): number => performance.now() - begunAtMs;
    while (!this.#isEnding && (passedMs() < leastMs || !isMet()) && passedMs() < patienceMs) {
      await pause(10);
    }
  }

  #shuffled(): readonly Weather[] {
    return this.#kinds
      .map((kind) => ({ kind, at: this.#random() }))
      .toSorted((a, b) => a.at - b.at)
      .map(({ kind }) => kind);
  }

  #carry(way: Way): void {
    const { from, to } = way;
    this.#sockets.add(from);
    from.on('error', () => to.destroy());
    from.on('end', () => to.end());
    from.on('close', () => {
      this.#sockets.delete(from);
      to.destroy();
    });
    from.on('data', (chunk) => {
      from.pause();
      void this.#pass(way, chunk).then(() => from.resume());
    });
  }

  async #pass(way: Way, chunk: Buffer): Promise<void> {
    const weather = this.#weather;
    this.#passed.add(way.isBack);
    if (weather === undefined) return send(way.to, chunk);
    this.#meet(weather, way);
    switch (weather) {
      case 'pieces':
        return this.#inPieces(way.to, chunk);
      case 'late':
        await pause(lateMsMax * this.#random());
        return send(way.to, chunk);
      case 'held':
        await this.#over.promise;
        return send(way.to, chunk);
      case 'one-way':
        if (way.isBack) await this.#over.promise;
        return send(way.to, chunk);
      default:
        return this.#break(weather, way, chunk);
    }
  }

  /** Anywhere in what comes: within a message, or within its first bytes. */
  async #break(weather: Weather, { from, to }: Way, chunk: Buffer): Promise<void> {
    const at = Math.floor(this.#random() * chunk.length);
    const [before, after] = [chunk.subarray(0, at), chunk.subarray(at)];
    await send(to, before);
    switch (weather) {
      case 'ended':
        to.end();
        from.destroy();
        return undefined;
      case 'reset':
        to.resetAndDestroy();
        from.resetAndDestroy();
        return undefined;
      case 'flipped':
        after[0] = (after[0] ?? 0) ^ (1 << Math.floor(this.#random() * 8));
        return send(to, after);
      case 'doubled':
        await send(to, after);
        return send(to, after);
      default:
        return send(to, after.subarray(1 + Math.floor(this.#random() * after.length)));
    }
  }

  async #inPieces(to: Socket, chunk: Buffer): Promise<void> {
    for (let at = 0; at < chunk.length; ) {
      const bytes = 1 + Math.floor(pieceBytesMax * this.#random() ** 3);
      await send(to, chunk.subarray(at, at + bytes));
      at += bytes;
    }
  }

  #meet(weather: Weather, { from, to, isBack }: Way): void {
    const connection = isBack ? to : from;
    if (this.#metNow.has(connection)) return;
    this.#metNow.add(connection);
    this.met[weather] = (this.met[weather] ?? 0) + 1;
  }
}

/** Resolves when the next bytes may follow. */
async function send(to: Socket, bytes: Buffer): Promise<void> {
  if (bytes.length === 0 || to.destroyed || to.writableEnded || to.write(bytes)) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  to.once('drain', resolve).once('close', resolve);
  await promise;
  to.off('drain', resolve).off('close', resolve);
}
