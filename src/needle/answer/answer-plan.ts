/** The decisions of planAnswer, made before the bytes are there, and the facts that it needs. */
import type { ServerKind } from '../../volume-server/rust-server.ts';
import type { Reason } from '../reasons.ts';
import type { ByteRange } from './ranges.ts';

/** Facts that only the volume server knows, learned from its own answers. */
export interface HostFacts {
  /** The `Server` value; undefined: not learned yet (`learn-server`). */
  readonly server: string | undefined;
  /** Which of SeaweedFS's volume servers it is. */
  readonly kind: ServerKind;
  /** Content-Type by extension (with its dot, as spelled): '' = the host knows none; undefined = not learned yet (`learn-type`). */
  typeOf(ext: string): string | undefined;
}

export type AnswerPlan =
  | {
      readonly kind: 'passthrough';
      readonly reason: Reason;
      /** With `learn-type`: the extension whose type the volume server's answer will tell (GET without overrides only). */
      readonly learnExt?: string;
    }
  /**
   * The client takes gzip, and the needle's flag says gzip: whether its stored data starts 1F 8B decides. Get its first
   * two bytes and call planAnswer again with `startsGzip`.
   */
  | { readonly kind: 'peek' }
  /** The data must be decoded first: call planAnswer again with `decodedBytes`. */
  | { readonly kind: 'decode' }
  | AnswerReady;

export interface AnswerReady {
  readonly kind: 'answer';
  readonly status: 200 | 206 | 304;
  /** Which bytes are sent: the stored ones or the decoded ones. */
  readonly form: 'stored' | 'decoded';
  /** Whole length of that form, in bytes. */
  readonly totalBytes: number;
  /** The stored gzip is sent as such: `Content-Encoding: gzip`. */
  readonly encoded: boolean;
  /** The host's type, before any override; '' if there is none. Kept: facts may expire while the bytes come. */
  readonly contentType: string;
  /** Empty for HEAD and 304: no bytes are needed. In the order in which they are sent; may hold empty ranges. */
  readonly ranges: readonly ByteRange[];
  readonly multipart: boolean;
}

/** The parts that differ from one answer to the next. */
export interface Varying {
  /** X-Amz-Request-Id. */
  readonly requestId: string;
  /** RFC 1123 GMT. */
  readonly date: string;
  /** 60 lower-case hex digits, for multipart answers. */
  readonly boundary: string;
}
