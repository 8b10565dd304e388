/** The plan of the serve bench: which servers are asked for what, group by group. Pure. */

/** The order of the tables. */
const readers = [
  'strict',
  'immutable',
  'strict-two',
  'immutable-two',
  'strict-loop',
  'immutable-loop',
  'lane-off',
  'miss-shm',
  'miss-tcp',
  'volume-server',
  'nginx-cache',
  'varnish',
  'node-http',
  'fastify',
  'passthrough',
  'nginx-proxy',
] as const;

/** `signed`: the proxy with a read key. */
export type SubjectName = (typeof readers)[number] | 'signed';

/** `signed`: reads with a token each, signed anew each second. `mixed`: every tenth request is a write, on the same connections. */
export type Work = 'read' | 'signed' | 'write' | 'mixed';

/** Nothing is written. */
export function isReading(work: Work): boolean {
  return work === 'read' || work === 'signed';
}

/** Measured in turn, round after round: what is in one group may be compared. */
export interface Group {
  readonly work: Work;
  readonly bytes: number;
  readonly connections: number;
  readonly subjects: readonly SubjectName[];
}

export interface PlanOptions {
  /** Only what the figures need. */
  readonly isQuick: boolean;
  /** undefined: the usual ones. */
  readonly sizes: readonly number[] | undefined;
  readonly connections: readonly number[] | undefined;
}

const kibibyte = 1024;
const mebibyte = 1024 * kibibyte;
export const smallBytes: number = 4 * kibibyte;
export const middleBytes: number = 64 * kibibyte;
export const largeBytes: number = mebibyte;
/** Connections of cells that are measured at one number only. */
export const usualConnections = 16;
export const manyConnections = 64;

const usualSizes = [
  kibibyte,
  smallBytes,
  middleBytes,
  256 * kibibyte,
  largeBytes,
  4 * mebibyte,
  16 * mebibyte,
] as const;
const allConnections = [1, usualConnections, manyConnections, 256] as const;
/** Written needles stay on the disk, so they are small. */
const writers: readonly SubjectName[] = ['strict', 'passthrough', 'nginx-proxy', 'volume-server'];

export function planOf({ isQuick, sizes, connections }: PlanOptions): readonly Group[] {
  if (sizes !== undefined || connections !== undefined) {
    return [
      ...(connections ?? [usualConnections]).flatMap((each) =>
        (sizes ?? [smallBytes]).map((bytes) => reads(bytes, each, readers)),
      ),
      ...(connections ?? [usualConnections]).map(signedAt),
      ...(connections ?? [usualConnections]).flatMap((each) => writesAt(each, writers)),
    ];
  }
  if (isQuick) return figureGroups;
  return [
    ...allConnections.map((each) => reads(smallBytes, each, readers)),
    ...usualSizes
      .filter((bytes) => bytes !== smallBytes)
      .map((bytes) => reads(bytes, usualConnections, readers)),
    signedAt(usualConnections),
    ...writesAt(usualConnections, writers),
  ];
}

const figureGroups: readonly Group[] = [
  reads(smallBytes, 1, ['strict', 'strict-loop']),
  reads(smallBytes, usualConnections, [
    ...(['strict', 'immutable', 'miss-shm', 'volume-server', 'nginx-cache', 'varnish'] as const),
    ...(['node-http', 'fastify', 'passthrough', 'nginx-proxy'] as const),
  ]),
  reads(smallBytes, manyConnections, [
    ...(['strict', 'immutable', 'immutable-two', 'volume-server', 'nginx-cache'] as const),
    'varnish',
  ]),
  reads(middleBytes, usualConnections, ['strict', 'immutable', 'nginx-cache']),
  reads(largeBytes, usualConnections, [
    ...(['strict', 'immutable', 'nginx-cache', 'passthrough', 'nginx-proxy'] as const),
  ]),
  reads(4 * mebibyte, usualConnections, ['strict', 'immutable', 'nginx-cache']),
  ...writesAt(usualConnections, ['strict', 'passthrough', 'nginx-proxy']),
];

function reads(bytes: number, connections: number, subjects: readonly SubjectName[]): Group {
  return { work: 'read', bytes, connections, subjects };
}

function signedAt(connections: number): Group {
  return { work: 'signed', bytes: smallBytes, connections, subjects: ['strict', 'signed'] };
}

function writesAt(connections: number, subjects: readonly SubjectName[]): readonly Group[] {
  return (['write', 'mixed'] as const).map((work) => ({
    work,
    bytes: smallBytes,
    connections,
    subjects,
  }));
}
