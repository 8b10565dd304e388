/**
 * What somebody does who has reached a TCP port of UCX: its magic number, a request to connect, and a PUT. Here of no
 * bytes; with an address and bytes it would write them there. Prints what became of it at each HOST:PORT of its arguments.
 * With --admitted-by HOST:PORT it becomes a peer of that target first, as a proxy without a secret does; with --leave it
 * then gives that up, and waits for the end of what took the packet.
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { parseArgs } from 'node:util';
import { ControlConnection } from '../../src/rdma/control/control-connection.ts';

/** As uct/tcp/tcp.h of UCX 1.13 lays them out. */
const requestToConnect = (): Buffer => {
  const bytes = Buffer.alloc(29);
  bytes.writeUInt32LE(1, 0);
  bytes.writeBigUInt64LE(7n, 5);
  // The sender's address: 10.213.77.2, port 7.
  bytes.writeUInt16LE(2, 13);
  bytes.writeUInt16BE(7, 15);
  bytes.set([10, 213, 77, 2], 17);
  return bytes;
};

function message(id: number, body: Buffer): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt8(id, 0);
  head.writeUInt32LE(body.length, 1);
  return Buffer.concat([head, body]);
}

const magic = Buffer.alloc(8);
magic.writeBigUInt64LE(0xcafebabe12345678n);
const connecting = 32;
const put = 33;
const packet = Buffer.concat([
  magic,
  message(connecting, requestToConnect()),
  message(put, Buffer.alloc(20)),
]);
/** No answer by then: the packet was not taken. */
const patienceMs = 1_500;

/**
 * refused: no program is reached; silent, closed: one is, and answers nothing to this; http, control: it answers as the
 * roles' own listeners do; taken: UCX has done it.
 */
export type Fate = 'refused' | 'silent' | 'closed' | 'http' | 'control' | 'taken';

const answers: readonly (readonly [start: string, fate: Fate])[] = [
  ['HTTP/', 'http'],
  ['{"refused"', 'control'],
];

/** Connections that took the packet. */
const taken: Socket[] = [];

function fateAt(place: string): Promise<Fate> {
  const { hostname, port } = new URL(`tcp://${place}`);
  return new Promise((resolve) => {
    const socket = connect({ host: hostname, port: Number(port) });
    let isConnected = false;
    const end = (fate: Fate): void => {
      socket.destroy();
      resolve(fate);
    };
    socket.setTimeout(patienceMs, () => end(isConnected ? 'silent' : 'refused'));
    socket.on('connect', () => {
      isConnected = true;
      socket.write(packet);
    });
    socket.once('data', (bytes) => {
      const text = bytes.toString('latin1');
      const told = answers.find(([start]) => text.startsWith(start))?.[1];
      if (told !== undefined) {
        end(told);
        return;
      }
      taken.push(socket.resume());
      socket.setTimeout(0);
      resolve('taken');
    });
    socket.on('error', () => end(isConnected ? 'closed' : 'refused'));
    socket.on('close', () => end('closed'));
  });
}

async function becomePeer(place: string): Promise<ControlConnection> {
  const { hostname: host, port } = new URL(`tcp://${place}`);
  const at = {
    host,
    port: Number(port),
    secret: '',
    timeoutMs: 5_000,
    devices: 'auto',
    transports: 'tcp',
  };
  const control = new ControlConnection(at);
  await control.admitted;
  return control;
}

const { positionals: places, values } = parseArgs({
  allowPositionals: true,
  options: { 'admitted-by': { type: 'string' }, leave: { type: 'boolean', default: false } },
});
const by = values['admitted-by'];
const control = by === undefined ? undefined : await becomePeer(by);
const fates = await Promise.all(places.map(fateAt));
control?.close();
if (values.leave) await Promise.all(taken.map((socket) => once(socket, 'close')));
for (const socket of taken) socket.destroy();
console.log(JSON.stringify(Object.fromEntries(places.map((place, at) => [place, fates[at]]))));
