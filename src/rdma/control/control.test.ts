import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { networkInterfaces } from 'node:os';
import { setImmediate } from 'node:timers/promises';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { controlOptions } from '../../../test/unit/control-options.ts';
import type { Secret } from '../secret.ts';
import { AdmittedHosts } from './admitted-hosts.ts';
import { ControlConnection, type NotAdmittedError } from './control-connection.ts';
import {
  type ControlListener,
  type ControlOptions,
  openControlListener,
} from './control-listener.ts';
import {
  Conversation,
  hostsMax,
  lineBytesMax,
  newNonce,
  ownHosts,
  unproved,
} from './control-protocol.ts';

const ends: (() => void)[] = [];

afterEach(() => {
  for (const end of ends.splice(0).reverse()) end();
});

interface Place extends ControlListener {
  /** Admitted to UCX's ports, as they were told last. */
  readonly hosts: () => readonly string[];
}

/** @param filterMax UCX's ports take packets of so many hosts */
async function listener(
  change: Partial<ControlOptions> = {},
  filterMax = Number.POSITIVE_INFINITY,
): Promise<Place> {
  const opened = await openControlListener({ ...controlOptions, ...change });
  let told: readonly string[] = [];
  opened.serve({
    hasUcx: true,
    adopt: () => undefined,
    ucxPlace: (host) => ({ host, port: 18_517 }),
    admit(hosts) {
      if (hosts.length > filterMax) throw new Error('the kernel takes no socket filter');
      told = hosts;
    },
  });
  ends.push(() => opened.end());
  return Object.assign(opened, { hosts: () => told });
}

function asking(port: number, secret: Secret = 'sesame', timeoutMs = 2_000): ControlConnection {
  const control = new ControlConnection({
    host: '127.0.0.1',
    port,
    secret,
    timeoutMs,
    devices: 'lo',
    transports: 'all',
  });
  ends.push(() => control.close());
  control.admitted.catch(() => undefined);
  return control;
}

const failureOf = async (control: ControlConnection): Promise<NotAdmittedError> => {
  const error: unknown = await control.admitted.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  return error as NotAdmittedError;
};

interface RawPeer {
  readonly socket: Socket;
  /** The next line that comes; undefined: the connection ended. */
  line(): Promise<string | undefined>;
}

function rawPeer(port: number, localAddress = '127.0.0.1'): RawPeer {
  const socket = connect({ host: '127.0.0.1', port, localAddress });
  ends.push(() => socket.destroy());
  socket.on('error', () => undefined);
  const lines: string[] = [];
  let isOver = false;
  let wake = (): void => undefined;
  let text = '';
  socket.on('data', (bytes) => {
    const parts = (text + bytes.toString('latin1')).split('\n');
    text = parts.pop() ?? '';
    lines.push(...parts);
    wake();
  });
  socket.on('close', () => {
    isOver = true;
    wake();
  });
  return {
    socket,
    async line() {
      while (lines.length === 0 && !isOver) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      return lines.shift();
    },
  };
}

const hello = (change: object = {}): object => ({
  hello: 'seaweed-rdma',
  version_min: 1,
  version_max: 1,
  nonce: newNonce(),
  hosts: ['10.0.0.9'],
  ...change,
});

