/** Reads request heads out of what clients send on their connections, and skips the bodies. */

type Rest =
  | { readonly kind: 'head' }
  | { readonly kind: 'counted'; readonly bytes: number }
  /** Until the last chunk. */
  | { readonly kind: 'chunked' };

export class RequestEar {
  readonly #connections = new Map<number, { bytes: Buffer; rest: Rest }>();
  readonly #onHead: (head: string) => void;

  /** `onHead` gets line and headers, latin1, without the blank line. */
  constructor(onHead: (head: string) => void) {
    this.#onHead = onHead;
  }

  readonly hear = (connection: number, bytes: Buffer): void => {
    const state = this.#connections.get(connection) ?? {
      bytes: Buffer.alloc(0),
      rest: { kind: 'head' },
    };
    this.#connections.set(connection, state);
    state.bytes = Buffer.concat([state.bytes, bytes]);
    while (this.#take(state));
  };

  /** False: more bytes are needed. */
  #take(state: { bytes: Buffer; rest: Rest }): boolean {
    const { bytes, rest } = state;
    if (rest.kind === 'counted') {
      const skipped = Math.min(rest.bytes, bytes.length);
      state.bytes = bytes.subarray(skipped);
      const left = rest.bytes - skipped;
      state.rest = left === 0 ? { kind: 'head' } : { kind: 'counted', bytes: left };
      return left === 0;
    }
    const mark = rest.kind === 'chunked' ? '\r\n0\r\n\r\n' : '\r\n\r\n';
    const end = bytes.indexOf(mark);
    if (end === -1) return false;
    state.bytes = bytes.subarray(end + mark.length);
    state.rest = { kind: 'head' };
    if (rest.kind === 'chunked') return true;
    const head = bytes.subarray(0, end).toString('latin1');
    this.#onHead(head);
    const length = Number(/^Content-Length: (\d+)$/im.exec(head)?.[1] ?? 0);
    if (length > 0) state.rest = { kind: 'counted', bytes: length };
    else if (/^Transfer-Encoding: chunked$/im.test(head)) state.rest = { kind: 'chunked' };
    return true;
  }
}
