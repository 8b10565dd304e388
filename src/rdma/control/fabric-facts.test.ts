import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import {
  type FabricFacts,
  type FabricPort,
  fabricOf,
  ownFabric,
  rdmaObstacle,
} from './fabric-facts.ts';

const sysRoot = mkdtempSync(join(tmpdir(), 'fabric-facts-'));
const environment = {};

function write(file: string, text: string): void {
  mkdirSync(join(sysRoot, file, '..'), { recursive: true });
  writeFileSync(join(sysRoot, file), `${text}\n`);
}

function makePort(device: string, state: string, link: string, gids: readonly string[]): void {
  const folder = `class/infiniband/${device}/ports/1`;
  write(`${folder}/state`, state);
  write(`${folder}/link_layer`, link);
  for (const [index, gid] of gids.entries()) {
    write(`${folder}/gids/${index}`, gid);
    write(`${folder}/gid_attrs/types/${index}`, 'RoCE v2');
    write(`${folder}/gid_attrs/ndevs/${index}`, 'eth9');
  }
}

makePort('rxe0', '4: ACTIVE', 'Ethernet', [
  'fe80:0000:0000:0000:30d4:18ff:fe77:9a60',
  '0000:0000:0000:0000:0000:ffff:0a09:0001',
  '2001:0db8:0000:0000:0000:0000:0000:0001',
]);
makePort('rxe1', '1: DOWN', 'Ethernet', []);
write('class/net/eth9/mtu', '1500');
afterAll(() => rmSync(sysRoot, { recursive: true }));

describe('the facts of a side', () => {
  const port = { name: 'rxe0:1', link: 'Ethernet', mtu: 1500 };

  test('are its active ports, and the addresses of RoCE v2', () => {
    const addresses = ['10.9.0.1', '2001:db8::1'];
    for (const devices of ['auto', 'all', 'rxe0:1', 'eth0,rxe0:1,rxe1:1']) {
      expect(ownFabric('rc', devices, { sysRoot, environment })).toEqual({
        transports: 'rc',
        ports: [{ ...port, addresses }],
      });
    }
    const chosen = { sysRoot, environment: { UCX_IB_GID_INDEX: '0' } };
    expect(ownFabric('rc', 'auto', chosen).ports).toEqual([{ ...port, addresses: [] }]);
  });

  test('are none where UCX may not use verbs, or another device', () => {
    expect(ownFabric('tcp', 'auto', { sysRoot, environment }).ports).toEqual([]);
    expect(ownFabric('rc', 'eth0', { sysRoot, environment }).ports).toEqual([]);
  });

  test('are taken as they are told, and nothing else is', () => {
    const facts = ownFabric('rc', 'auto', { sysRoot, environment });
    expect(fabricOf(JSON.parse(JSON.stringify(facts)))).toEqual(facts);
    const [told] = facts.ports;
    for (const strange of [
      undefined,
      7,
      { transports: 'rc' },
      { transports: 'rc', ports: [{ ...told, addresses: ['name'] }] },
      { transports: 'rc', ports: [{ ...told, mtu: 'x' }] },
      { transports: 'rc', ports: [null] },
      { transports: 'rc', ports: Array(9).fill(told) },
    ]) {
      expect(fabricOf(strange)).toBeUndefined();
    }
  });
});

describe('RDMA between two sides', () => {
  const side = (transports: string, ...ports: readonly Partial<FabricPort>[]): FabricFacts => ({
    transports,
    ports: ports.map((each) => ({ name: 'a:1', link: 'Ethernet', addresses: [], mtu: 0, ...each })),
  });
  const here = side('rc', { addresses: ['10.0.0.1'] });
  const there = side('rc', { name: 'b:1', addresses: ['10.0.0.2'] });
  const routes = (from: string) => () => Promise.resolve(from);
  const none = side('tcp');

  test.each<[string, FabricFacts, FabricFacts, RegExp | undefined]>([
    ['without a port on either', none, none, undefined],
    ['beside TCP', side('all'), there, /no RDMA port of this host is up/],
    ['beside TCP on both', side('all'), side('all', { addresses: ['10.0.0.2'] }), undefined],
    ['alone, without a port here', side('rc'), there, /"rc" is RDMA alone, .*this host is up/],
    ['alone, without a port there', here, side('all'), /no RDMA port of the target is up/],
    ['of two kinds', side('rc', { link: 'InfiniBand' }), there, /a:1 \(InfiniBand\) here, b:1/],
    [
      'of InfiniBand',
      side('rc', { link: 'InfiniBand' }),
      side('rc', { link: 'InfiniBand' }),
      /one subnet manager/,
    ],
    ['without an address here', side('rc', {}), there, /here has no GID of RoCE v2/],
    ['without an address there', here, side('rc', {}), /at the target has no GID/],
    ['where nothing is known', here, there, /UDP port 4791$/],
    [
      'with another MTU',
      side('rc', { addresses: ['10.0.0.1'], mtu: 9000 }),
      side('rc', { addresses: ['10.0.0.2'], mtu: 1500 }),
      /4791, and at the MTU: 9000 here, 1500 at the target/,
    ],
    [
      'with an MTU that not every switch may carry',
      side('rc', { addresses: ['10.0.0.1'], mtu: 9000 }),
      side('rc', { addresses: ['10.0.0.2'], mtu: 9000 }),
      /4791, or, where .* does not carry the MTU of both sides, 9000$/,
    ],
  ])('%s', async (_, own, target, expected) => {
    const text = await rdmaObstacle(own, target, '10.0.0.2', routes('10.0.0.1'));
    if (expected === undefined) expect(text).toBeUndefined();
    else expect(text).toMatch(expected);
  });

  test('is told of an address that is none of its ports', async () => {
    const text = await rdmaObstacle(here, there, '192.168.0.2', routes('10.0.0.1'));
    expect(text).toMatch(/192.168.0.2 is no address of the target's RDMA ports, b:1/);
  });

  test('is told of a missing route', async () => {
    expect(await rdmaObstacle(here, there, '10.0.0.2', routes('192.168.0.1'))).toMatch(
      /no route leads from a:1 .* would send from 192.168.0.1/,
    );
    const unreachable = (): Promise<string> => Promise.reject(new Error('no route'));
    expect(await rdmaObstacle(here, there, '10.0.0.2', unreachable)).toContain('from no address');
  });
});
