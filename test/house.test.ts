/** The house rules as a test: imports and includes go down only, files stay small, docs name only what exists. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, expect, test } from 'vitest';

const root = join(import.meta.dirname, '..');
const linesMax = 400;

/**
 * The plan of the house: who may import whom, types included. `proxy` is the assembly, in src/proxy itself; the test of
 * circles holds that the table leads down only.
 */
const importTable: Readonly<Record<string, readonly string[]>> = {
  main: ['cli', 'config', 'rdma'],
  index: ['cli', 'client', 'needle', 'origin', 'proxy', 'rdma', 'target-role'],
  cli: [
    'admin',
    'config',
    'http1',
    'needle',
    'origin',
    'proxy',
    'proxy/sidecar',
    'rdma',
    'target-role',
    'telemetry',
    'volume-server',
  ],
  origin: ['http1', 'needle', 'proxy/corridor', 'proxy/fleet', 'rdma'],
  client: ['config', 'needle', 'rdma'],
  proxy: [
    'needle',
    'admin',
    'proxy/cache',
    'proxy/corridor',
    'proxy/fleet',
    'proxy/front',
    'proxy/lanes',
    'proxy/passthrough',
    'proxy/sidecar',
    'rdma',
    'volume-server',
  ],
  'target-role': ['admin', 'rdma', 'volume-server'],
  admin: [
    'connections',
    'http1',
    'needle',
    'proxy/cache',
    'proxy/fleet',
    'proxy/front',
    'proxy/lanes',
    'proxy/passthrough',
    'proxy/sidecar',
    'rdma',
    'schema',
    'telemetry',
    'volume-server',
  ],
  'proxy/corridor': ['http1', 'needle', 'proxy/cache', 'proxy/fleet', 'rdma'],
  'proxy/passthrough': ['connections', 'http1', 'needle', 'proxy/front', 'schema'],
  'proxy/front': ['connections', 'http1', 'needle', 'proxy/lanes', 'rdma', 'schema'],
  'proxy/sidecar': ['connections', 'http1', 'needle', 'proxy/passthrough', 'schema'],
  'proxy/cache': ['needle', 'proxy/lanes', 'rdma', 'schema'],
  'proxy/lanes': ['needle', 'rdma', 'schema'],
  'proxy/fleet': ['http1', 'needle', 'rdma', 'schema', 'volume-server'],
  telemetry: ['http1', 'needle'],
  needle: ['http1', 'rdma', 'volume-server'],
  'volume-server': ['http1', 'rdma', 'schema'],
  config: [],
  connections: [],
  http1: [],
  rdma: ['connections', 'schema'],
  schema: [],
};

/** Packages that only these rooms may know. */
const packageTable: Readonly<Record<string, readonly string[]>> = {
  'http-proxy-3': ['proxy/passthrough'],
  fastify: ['proxy/front', 'admin'],
  '@fastify/static': ['admin'],
  '@fastify/swagger': ['admin'],
  'prom-client': ['admin'],
  typebox: ['schema'],
  'smol-toml': ['config'],
  commander: ['main', 'cli'],
  'lru-cache': ['proxy/cache'],
  'pino-pretty': ['cli'],
  '@opentelemetry/api': ['telemetry'],
  '@opentelemetry/sdk-node': ['telemetry'],
};

/** Which native room may include which. */
const includeTable: Readonly<Record<string, readonly string[]>> = {
  protocol: [],
  memory: ['protocol'],
  storage: ['memory', 'protocol'],
  engine: ['memory', 'protocol', 'storage'],
  fabric: ['memory', 'protocol'],
  ucx: ['fabric', 'memory', 'protocol'],
  stream: ['fabric', 'memory', 'protocol'],
  server: ['fabric', 'memory', 'protocol', 'storage', 'engine', 'stream', 'ucx'],
  client: ['fabric', 'memory', 'protocol', 'storage', 'engine', 'stream', 'ucx'],
  bench: ['client', 'memory', 'protocol', 'storage', 'server'],
  shelf: ['memory', 'protocol'],
  lane: ['memory', 'protocol', 'shelf', 'storage'],
  addon: [
    'client',
    'memory',
    'protocol',
    'storage',
    'engine',
    'server',
    'stream',
    'ucx',
    'shelf',
    'lane',
  ],
};

const sources = filesBelow('src', /(?<!\.test)\.ts$/);
const nativeSources = ['native', 'bench'].flatMap((folder) => filesBelow(folder, /\.(cc|h)$/));
const testing = ['bench', 'test'].flatMap((folder) => filesBelow(folder, /\.ts$/));

