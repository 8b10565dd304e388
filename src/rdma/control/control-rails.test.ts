/** Sessions of UCX stay on their device (rails) on both sides, or on none: UCX 1.13 aborts a process that is alone in it. */
import { type AddressInfo, createServer } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { controlOptions } from '../../../test/unit/control-options.ts';
import {
  ControlConnection,
  type ControlPlace,
  type NotAdmittedError,
} from './control-connection.ts';
import { openControlListener } from './control-listener.ts';
import { Conversation, controlVersion, type Fields, LineReader } from './control-protocol.ts';

const ends: (() => void)[] = [];

afterEach(() => {
  for (const end of ends.splice(0).reverse()) end();
});

async function meet(
  target: { readonly keepsDevice?: boolean },
  proxy: Partial<ControlPlace>,
): Promise<string> {
  const place = await openControlListener(controlOptions);
  ends.push(() => place.end());
  const ucxPlace = (host: string): { host: string; port: number } => ({ host, port: 18_517 });
  const parts = { hasUcx: true, adopt: () => undefined, admit: () => undefined, ucxPlace };
  place.serve({ ...parts, ...target });
  const common = { host: '127.0.0.1', port: place.port, secret: 'sesame', timeoutMs: 2_000 };
  const stream = Promise.withResolvers<string>();
  const control = new ControlConnection(
    { ...common, devices: 'lo', transports: 'all', ...proxy },
    () => stream.resolve('stream'),
  );
  ends.push(() => control.close());
  const ucx = control.admitted.then(
    () => 'ucx',
    ({ status }: NotAdmittedError) => `${status}: ${place.takeRefusals()[0]?.detail}`,
  );
  return Promise.race([ucx, stream.promise]);
}

const rails = { keepsDevice: true };
const refused =
  'bad_request: over UCX, rdma.device_name is to be a list (rails) on both sides, or on none';

test.each([
  [rails, rails, 'ucx'],
  [{}, {}, 'ucx'],
  [rails, {}, refused],
  [{}, rails, refused],
])('a target with %o and a proxy with %o', async (target, proxy, expected) => {
  expect(await meet(target, proxy)).toBe(expected);
});

test.each([
  [rails, {}],
  [{}, rails],
])('a target with %o and a proxy with %o go by TCP where the proxy may', async (target, proxy) => {
  const auto = { stream: 'tls', wantsUcx: true } as const;
  expect(await meet(target, { ...proxy, ...auto })).toBe('stream');
});

test('a proxy with rails goes to no target of an older release over UCX', async () => {
  const answers = [
    ({ version }: { readonly version: number }) => ({ version, nonce: '0'.repeat(64) }),
    () => ({ ucx_host: '127.0.0.1', ucx_port: 18_517, hosts: [] }),
  ];
  const server = createServer((socket) => {
    const conversation = new Conversation('');
    const reader = new LineReader();
    let said = 0;
    socket.on('error', () => undefined);
    socket.on('data', (bytes) => {
      const { line = '' } = reader.read(bytes);
      const heard = conversation.hear('proxy', line, said > 0) as Fields;
      if (said === 0) conversation.choose(heard);
      const answer = answers[said]?.({ version: controlVersion });
      said += 1;
      socket.write(conversation.say('target', answer ?? {}, true));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  ends.push(() => server.close());
  const { port } = server.address() as AddressInfo;
  const place = { host: '127.0.0.1', port, secret: '', timeoutMs: 2_000, devices: 'lo' };
  const outcome = async (more: Partial<ControlPlace>): Promise<string> => {
    const control = new ControlConnection({ ...place, transports: 'all', ...more });
    ends.push(() => control.close());
    return control.admitted.then(
      () => 'admitted',
      ({ status }: NotAdmittedError) => status,
    );
  };
  expect(await outcome({})).toBe('admitted');
  expect(await outcome(rails)).toBe('unsupported_version');
});