describe('a proxy that knows the secret', () => {
  test('is admitted with its addresses for as long as its connection', async () => {
    const place = await listener();
    const control = asking(place.port);
    const { ucx, hosts } = await control.admitted;
    expect(ucx).toEqual({ host: '127.0.0.1', port: 18_517 });
    expect(hosts[0]).toBe('127.0.0.1');
    expect(place.hosts()).toContain('127.0.0.1');
    const second = asking(place.port);
    await second.admitted;
    control.close();
    await vi.waitFor(() => expect(place.pending).toBe(0));
    expect(place.hosts()).toContain('127.0.0.1');
    second.close();
    await vi.waitFor(() => expect(place.hosts()).toEqual([]));
  });

  test('takes the place of the oldest where there are too many', async () => {
    const place = await listener({ admittedMax: 2 });
    const [first, second, third] = [1, 2, 3].map(() => asking(place.port));
    for (const each of [first, second, third]) await each?.admitted;
    await first?.lost;
    expect(place.ended).toBe(1);
    expect(place.refused).toBe(0);
    expect(place.hosts()).toContain('127.0.0.1');
    second?.close();
    third?.close();
    await vi.waitFor(() => expect(place.hosts()).toEqual([]));
  });

  test('is refused where UCX cannot be told of it', async () => {
    const place = await listener({}, 0);
    expect(await failureOf(asking(place.port))).toMatchObject({ status: 'overload' });
    expect(place.takeRefusals()).toMatchObject([
      { status: 'overload', detail: 'the kernel takes no socket filter' },
    ]);
  });

  test('loses its admission when it says more', async () => {
    const place = await listener();
    const peer = rawPeer(place.port);
    const conversation = new Conversation('sesame');
    peer.socket.write(conversation.say('proxy', hello(), false));
    conversation.hear('target', (await peer.line()) ?? '', true);
    peer.socket.write(conversation.say('proxy', {}, true));
    expect(conversation.hear('target', (await peer.line()) ?? '', true)).toMatchObject({
      ucx_port: 18_517,
    });
    expect(place.hosts()).toEqual(['10.0.0.9']);
    peer.socket.write('x');
    expect(await peer.line()).toBeUndefined();
    await vi.waitFor(() => expect(place.hosts()).toEqual([]));
  });
});

test('the addresses that are told are those of the devices that UCX was given', () => {
  const [[name = '', rows = []] = []] = Object.entries(networkInterfaces()).filter(([, each]) =>
    each?.some(({ internal, address }) => !internal && !address.includes(':')),
  );
  const address = rows.find((row) => !row.address.includes(':'))?.address ?? '';
  expect(ownHosts('10.0.0.1', 'lo')).toEqual(['10.0.0.1']);
  if (name === '') return;
  expect(ownHosts('10.0.0.1', `lo,${name}`)).toContain(address);
  expect(ownHosts('10.0.0.1', 'mlx5_0:1')).toEqual(['10.0.0.1']);
  expect(ownHosts('fd00::1', name)).not.toContain(address);
});

test('the addresses of the routes to the other side come before those of the devices', () => {
  const sources = ['10.9.0.1', 'fe80::1', 'fd00::1', '10.0.0.1'];
  expect(ownHosts('10.0.0.1', 'lo', sources)).toEqual(['10.0.0.1', '10.9.0.1']);
  expect(ownHosts('fd00::9', 'lo', sources)).toEqual(['fd00::9', 'fd00::1']);
});

test('a proxy that comes from another address than it names is told, and served', async () => {
  const place = await listener();
  const control = asking(place.port);
  expect(await (await control.admitted).obstacle).toBeUndefined();
  expect(place.takeTranslated()).toEqual([]);
  const peer = rawPeer(place.port, '127.0.0.66');
  const conversation = new Conversation('sesame');
  peer.socket.write(conversation.say('proxy', hello(), false));
  conversation.hear('target', (await peer.line()) ?? '', true);
  peer.socket.write(conversation.say('proxy', {}, true));
  const welcome = conversation.hear('target', (await peer.line()) ?? '', true);
  expect(welcome).toMatchObject({ ucx_port: 18_517, came_from: '127.0.0.66' });
  const detail = expect.stringMatching(/127\.0\.0\.66.* 10\.0\.0\.9: a source NAT/);
  expect(place.takeTranslated()).toEqual([{ host: '127.0.0.66', detail }]);
});

test('a peer that is gone before its routes are looked up is not admitted', async () => {
  const place = await listener();
  const peer = rawPeer(place.port);
  const conversation = new Conversation('sesame');
  peer.socket.write(conversation.say('proxy', hello(), false));
  conversation.hear('target', (await peer.line()) ?? '', true);
  peer.socket.end(conversation.say('proxy', {}, true));
  await vi.waitFor(() => expect(place.pending).toBe(0));
  await setImmediate();
  expect(place.hosts()).toEqual([]);
});