describe('the house', () => {
  test('imports go down only', () => {
    const wrong = sources.flatMap((file) =>
      importsOf(file).flatMap((target) => {
        const from = roomOf(file);
        const to = roomOf(target);
        const allowed = importTable[from];
        if (allowed === undefined) return [`${file}: the room ${from} is not in the table`];
        return from === to || allowed.includes(to) ? [] : [`${file}: ${from} → ${to}`];
      }),
    );
    expect(sources.length).toBeGreaterThan(50);
    expect(wrong).toEqual([]);
  });

  test('no files and no rooms import each other in a circle, types included', () => {
    const files = new Map(sources.map((file) => [file, importsOf(file)]));
    expect(circlesOf(files)).toEqual([]);
    expect(circlesOf(new Map(Object.entries(importTable)))).toEqual([]);
    const circle = new Map([
      ['a', ['b']],
      ['b', ['c']],
      ['c', ['b']],
    ]);
    expect(circlesOf(circle)).toEqual([['b', 'c']]);
  });

  test('a package is known to its room only', () => {
    const wrong = sources.flatMap((file) =>
      packagesOf(file)
        .filter((name) => !(packageTable[name] ?? [roomOf(file)]).includes(roomOf(file)))
        .map((name) => `${file}: ${name} belongs to ${packageTable[name]}`),
    );
    expect(wrong).toEqual([]);
  });

  test('the environment is read by config, cli and main only', () => {
    const readers = new Set(['config', 'cli', 'main']);
    // UCX takes its settings from the environment, which must hold them before the addon is loaded.
    const ofUcx = new Set(['src/rdma/binding.ts', 'src/rdma/ucx-devices.ts']);
    const isReader = (file: string): boolean => readers.has(roomOf(file)) || ofUcx.has(file);
    const wrong = sources.filter((file) => !isReader(file) && read(file).includes('process.env'));
    expect(wrong).toEqual([]);
  });

  test('scripts that run before anything is installed import JavaScript without packages', () => {
    const early = filesBelow('scripts', /\.mjs$/);
    const wrong = early.flatMap((file) => [
      ...staticImportsOf(file)
        .filter((name) => !/^node:|^\..*\.mjs$/.test(name))
        .map((name) => `${file}: ${name}`),
      // Node 18 has none.
      ...(read(file).includes('import.meta.dirname') ? [`${file}: import.meta.dirname`] : []),
    ]);
    expect(early).toContain('scripts/setup.mjs');
    expect(wrong).toEqual([]);
  });

  test('native includes go down only', () => {
    const wrong = nativeSources.flatMap((file) => {
      const from = nativeRoomOf(file);
      if (file.endsWith('_test.cc') || file.endsWith('_test.h')) return [];
      return includesOf(file)
        .map((name) => name.split('/')[0] as string)
        .filter((to) => to in includeTable && to !== from)
        .filter((to) => !(includeTable[from] ?? []).includes(to))
        .map((to) => `${file}: ${from} → ${to}`);
    });
    expect(nativeSources.length).toBeGreaterThan(50);
    expect(wrong).toEqual([]);
  });

  test('napi.h is included in the addon only, UCX headers in the UCX rooms only', () => {
    // The addon's module.cc asks UCX for its version.
    const ucxRooms =
      /^(native\/(ucx|server)|bench\/native)\/|^native\/client\/(session_client|target_connection|raw_target)|^native\/addon\/module\.cc$/;
    const wrong = nativeSources.flatMap((file) =>
      includesOf(file)
        .filter((name) => {
          if (/^(napi|node_api|uv)\.h$/.test(name)) return !file.startsWith('native/addon/');
          return /^uc[pst]\//.test(name) && !ucxRooms.test(file);
        })
        .map((name) => `${file}: ${name}`),
    );
    expect(wrong).toEqual([]);
  });

  test('a file is read in one sitting', () => {
    const long = [...sources, ...nativeSources, ...testing]
      .map((file) => ({ file, lines: read(file).split('\n').length - 1 }))
      .filter(({ lines }) => lines > linesMax)
      .map(({ file, lines }) => `${file}: ${lines} lines`);
    expect(long).toEqual([]);
  });

  test('no barrel files, no rooms without a subject', () => {
    const vague = /(^|\/)(utils?|common|helpers?|misc|shared|lib)(\/|\.)/;
    const unnamed = [...sources, ...nativeSources].filter((file) => vague.test(file));
    const barrels = sources.filter((file) => {
      const code = read(file).replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, '');
      const rest = code.replace(/export (type )?(\*|\{[^}]*\}) from '[^']*';/g, '').trim();
      return file !== 'src/index.ts' && rest === '';
    });
    expect(unnamed).toEqual([]);
    expect(barrels).toEqual([]);
  });

  test('docs name only files that exist', () => {
    const pages = [
      ...rootFiles(/\.md$/),
      ...['docs', '.github'].flatMap((folder) => filesBelow(folder, /\.md$/)),
    ];
    const wrong = pages.flatMap((page) =>
      namedFiles(page)
        .filter((name) => !existsSync(join(root, name)))
        .map((name) => `${page}: ${name}`),
    );
    expect(pages.length).toBeGreaterThan(3);
    expect(wrong).toEqual([]);
  });

  test('nothing of the machine that it was written on', () => {
    const folders = [
      'src',
      'native',
      'bench',
      'scripts',
      'test',
      'docs',
      'config',
      'deploy',
      'bin',
    ];
    const files = [
      ...rootFiles(/\.(md|json|yml)$|^CMakeLists\.txt$|^\.(editorconfig|git\w+)$/),
      ...filesBelow('.github', /./),
      ...folders.flatMap((folder) => filesBelow(folder, /^(?!.*\/fixtures\/)/)),
    ];
    const foreign = /\/work\/(main|shared|weed)|registry\.npmjs|\.pyenv|deb\.debian\.org/;
    const wrong = files
      .filter((file) => file !== 'test/house.test.ts' && existsSync(join(root, file)))
      .filter((file) => foreign.test(read(file)));
    expect(wrong).toEqual([]);
  });
});

