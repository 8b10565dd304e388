import { describe, expect, test } from 'vitest';
import { ipv4Within, isLoopback, parseHostPort, parseHttpOrigin, parseListen } from './address.ts';

describe('host and port', () => {
  test.each([
    ['127.0.0.1:80', { host: '127.0.0.1', port: 80 }],
    ['[::1]:0', { host: '::1', port: 0 }],
    ['node-1.rack:65535', { host: 'node-1.rack', port: 65535 }],
  ])('%s is taken apart', (text, address) => {
    expect(parseHostPort(text)).toEqual(address);
  });

  test.each([
    '',
    ':80',
    '127.0.0.1',
    '127.0.0.1:',
    '127.0.0.1:65536',
    '127.0.0.1:-1',
    '::1:80',
    '[127.0.0.1]:80',
    '1.2.3:80',
    'a b:80',
    '-a:80',
    'http://a:80',
    '[fe80::1%eth0]:80',
  ])('refuses "%s"', (text) => {
    expect(parseHostPort(text)).toBeUndefined();
  });
});

describe('listen addresses', () => {
  test('a unix socket is a path', () => {
    expect(parseListen('unix:/run/a.sock')).toEqual({ path: '/run/a.sock' });
  });

  test('a socket path must be absolute and fit into a socket address', () => {
    expect(parseListen('unix:a.sock')).toBeUndefined();
    expect(parseListen(`unix:/${'a'.repeat(107)}`)).toBeUndefined();
  });
});

test('loopback is what no other machine reaches', () => {
  expect(['127.0.0.1', '127.9.9.9', '::1', 'localhost'].every(isLoopback)).toBe(true);
  expect(['0.0.0.0', '::', '10.0.0.1', '127.evil.example'].some(isLoopback)).toBe(false);
});

test('IPv4 is found in IPv6', () => {
  for (const host of ['::ffff:127.0.0.1', '::FFFF:7f00:1', '0:0:0:0:0:ffff:7f00:0001']) {
    expect(ipv4Within(host)).toBe('127.0.0.1');
  }
  const others = ['127.0.0.1', '::1', '::', '::ffff', 'fd00::ffff:7f00:1', 'a.example'];
  expect(others.map(ipv4Within)).toEqual(others.map(() => undefined));
});

test('a volume server is a plain http origin', () => {
  expect(parseHttpOrigin('http://127.0.0.1:8080/')).toBe('http://127.0.0.1:8080');
  const refused = [
    '127.0.0.1:8080',
    'https://a',
    'http://a/b',
    'http://u:p@a',
    'http://a?b',
    'x',
    'http:a',
    ' http://a',
  ];
  expect(refused.map(parseHttpOrigin)).toEqual(refused.map(() => undefined));
});
