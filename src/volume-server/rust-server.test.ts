import { describe, expect, it } from 'vitest';
import { isRustServer } from './rust-server.ts';

const value = 'SeaweedFS Volume 30GB 4.44';

function headers(...names: readonly string[]): string[] {
  return names.flatMap((name) => [name, name.toLowerCase() === 'server' ? value : 'x']);
}

describe('the volume server in Rust', () => {
  it('is known by the names and the order in which it writes its headers', () => {
    const names = ['content-length', 'server', 'x-request-id', 'x-amz-request-id', 'date'];
    expect(isRustServer(headers(...names))).toBe(true);
  });

  it.each([
    [['Server', 'X-Amz-Request-Id', 'Date', 'Content-Length']],
    [['server', 'x-amz-request-id', 'date']],
    [['x-request-id', 'x-amz-request-id', 'date']],
    [[]],
  ])('is not who writes %j', (names) => {
    expect(isRustServer(headers(...names))).toBe(false);
  });
});
