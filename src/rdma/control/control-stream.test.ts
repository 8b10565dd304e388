/** Sessions over the control connection itself: what both sides agree on before the native part has it. */
import { networkInterfaces } from 'node:os';
import { afterEach, describe, expect, test } from 'vitest';
import { controlOptions } from '../../../test/unit/control-options.ts';
import { type Admitted, type AdmittedStream, ControlConnection } from './control-connection.ts';
import {
  type ControlListener,
  type ControlOptions,
  openControlListener,
} from './control-listener.ts';
import type { StreamKind } from './control-protocol.ts';

const ends: (() => void)[] = [];

afterEach(() => {
  for (const end of ends.splice(0).reverse()) end();
});

interface Place extends ControlListener {
  /** Given to be copied, with their keys. */
  readonly streams: readonly AdmittedStream[];
  /** To UCX's ports. */
  readonly admitted: readonly string[];
}

async function listener(change: Partial<ControlOptions> = {}, hasUcx = true): Promise<Place> {
  const opened = await openControlListener({ ...controlOptions, ...change });
  const streams: AdmittedStream[] = [];
  const admitted: string[] = [];
  opened.serve({
    hasUcx,
    adopt: (fd, key) => streams.push({ fd, key }),
    ucxPlace: (host) => ({ host, port: 18_517 }),
    admit: (hosts) => admitted.push(...hosts),
  });
  ends.push(() => opened.end());
  return Object.assign(opened, { streams, admitted });
}

const common = {
  host: '127.0.0.1',
  timeoutMs: 2_000,
  devices: 'lo',
  transports: 'tcp',
} as const;

function asking(port: number): Promise<Admitted> {
  const control = new ControlConnection({ ...common, port, secret: 'sesame' });
  ends.push(() => control.close());
  return control.admitted;
}

describe('a proxy that wants a stream', () => {
  function askingFor(port: number, stream: StreamKind, secret = 'sesame'): Promise<AdmittedStream> {
    const { promise, resolve, reject } = Promise.withResolvers<AdmittedStream>();
    const control = new ControlConnection({ ...common, port, secret, stream }, resolve);
    ends.push(() => control.close());
    control.admitted.catch(reject);
    return promise;
  }

  test('goes on over its connection, with a key that both sides have and no other conversation', async () => {
    const place = await listener();
    const first = await askingFor(place.port, 'tls');
    const second = await askingFor(place.port, 'tls');
    expect(first.key).toHaveLength(32);
    expect(place.streams.map(({ key }) => key)).toEqual([first.key, second.key]);
    expect(first.key).not.toEqual(second.key);
    expect(first.fd).toBeGreaterThan(0);
    expect(place.admitted).toEqual([]);
    await expect.poll(() => place.pending).toBe(0);
  });

  test('has no key where TLS is off, nor without a secret', async () => {
    for (const secret of ['sesame', '']) {
      const place = await listener({ streams: 'plain', secret });
      await expect(askingFor(place.port, 'plain', secret)).resolves.toMatchObject({
        key: undefined,
      });
      expect(place.streams).toMatchObject([{ key: undefined }]);
    }
  });

  test('is refused where the target has TLS and the proxy has not, or the other way', async () => {
    for (const streams of ['tls', 'plain'] as const) {
      const place = await listener({ streams });
      const other = streams === 'tls' ? 'plain' : 'tls';
      await expect(askingFor(place.port, other)).rejects.toMatchObject({ status: 'bad_request' });
      expect(place.takeRefusals()[0]?.detail).toContain('rdma.tls_off');
      expect(place.streams).toEqual([]);
    }
  });

  test('is not admitted without the secret', async () => {
    const place = await listener();
    await expect(askingFor(place.port, 'tls', 'other')).rejects.toMatchObject({
      status: 'unauthorized',
    });
    expect(place.streams).toEqual([]);
  });

  test('without a secret has to be of the same host', async () => {
    const address = Object.values(networkInterfaces())
      .flatMap((rows) => rows ?? [])
      .find(({ internal, family }) => !internal && family === 'IPv4')?.address;
    if (address === undefined) return;
    const place = await listener({ host: '0.0.0.0', streams: 'plain', secret: '' });
    const { port } = place;
    const control = new ControlConnection({
      ...common,
      host: address,
      port,
      secret: '',
      stream: 'plain',
    });
    ends.push(() => control.close());
    await expect(control.admitted).rejects.toMatchObject({ status: 'bad_request' });
    expect(place.takeRefusals()[0]?.detail).toContain('rdma.secret_file');
  });

  test('that asks for UCX where there is none is told so', async () => {
    const place = await listener({}, false);
    await expect(asking(place.port)).rejects.toMatchObject({ status: 'bad_request' });
    expect(place.takeRefusals()[0]?.detail).toContain('rdma.transport');
  });
});
