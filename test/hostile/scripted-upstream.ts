/** A volume server that answers innocent reads with their own names, and one needle's requests with what it is told. */
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import type { HostileAnswer } from './hostile-answers.ts';
import { victim } from './hostile-request.ts';

/** What the innocent read of this target is answered with. */
export function innocentAnswer(target: string): string {
  return `HTTP/1.1 200 OK\r\nContent-Length: ${target.length + 2}\r\n\r\n[${target}]`;
}

export class ScriptedUpstream {
  /** What requests of the victim are answered with, as soon as their heads are there. */
  answer: HostileAnswer = { name: '', packets: [], end: 'stays', isPending: false, isStray: false };
  byteByByte = false;
  /** How often the answer was sent to its end. */
  toldCount = 0;
  readonly sockets: Set<Socket> = new Set();
  readonly #server: Server = createServer((socket) => this.#accept(socket));

  static async start(): Promise<ScriptedUpstream> {
    const upstream = new ScriptedUpstream();
    await new Promise<void>((resolve) => upstream.#server.listen(0, '127.0.0.1', resolve));
    return upstream;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const socket of this.sockets) socket.destroy();
    await closed;
  }

  #accept(socket: Socket): void {
    this.sockets.add(socket);
    socket.setNoDelay();
    socket.on('close', () => this.sockets.delete(socket));
    socket.on('error', () => undefined);
    let text = '';
    let body: { readonly end: string } | { leftBytes: number } = { leftBytes: 0 };
    let answers = Promise.resolve();
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
      for (;;) {
        if ('end' in body) {
          const end = text.indexOf(body.end);
          if (end < 0) return;
          text = text.slice(end + body.end.length);
        } else {
          const { length } = text;
          text = text.slice(body.leftBytes);
          body.leftBytes -= length - text.length;
          if (body.leftBytes > 0) return;
        }
        body = { leftBytes: 0 };
        const end = text.indexOf('\r\n\r\n');
        if (end < 0) return;
        const head = text.slice(0, end + 2);
        text = text.slice(end + 4);
        body = /transfer-encoding/i.test(head)
          ? { end: '\r\n0\r\n\r\n' }
          : { leftBytes: Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0) };
        const target = head.split(' ')[1] as string;
        answers = answers.then(() =>
          target.startsWith(victim)
            ? this.#tell(socket)
            : void socket.write(innocentAnswer(target)),
        );
      }
    });
  }

  /** Counts from here on; what is still being told does not. */
  tells(answer: HostileAnswer, byteByByte: boolean): void {
    this.answer = { ...answer };
    this.byteByByte = byteByByte;
    this.toldCount = 0;
  }

  async #tell(socket: Socket): Promise<void> {
    const { answer } = this;
    const { packets, end } = answer;
    for (const packet of packets) {
      for (const bytes of this.byteByByte && packet.length < 400 ? packet : [packet]) {
        if (bytes !== '') socket.write(bytes, 'latin1');
        await turn();
      }
      if (packets.length > 1) await sleep(3);
    }
    if (end === 'closes') socket.end();
    if (end === 'resets') {
      // What was written must be there first.
      await sleep(3);
      socket.resetAndDestroy();
    }
    if (answer === this.answer) this.toldCount += 1;
  }
}