test('hosts that a proxy cannot admit are told, and left out from then on', () => {
  const told: (readonly string[])[] = [];
  const peers = new AdmittedHosts({
    admitPeers(hosts) {
      if (hosts.length > 2) throw new Error('too many');
      told.push(hosts);
    },
  });
  const [first, second] = [{}, {}];
  expect(peers.set(first, ['10.0.0.1', '10.0.0.2'])).toBeUndefined();
  expect(peers.set(second, ['10.0.0.3'])).toBe('too many');
  expect(told.at(-1)).toEqual(['10.0.0.1', '10.0.0.2']);
  peers.drop(first);
  expect(peers.set(second, ['10.0.0.3'])).toBeUndefined();
});

describe('a peer that does not know the secret', () => {
  test('learns that the target does not prove to know its own', async () => {
    const place = await listener();
    expect(await failureOf(asking(place.port, 'other'))).toMatchObject({ status: 'unauthorized' });
    expect(place.hosts()).toEqual([]);
    // And its log knows whose secret it is.
    await vi.waitFor(() =>
      expect(place.takeRefusals()).toMatchObject([{ host: '127.0.0.1', status: 'unauthorized' }]),
    );
  });

  test.each([
    ['the proof of another secret', () => new Conversation('other').say('proxy', {}, true)],
    ['no proof', () => '{}\n'],
    ['a refusal of its own in place of a proof', () => '{"refused":"ok"} x\n'],
    ['an empty proof', () => '{} \n'],
  ])('is refused with %s', async (_, proof) => {
    const place = await listener();
    const { socket, line } = rawPeer(place.port);
    socket.write(`${JSON.stringify(hello())}\n`);
    await line();
    socket.write(proof());
    expect(await line()).toBe('{"refused":"unauthorized"}');
    expect(await line()).toBeUndefined();
    expect(place.hosts()).toEqual([]);
  });

  test("does not get through with the target's own proof, nor with one of another conversation", async () => {
    const place = await listener();
    const heard = rawPeer(place.port);
    const conversation = new Conversation('sesame');
    heard.socket.write(conversation.say('proxy', hello(), false));
    const challenge = (await heard.line()) ?? '';
    conversation.hear('target', challenge, true);
    const right = conversation.say('proxy', {}, true);
    for (const proof of [right, `{} ${challenge.split(' ').at(-1)}\n`]) {
      const { socket, line } = rawPeer(place.port);
      socket.write(`${JSON.stringify(hello())}\n`);
      await line();
      socket.write(proof);
      expect(await line()).toBe('{"refused":"unauthorized"}');
    }
  });
});

describe('two secrets on either side', () => {
  const both = (first: string, second: string) => (): readonly string[] => [first, second];
  test.each<[string, Secret, Secret]>([
    ['the target has one more', both('sesame', 'new'), 'new'],
    ['the proxy has one more', 'sesame', both('new', 'sesame')],
    ['both have both', both('sesame', 'new'), both('new', 'sesame')],
    ['they share the second of both', both('a', 'sesame'), both('b', 'sesame')],
  ])('admit where %s', async (_, secret, own) => {
    const place = await listener({ secret });
    await expect(asking(place.port, own).admitted).resolves.toMatchObject({});
  });

  test('refuse where they share none', async () => {
    const place = await listener({ secret: both('a', 'b') });
    expect((await failureOf(asking(place.port, both('c', 'd')))).status).toBe('unauthorized');
  });

  test('may change between two connections', async () => {
    let secret = 'old';
    const place = await listener({ secret: () => [secret] });
    await asking(place.port, 'old').admitted;
    secret = 'new';
    await asking(place.port, 'new').admitted;
    expect((await failureOf(asking(place.port, 'old'))).status).toBe('unauthorized');
  });

  test('are named by nothing that tells one connection from another', () => {
    const conversation = new Conversation(both('a', 'b'));
    const [one, other] = [newNonce(), newNonce()].map((nonce) => conversation.keys(nonce));
    expect(new Set([...(one ?? []), ...(other ?? [])]).size).toBe(4);
    expect(new Conversation('').keys(newNonce())).toEqual([]);
  });

  test.each([
    ['no list', 'x'],
    ['what is no name', [1, null]],
    ['a long list', Array(300).fill('0123456789abcdef')],
  ])('are proved by the first one where a hello names %s', async (_, keys) => {
    const place = await listener({ secret: both('sesame', 'new') });
    const { socket, line } = rawPeer(place.port);
    const content = JSON.stringify(hello({ keys }));
    socket.write(`${content}\n`);
    const [challenge = '', proof = ''] = (await line())?.split(' ') ?? [];
    const text = `control target\n${content}\n${challenge}`;
    expect(proof).toBe(createHmac('sha256', 'sesame').update(text).digest('hex'));
  });
});

