import fc from 'fast-check';
import { stringify } from 'smol-toml';
import { expect, test } from 'vitest';
import { keyLines, lineOf } from './key-lines.ts';

const toml = `# a comment with key = "x"
[http]
listen = "a # no comment" # a comment
"port" = 1

[seaweedfs] # [not.a.table]
text = """
lane = true
"""
literal = '''
]]'''

[[seaweedfs.volume_server]]
url = "x"
  [[seaweedfs.volume_server]]
  url = [ "a",
    "b # ]",
  ]
  target = { inner = 1, deep = { more = 2 } }
[cache.collection.my-name]
lease = "1s"
[cache]
size.of.it = 1
escaped = "\\"]"
last = 1`;

test.each([
  ['http', 2],
  ['http.listen', 3],
  ['http.port', 4],
  ['seaweedfs', 6],
  ['seaweedfs.text', 7],
  ['seaweedfs.literal', 10],
  ['seaweedfs.volume_server.0', 13],
  ['seaweedfs.volume_server.0.url', 14],
  ['seaweedfs.volume_server.1.url', 16],
  ['seaweedfs.volume_server.1.target', 19],
  ['cache.collection.my-name.lease', 21],
  ['cache.size.of.it', 23],
  ['cache.size', 23],
  ['cache.escaped', 24],
  ['cache.last', 25],
])('%s stands in line %d', (path, line) => {
  expect(keyLines(toml).get(path)).toBe(line);
});

test('what stands inside strings and comments is no key', () => {
  const lines = keyLines(toml);
  expect([lines.get('key'), lines.get('seaweedfs.lane'), lines.get('not.a.table')]).toEqual([
    undefined,
    undefined,
    undefined,
  ]);
});

test('a key inside an inline table has the line of the key that holds it', () => {
  const path = ['seaweedfs', 'volume_server', '1', 'target', 'inner'];
  expect(lineOf(keyLines(toml), path)).toBe(19);
  expect(lineOf(keyLines(toml), ['nowhere'])).toBeUndefined();
});

test('Windows line ends count once', () => {
  expect(keyLines('[a]\r\nb = 1\r\n\r\nc = 2\r\n').get('a.c')).toBe(4);
});

test('every key of any document has the line on which it stands', () => {
  const key = fc.stringMatching(/^[a-z][a-z_-]{0,8}$/);
  const value = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.integer(),
    fc.boolean(),
    fc.array(fc.string(), { maxLength: 3 }),
  );
  const table = fc.dictionary(key, value, { minKeys: 1, maxKeys: 4, noNullPrototype: true });
  const document = fc.dictionary(
    key,
    fc.oneof(table, fc.array(table, { minLength: 1, maxLength: 3 })),
    {
      maxKeys: 4,
      noNullPrototype: true,
    },
  );
  fc.assert(
    fc.property(document, (tables) => {
      const toml = stringify(tables);
      const lines = keyLines(toml);
      const text = toml.split(/\r?\n/);
      for (const [name, content] of Object.entries(tables)) {
        const rows = Array.isArray(content)
          ? content.map((row, index) => [[name, String(index)], row] as const)
          : [[[name], content] as const];
        for (const [path, row] of rows) {
          for (const inner of Object.keys(row)) {
            const line = lines.get([...path, inner].join('.'));
            expect(text[(line ?? 0) - 1]?.startsWith(`${inner} = `)).toBe(true);
          }
        }
      }
    }),
    { numRuns: 300 },
  );
});
