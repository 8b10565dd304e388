import { describe, expect, test } from 'vitest';
import { foreignServer, foreignText } from './foreign-server.ts';

const json = 'application/json';

/** Heads and bodies as `weed` 4.44 gives them to GET /0,000000000000 and to GET /status. */
describe('a server that is none of volumes is known by its answer', () => {
  test.each([
    ['a filer', 'SeaweedFS 30GB 4.44', '', ''],
    ['a filer', 'SeaweedFS Filer 30GB 3.59', '', ''],
    [
      'an S3 gateway',
      'SeaweedFS 30GB 4.44',
      'application/xml',
      '<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>NoSuchBucket</Code>',
    ],
    ['a master', undefined, json, '{"error":"volume id 0 not found: volume id 0 not found"}'],
    [
      'a master',
      undefined,
      json,
      '{"error":"volume id status not found: Unknown volume id status"}',
    ],
    [
      'an admin listener of seaweed-rdma',
      undefined,
      'application/json; charset=utf-8',
      '{\n  "error": "no such page; there are /livez /readyz /health"\n}',
    ],
    [undefined, 'SeaweedFS Volume 30GB 4.44', '', ''],
    [undefined, 'SeaweedFS Volume 30GB 4.44', json, '{"error":"volume id 0 not found"}'],
    [undefined, 'SeaweedFS Volume 0.1.0 (Rust)', '', ''],
    [undefined, 'nginx/1.27', 'text/html', '<html>'],
    [undefined, undefined, 'text/html', '<html>'],
    [undefined, undefined, '', ''],
  ])('%s: Server: %s, %s', (foreign, server, contentType, body) => {
    const headers = { server, 'content-type': contentType === '' ? undefined : contentType };
    expect(foreignServer(headers, body)).toBe(foreign);
  });
});

test('the text names the key', () => {
  expect(foreignText('a filer', 'target.volume_server_url')).toBe(
    "this is a filer, not a volume server: set target.volume_server_url to the volume server's HTTP address (weed volume -ip and -port, 8080 by default)",
  );
});