describe('a stranger between a proxy and its target', () => {
  test('is admitted by neither, though it passes on what they say', async () => {
    const place = await listener();
    const relay = createServer((socket) => {
      const on = connect({ host: '127.0.0.1', port: place.port, localAddress: '127.0.0.66' });
      ends.push(() => on.destroy());
      socket.on('error', () => undefined).pipe(on);
      on.on('error', () => undefined).pipe(socket);
    });
    relay.listen(0, '127.0.0.77');
    ends.push(() => relay.close());
    await once(relay, 'listening');
    const { port } = relay.address() as { port: number };
    const control = new ControlConnection({
      host: '127.0.0.77',
      port,
      secret: 'sesame',
      timeoutMs: 2_000,
      devices: 'lo',
      transports: 'all',
    });
    ends.push(() => control.close());
    const { hosts, obstacle } = await control.admitted;
    expect(await obstacle).toContain('from 127.0.0.66');
    expect(place.hosts().length).toBeGreaterThan(0);
    expect(place.hosts()).not.toContain('127.0.0.66');
    expect(hosts).not.toContain('127.0.0.77');
  });
});

describe('a hello', () => {
  test.each([
    ['that is no JSON', 'GET / HTTP/1.1\r\n'],
    ['that is a list', '[]\n'],
    ['that is nothing', 'null\n'],
    ['of another program', `${JSON.stringify(hello({ hello: 'x' }))}\n`],
    ['with half a nonce', `${JSON.stringify(hello({ nonce: 'ab' }))}\n`],
    ['with a name in place of an address', `${JSON.stringify(hello({ hosts: ['localhost'] }))}\n`],
    ['with a number in place of addresses', `${JSON.stringify(hello({ hosts: 7 }))}\n`],
    ['without addresses', `${JSON.stringify(hello({ hosts: undefined }))}\n`],
    [
      'with too many addresses',
      `${JSON.stringify(hello({ hosts: Array(hostsMax + 1).fill('10.0.0.1') }))}\n`,
    ],
    ['that is too long', 'x'.repeat(lineBytesMax + 1)],
    ['with more behind it', `${JSON.stringify(hello())}\n{}`],
  ])('%s is refused', async (_, text) => {
    const place = await listener();
    const { socket, line } = rawPeer(place.port);
    socket.write(text);
    expect(await line()).toBe('{"refused":"bad_request"}');
    expect(place.takeRefusals()).toMatchObject([{ host: '127.0.0.1', status: 'bad_request' }]);
  });

  const nested = JSON.parse(`${'['.repeat(3_900)}${']'.repeat(3_900)}`) as unknown;

  test.each([
    ['another version', { version_min: 2, version_max: 3 }],
    ['an object that is no number', { version_min: { valueOf: 0, toString: 0 } }],
    ['a deep list', { version_max: nested }],
    ['a text', { version_min: '1' }],
    ['a fraction', { version_min: 0.5 }],
    ['no version', { version_min: undefined }],
  ])('of %s is told that it is not spoken', async (_, change) => {
    const place = await listener();
    const { socket, line } = rawPeer(place.port);
    socket.write(`${JSON.stringify(hello(change))}\n`);
    expect(await line()).toBe('{"refused":"unsupported_version"}');
  });
});

