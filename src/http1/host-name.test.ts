import { describe, expect, test } from 'vitest';
import { hostNameOf } from './host-name.ts';

const aliases = ['0.0.0.0', '0.0.0.7', '[::]', '[::ffff:127.0.0.1]', '[::FFFF:7f00:1]', '[0:0::0]'];
const moreAliases = ['[::127.0.0.1]', '[::ffff:10.0.0.5]', '[0:0:0:0:0:ffff:7f00:1]'];

describe('the name in Host', () => {
  test.each([...aliases, ...moreAliases])(
    'is never %s, wherever the connection arrived',
    (host) => {
      for (const port of ['', ':8082']) {
        for (const at of [
          '127.0.0.1',
          '::1',
          '::ffff:127.0.0.1',
          '10.0.0.5',
          'fd00::5',
          undefined,
        ]) {
          expect(hostNameOf(host + port, at)).toBe('address');
        }
      }
    },
  );

  test.each([
    'localhost',
    'LOCALHOST:80',
    'a.localhost',
    '127.0.0.1',
    '127.9.9.9:80',
    '[::1]',
    '[0::1]:80',
  ])('may be %s', (host) => {
    for (const at of ['127.0.0.1', '::1', '::ffff:127.0.0.1', '10.0.0.5']) {
      expect(hostNameOf(host, at)).toBe('own');
    }
  });

  test.each(['127.0.0.1', '127.0.1.1', '::1', '::ffff:127.0.0.1', undefined])(
    'is no other address where the connection arrived at %s',
    (at) => {
      for (const host of ['10.0.0.5', '10.0.0.5:80', '[fd00::5]:80']) {
        expect(hostNameOf(host, at)).toBe('address');
      }
    },
  );

  test.each(['10.0.0.5', '::ffff:10.0.0.5', 'fd00::5'])(
    'may be the address of a NAT or a Kubernetes Service where the connection arrived at %s',
    (at) => {
      for (const host of ['10.96.0.1:8081', '192.0.2.1', '[fd00:0::9]:80', '10.0.0.5']) {
        expect(hostNameOf(host, at)).toBe('own');
      }
    },
  );

  test.each([undefined, '', 'page.example', '127.1', '0x7f.0.0.1', '0177.0.0.1', '[::1%lo]x'])(
    'is a name that may be a page’s: %s',
    (host) => {
      expect(hostNameOf(host, '127.0.0.1')).toBe('name');
      expect(hostNameOf(host, '10.0.0.5')).toBe('name');
    },
  );
});