function rootFiles(pattern: RegExp): readonly string[] {
  return readdirSync(root, { withFileTypes: true })
    .filter((entry) => entry.isFile() && pattern.test(entry.name))
    .map((entry) => entry.name);
}

/** Paths from the root, in order. */
function filesBelow(folder: string, pattern: RegExp): readonly string[] {
  if (!existsSync(join(root, folder))) return [];
  return readdirSync(join(root, folder), { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1))
    .filter((path) => pattern.test(path))
    .sort();
}

function read(file: string): string {
  return readFileSync(join(root, file), 'utf8');
}

/** Each set of names that lead to each other (Tarjan's algorithm). */
function circlesOf(graph: ReadonlyMap<string, readonly string[]>): readonly (readonly string[])[] {
  const lowest = new Map<string, number>();
  const path: string[] = [];
  const circles: string[][] = [];
  const visit = (name: string): number => {
    const known = lowest.get(name);
    if (known !== undefined) return path.includes(name) ? known : Number.POSITIVE_INFINITY;
    const own = lowest.size;
    lowest.set(name, own);
    path.push(name);
    const reached = Math.min(own, ...(graph.get(name) ?? []).map(visit));
    lowest.set(name, reached);
    if (reached < own) return reached;
    const circle = path.splice(path.indexOf(name));
    if (circle.length > 1) circles.push(circle.sort());
    return reached;
  };
  for (const name of graph.keys()) visit(name);
  return circles;
}

function roomOf(file: string): string {
  const [, room = '', inner = '', ...rest] = file.split('/');
  if (inner === '') return room.replace(/\.ts$/, '');
  if (room !== 'proxy') return room;
  if (rest.length > 0) return `proxy/${inner}`;
  return 'proxy';
}

/** Programs that measure are a room of their own, above the others. */
function nativeRoomOf(file: string): string {
  return file.startsWith('bench/') ? 'bench' : (file.split('/')[1] as string);
}

const importPattern = /^(?:import|export)\b[^;]*?from '([^']+)'|\bimport\('([^']+)'\)/gm;

function importsOf(file: string): readonly string[] {
  return [...read(file).matchAll(importPattern)]
    .map((found) => (found[1] ?? found[2]) as string)
    .filter((name) => name.startsWith('.'))
    .map((name) => normalize(join(dirname(file), name)));
}

/** Without those that are loaded later, by import(). */
function staticImportsOf(file: string): readonly string[] {
  const pattern = /^(?:import |(?:import|export)\b[^;(]* from )'([^']+)'/gm;
  return [...read(file).matchAll(pattern)].map((found) => found[1] as string);
}

function packagesOf(file: string): readonly string[] {
  return [...read(file).matchAll(importPattern)]
    .map((found) => (found[1] ?? found[2]) as string)
    .filter((name) => !name.startsWith('.') && !name.startsWith('node:'));
}

function includesOf(file: string): readonly string[] {
  return [...read(file).matchAll(/^\s*#\s*include\s*[<"]([^">]+)[">]/gm)].map(
    (found) => found[1] as string,
  );
}

/** Links to pages and back-quoted paths below the folders of the checkout; patterns with * or … are none. */
function namedFiles(page: string): readonly string[] {
  const text = read(page);
  const links = [...text.matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)]
    .map((found) => found[1] as string)
    .filter((link) => !/^[a-z]+:/.test(link))
    .map((link) => normalize(join(dirname(page), link)));
  const quoted = [
    ...text.matchAll(/`((?:src|native|bench|scripts|test|docs|config|deploy|bin)\/[\w./-]+)`/g),
  ].map((found) => (found[1] as string).replace(/\/$/, ''));
  return [...new Set([...links, ...quoted])];
}