interface Admission {
  readonly isAdmitted: boolean;
  readonly peer: RawPeer;
}

/** Names hosts from 10.AT.0.0 on. */
async function naming(
  place: Place,
  { from, at, count, secret = '' }: { from: string; at: number; count: number; secret?: string },
): Promise<Admission> {
  const peer = rawPeer(place.port, from);
  const conversation = new Conversation(secret);
  const hosts = Array.from({ length: count }, (_each, n) => `10.${at}.0.${n}`);
  peer.socket.write(conversation.say('proxy', hello({ hosts }), false));
  conversation.hear('target', (await peer.line()) ?? '', true);
  peer.socket.write(conversation.say('proxy', {}, true));
  const answer = (await peer.line()) ?? '';
  return { isAdmitted: answer.includes('ucx_port'), peer };
}

describe('where the filter is full', () => {
  const secret = 'sesame';

  test('the address that named most hosts gives place to a newcomer, its oldest connection first', async () => {
    const place = await listener({ admittedMax: 100 }, 48);
    const honest = await naming(place, { from: '127.0.0.3', at: 200, count: 4, secret });
    const crowd: Admission[] = [];
    for (const at of [1, 2, 3]) {
      crowd.push(await naming(place, { from: '127.0.0.2', at, count: 14, secret }));
    }
    const newcomer = await naming(place, { from: '127.0.0.4', at: 201, count: 4, secret });
    expect([honest, ...crowd, newcomer].every(({ isAdmitted }) => isAdmitted)).toBe(true);
    expect(await crowd[0]?.peer.line()).toBeUndefined();
    expect(place.hosts()).toHaveLength(2 * 14 + 8);
    expect(place.hosts()).toEqual(expect.arrayContaining(['10.200.0.0', '10.3.0.0', '10.201.0.3']));
    expect(place).toMatchObject({ ended: 1, refused: 0 });
  });

  test('no address gives place to a newcomer that names more', async () => {
    const place = await listener({ admittedMax: 100 }, 8);
    await naming(place, { from: '127.0.0.3', at: 200, count: 4, secret });
    const { isAdmitted } = await naming(place, { from: '127.0.0.4', at: 1, count: 8, secret });
    expect(isAdmitted).toBe(false);
    expect(place.hosts()).toHaveLength(4);
    expect(place.ended).toBe(0);
  });
});

test('without a secret the connections of an address name 64 hosts at most', async () => {
  const place = await listener({ admittedMax: 100, secret: '' });
  for (const at of [1, 2, 3, 4, 5, 6]) {
    const { isAdmitted } = await naming(place, { from: '127.0.0.2', at, count: 16 });
    expect(isAdmitted).toBe(true);
  }
  expect(place.hosts()).toHaveLength(64);
  expect(place.hosts()).toContain('10.6.0.15');
  expect(place.ended).toBe(2);
});

describe('connections that have not proved themselves', () => {
  test('end when their time is over, whatever they drip', async () => {
    const place = await listener({ handshakeTimeoutMs: 300 });
    const { socket, line } = rawPeer(place.port);
    const drip = setInterval(() => socket.write('x'), 20);
    ends.push(() => clearInterval(drip));
    expect(await line()).toBeUndefined();
    expect(place).toMatchObject({ pending: 0, ended: 1 });
  });

  test('give place to newer ones of their address', async () => {
    const place = await listener({ pendingPerAddressMax: 3 });
    const idle = Array.from({ length: 5 }, () => rawPeer(place.port));
    expect(await idle[0]?.line()).toBeUndefined();
    expect(await idle[1]?.line()).toBeUndefined();
    await vi.waitFor(() => expect(place.pending).toBe(3));
    await expect(asking(place.port).admitted).resolves.toBeDefined();
  });

  test('of one address give place to those of others', async () => {
    const place = await listener({ pendingPerAddressMax: 1_000 });
    for (let i = 0; i < 300; i += 1) rawPeer(place.port, '127.0.0.2');
    await vi.waitFor(() => expect(place.pending).toBe(256));
    await expect(asking(place.port).admitted).resolves.toBeDefined();
  });
});

