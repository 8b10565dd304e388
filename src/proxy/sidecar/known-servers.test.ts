import { describe, expect, test } from 'vitest';
import { KnownServers } from './known-servers.ts';

const servers = new KnownServers(['http://Volume-1:8080', 'http://10.0.0.1', 'http://[::1]:8080']);

describe('a volume server', () => {
  test.each([
    'http://volume-1:8080',
    'http://VOLUME-1:8080/',
    'volume-1:8080',
    'HTTP://volume-1:8080',
    'http://10.0.0.1:80',
    '10.0.0.1',
    'http://[::1]:8080',
    'http://[0:0:0:0:0:0:0:1]:8080',
  ])('is known as %s', (name) => {
    expect(servers.refusalOf(name)).toBeUndefined();
  });

  test.each([
    ['another port', 'http://volume-1:8081', 403],
    ['another host', 'http://169.254.169.254', 403],
    ['a name of it that is nowhere written', 'http://volume-1.rack-2:8080', 403],
    ['a name that ends like it', 'http://evil-volume-1:8080', 403],
    ['a path', 'http://volume-1:8080/admin', 400],
    ['a path that is one to some', 'http://volume-1:8080\\@evil', 400],
    ['a user', 'http://volume-1:8080@evil:80', 400],
    ['a query', 'http://volume-1:8080?x', 400],
    ['another scheme', 'https://volume-1:8080', 400],
    ['a file', 'file:///etc/passwd', 400],
    ['a line break', 'http://volume-1:8080\r\nHost: evil', 400],
    ['nothing that is a URL', 'http://', 400],
  ])('is refused with %s', (_name, text, status) => {
    expect(servers.refusalOf(text)).toMatchObject({
      status,
      message: expect.stringMatching(/^parameter "volume_server": /),
    });
  });
});
