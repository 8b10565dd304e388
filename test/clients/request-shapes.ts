/**
 * The shapes of the reads that SeaweedFS's clients send to a volume server: line and headers, in order, as they came,
 * with places for what differs from one request to the next. `fixtures/request-shapes.json` holds those that
 * `record-shapes.ts` has recorded.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface RequestShape {
  /** Who sent it, sorted. */
  readonly clients: readonly string[];
  /** Request line and header lines, without line ends, latin1. Places: see `Places`. */
  readonly lines: readonly string[];
}

export interface RecordedShapes {
  /** What `weed version` says. */
  readonly server: string;
  readonly shapes: readonly RequestShape[];
}

/** What stands for `{fid}`, `{host}` and so on. */
export interface Places {
  readonly fid: string;
  /** A file id whose needle is `delta` before the one that is asked for. */
  readonly base: string;
  readonly delta: number;
  readonly host: string;
  /** host:port of a client behind a filer. */
  readonly client: string;
  readonly requestId: string;
  readonly token: string;
  readonly from: number;
  /** Inclusive. */
  readonly to: number;
}

export const shapesFile: string = join(import.meta.dirname, 'fixtures', 'request-shapes.json');

export function readShapes(): RecordedShapes {
  return JSON.parse(readFileSync(shapesFile, 'utf8')) as RecordedShapes;
}

/** A recorded head with its places open; undefined: it is no GET or HEAD. */
export function shapeOf(head: string): readonly string[] | undefined {
  const [line = '', ...headers] = head.split('\r\n');
  if (!/^(GET|HEAD) /.test(line)) return undefined;
  const asked = line
    .replace(/^([A-Z]+ \/)\d+,[0-9a-f]+_\d+/, '$1{base}_{delta}')
    .replace(/^([A-Z]+ \/)\d+,[0-9a-f]+/, '$1{fid}');
  return [asked, ...headers.map(openPlaces)];
}

function openPlaces(line: string): string {
  return line
    .replace(/^(Host: ).+$/, '$1{host}')
    .replace(/^(X-Amz-Request-Id: ).+$/, '$1{requestId}')
    .replace(/^(Authorization: (?:Bearer|BEARER) ).+$/, '$1{token}')
    .replace(/^(X-Forwarded-For: ).+$/, '$1{client}')
    .replace(/^(Range: bytes=)\d+-\d+$/, '$1{from}-{to}')
    .replace(/^(Range: bytes=)\d+-$/, '$1{from}-');
}

/** The bytes of a request of this shape. */
export function requestOf({ lines }: RequestShape, places: Places): Buffer {
  const head = lines.map((line) =>
    line.replace(/\{(\w+)\}/g, (_, name: keyof Places) => String(places[name])),
  );
  return Buffer.from(`${head.join('\r\n')}\r\n\r\n`, 'latin1');
}

export function hasPlace({ lines }: RequestShape, name: keyof Places): boolean {
  return lines.some((line) => line.includes(`{${name}}`));
}