test('with few descriptors left, fewer peers may be silent', async () => {
  const place = await listener({ freeDescriptors: () => 40, pendingPerAddressMax: 1_000 });
  for (let i = 0; i < 60; i += 1) rawPeer(place.port);
  await vi.waitFor(() => expect(place.ended).toBeGreaterThan(0));
  expect(place.pending).toBeLessThanOrEqual(12);
  await expect(asking(place.port).admitted).resolves.toBeDefined();
});

describe('a place that is no target', () => {
  async function stranger(answer: string | Buffer): Promise<number> {
    const server: Server = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.on('data', () => socket.end(answer));
    });
    server.listen(0, '127.0.0.1');
    ends.push(() => server.close());
    await once(server, 'listening');
    return (server.address() as { port: number }).port;
  }

  test.each([
    ['an HTTP server', 'HTTP/1.1 400 Bad Request\r\n\r\n', 'protocol_error'],
    ['a server that says nothing', '', 'not_connected'],
    ['an endless line', 'x'.repeat(lineBytesMax * 2), 'protocol_error'],
    ['a refusal that is none', '{"refused":"perhaps"}\n', 'protocol_error'],
    ['a refusal that says ok', '{"refused":"ok"}\n', 'protocol_error'],
    ['another version', '{"refused":"unsupported_version"}\n', 'unsupported_version'],
  ])('is told as such: %s', async (_, answer, status) => {
    expect(await failureOf(asking(await stranger(answer)))).toMatchObject({ status });
  });

  test('is told as silent after the time to connect', async () => {
    const server = createServer((socket) => socket.on('error', () => undefined).resume());
    server.listen(0, '127.0.0.1');
    ends.push(() => server.close());
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    const failure = await failureOf(asking(port, 'sesame', 100));
    expect(failure).toMatchObject({ status: 'not_connected', message: 'no answer within 100 ms' });
  });

  test('that goes on after its welcome loses the connection', async () => {
    const server: Server = createServer((socket) => {
      const conversation = new Conversation('sesame');
      socket.on('error', () => undefined);
      let heard = 0;
      socket.on('data', (bytes) => {
        conversation.hear('proxy', bytes.toString('latin1').trimEnd(), heard > 0);
        heard += 1;
        const welcome = { ucx_host: '127.0.0.1', ucx_port: 9, hosts: [] };
        const content = heard === 1 ? { version: 1, nonce: newNonce() } : welcome;
        socket.write(conversation.say('target', content, true));
        if (heard === 2) setTimeout(() => socket.write('x'), 50);
      });
    });
    server.listen(0, '127.0.0.1');
    ends.push(() => server.close());
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    const closed = once(server, 'connection').then(([socket]) => once(socket as Socket, 'close'));
    await asking(port).admitted;
    await closed;
  });

  test('is told with the words of the system where no program listens', async () => {
    expect((await failureOf(asking(9))).message).toContain('ECONNREFUSED');
  });
});

test('a changed line is not believed: the proofs cover what was said before', () => {
  const [proxy, target] = [new Conversation('sesame'), new Conversation('sesame')];
  const said = proxy.say('proxy', hello({ hosts: ['10.0.0.1'] }), false);
  target.hear('proxy', said.trimEnd().replace('10.0.0.1', '10.6.6.6'), false);
  expect(proxy.hear('target', target.say('target', {}, true).trimEnd(), true)).toBe(unproved);
});
