/** The recorded requests and answers of a real volume server: fixtures/transcript.jsonl and what goes with it. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';

export const fixturesFolder: string = join(import.meta.dirname, 'fixtures');

export type HeaderList = readonly (readonly [name: string, value: string])[];

export interface RecordedRequest {
  readonly method?: string;
  readonly path?: string;
  readonly version?: string;
  readonly host?: string;
  readonly headers?: HeaderList;
  readonly bodyB64?: string;
  readonly rawB64?: string;
  readonly rawParts?: readonly (readonly [text: string, repeat: number])[];
}

export interface RecordedAnswer {
  /** Absent with `eof`: the connection was closed without an answer. */
  readonly statusLine?: string;
  readonly eof?: boolean;
  readonly status: number;
  readonly headers: HeaderList;
  readonly framing: 'none' | 'length' | 'chunked' | 'eof';
  readonly complete: boolean;
  readonly bodyLength: number;
  /** The boundary of a multipart body is replaced by 60 times B. */
  readonly bodySha256: string;
  readonly bodyB64?: string;
  /** Header values and body hold {{PEER}} or {{SELF}}. */
  readonly tokens?: boolean;
  readonly open?: boolean;
}

export interface RecordedCase {
  readonly name: string;
  readonly group: string;
  readonly rule: string;
  readonly request: RecordedRequest;
  readonly expect?: number;
  readonly port?: 'public';
  /** Only status and header names compare. */
  readonly loose?: boolean;
  readonly checkConn?: boolean;
  /** Headers whose value changes from answer to answer. */
  readonly vary?: readonly string[];
  readonly response: RecordedAnswer & { readonly responses?: readonly RecordedAnswer[] };
}

export interface RecordedServer {
  readonly name: string;
  readonly data: string;
  readonly flags: readonly string[];
  /** The host's tables of types: none, or `globs2:FILE`, or `types:FILE`. */
  readonly mime: string;
  readonly security?: string;
}

export interface RecordedGroup {
  readonly servers: readonly RecordedServer[];
  readonly setup?: readonly string[];
}

export function readCases(): readonly RecordedCase[] {
  const text = readFileSync(join(fixturesFolder, 'transcript.jsonl'), 'utf8');
  const lines = text.split('\n').filter((line) => line !== '');
  return lines.map((line) => JSON.parse(line) as RecordedCase);
}

export function readGroups(): Readonly<Record<string, RecordedGroup>> {
  return readFixture('groups.json');
}

/** Rows of the real server's GET /status when it had loaded this folder of the fixtures, for example "data/main". */
export function readStatusRows(dataFolder: string): readonly { readonly Id: number }[] {
  const rows = readFixture<Record<string, readonly { readonly Id: number }[]>>('status.json');
  return rows[dataFolder.replace('data/', '')] ?? [];
}

export function readFixture<T>(name: string): T {
  return JSON.parse(readFileSync(join(fixturesFolder, name), 'utf8')) as T;
}

export function answersOf(recorded: RecordedCase): readonly RecordedAnswer[] {
  return recorded.response.responses ?? [recorded.response];
}

export function requestBytes(request: RecordedRequest): Buffer {
  if (request.rawB64 !== undefined) return Buffer.from(request.rawB64, 'base64');
  if (request.rawParts !== undefined) {
    const parts = request.rawParts.map(([text, repeat]) => text.repeat(repeat));
    return Buffer.from(parts.join(''), 'latin1');
  }
  const headers = request.headers ?? [];
  const lines = [`${request.method} ${request.path} ${request.version ?? 'HTTP/1.1'}`];
  if (!headers.some(([name]) => name.toLowerCase() === 'host')) {
    lines.push(`Host: ${request.host ?? 'conformance.test'}`);
  }
  for (const [name, value] of headers) lines.push(`${name}: ${value}`);
  const head = Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
  return Buffer.concat([head, Buffer.from(request.bodyB64 ?? '', 'base64')]);
}

/**
 * Where a body of 2048 bytes or more lies in the recorded volumes. `filler`: a page or picture of the real server's own,
 * which is not kept here; bytes of the same length stand for it.
 */
type BodySource =
  | {
      readonly file: string;
      readonly offset: number;
      readonly length: number;
      readonly gzip?: true;
    }
  | { readonly parts: readonly BodySource[] }
  | { readonly b64: string }
  | { readonly filler: number };

/** Bodies of recorded answers, their multipart boundary replaced by 60 times B. */
export class RecordedBodies {
  readonly #sources: Readonly<Record<string, BodySource>> = readFixture('bodies.json');
  readonly #bodies = new Map<string, Buffer>();

  of(answer: RecordedAnswer): Buffer {
    if (answer.bodyB64 !== undefined) return Buffer.from(answer.bodyB64, 'base64');
    if (answer.bodyLength === 0) return Buffer.alloc(0);
    let body = this.#bodies.get(answer.bodySha256);
    if (body === undefined) {
      const source = this.#sources[answer.bodySha256];
      if (source === undefined) throw new Error(`no body ${answer.bodySha256} in bodies.json`);
      body = readBody(source);
      if (!('filler' in source) && sha256(body) !== answer.bodySha256) {
        throw new Error(`bodies.json: ${answer.bodySha256} names other bytes`);
      }
      this.#bodies.set(answer.bodySha256, body);
    }
    return body;
  }

  /** The hash that the answer must have when it comes from the stub. */
  sha256Of(answer: RecordedAnswer): string {
    const source = this.#sources[answer.bodySha256];
    const isFiller = source !== undefined && 'filler' in source;
    return isFiller ? sha256(this.of(answer)) : answer.bodySha256;
  }
}

export function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function readBody(source: BodySource): Buffer {
  if ('parts' in source) return Buffer.concat(source.parts.map(readBody));
  if ('b64' in source) return Buffer.from(source.b64, 'base64');
  if ('filler' in source) return Buffer.alloc(source.filler, 'filler ');
  const end = source.offset + source.length;
  const stored = readRecorded(source.file).subarray(source.offset, end);
  return source.gzip ? gunzipSync(stored) : stored;
}

/** A file below fixtures; `name.ec*`: the data shards of an erasure coded volume as one file. */
function readRecorded(file: string): Buffer {
  if (!file.endsWith('*')) return readFileSync(join(fixturesFolder, file));
  const folder = join(fixturesFolder, file, '..');
  const isShard = /\.ec0\d$/;
  const shards = readdirSync(folder).filter((name) => isShard.test(name));
  return Buffer.concat(shards.sort().map((name) => readFileSync(join(folder, name))));
}
