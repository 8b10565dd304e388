/**
 * One line per finished request, for those that are wanted. With `off` and `trouble` a request that was answered here
 * costs one comparison.
 */
import type { RequestRecord } from '../needle/request-record.ts';
import type { LimitedLog, LineSink } from './limited-log.ts';
import {
  answerFacts,
  clientRequestId,
  isTrouble,
  maskedPath,
  sessionText,
} from './request-facts.ts';

export interface RequestLogOptions {
  /** trouble: errors, and what passed because the fast path failed. sampled: these, and one in `sample` of the rest. */
  readonly requests: 'off' | 'trouble' | 'sampled' | 'all';
  readonly sample: number;
}

const event = 'request';

export class RequestLog {
  readonly #sink: LineSink;
  readonly #trouble: LimitedLog;
  #options: RequestLogOptions;
  /** Requests that were answered here or passed for their meaning may get a line. */
  #looksAtAll: boolean;
  #sampleLeft = 1;

  constructor(sink: LineSink, trouble: LimitedLog, options: RequestLogOptions) {
    this.#sink = sink;
    this.#trouble = trouble;
    this.#options = options;
    this.#looksAtAll = looksAtAll(options);
  }

  set options(options: RequestLogOptions) {
    this.#options = options;
    this.#looksAtAll = looksAtAll(options);
    this.#sampleLeft = 1;
  }

  /** Every request gets a line. */
  get isOfAll(): boolean {
    return this.#options.requests === 'all';
  }

  /** One of `weight` requests that were answered here, and of which the others were not looked at. */
  observeSome(record: RequestRecord, weight: number): void {
    if (this.#options.requests !== 'sampled') return;
    this.#sampleLeft -= weight - 1;
    if (this.#isNext()) this.#write(record);
  }

  observe(record: RequestRecord): void {
    if (record.reason === '' && !this.#looksAtAll) return;
    this.#observe(record);
  }

  #observe(record: RequestRecord): void {
    const { requests } = this.#options;
    if (requests === 'all') this.#write(record);
    else if (requests === 'off') return;
    else if (isTrouble(record)) this.#writeTrouble(record);
    else if (requests === 'sampled' && this.#isNext()) this.#write(record);
  }

  #isNext(): boolean {
    this.#sampleLeft -= 1;
    if (this.#sampleLeft > 0) return false;
    this.#sampleLeft = this.#options.sample;
    return true;
  }

  #writeTrouble(record: RequestRecord): void {
    if (this.#trouble.mayWrite(event)) this.#write(record);
  }

  #write(record: RequestRecord): void {
    const fields = requestFields(record);
    const message = `${fields.method} ${fields.path} ${fields.status ?? 'without an answer'}`;
    if (record.outcome === 'error') this.#sink.error(fields, message);
    else if (isTrouble(record)) this.#sink.warn(fields, message);
    else this.#sink.info(fields, message);
  }
}

function looksAtAll({ requests }: RequestLogOptions): boolean {
  return requests === 'sampled' || requests === 'all';
}

/** docs/logging.md explains them. */
export interface RequestFields {
  readonly event: 'request';
  readonly session_id: string | undefined;
  readonly request_id: string | undefined;
  readonly client_request_id: string | undefined;
  readonly method: string;
  readonly path: string;
  readonly status: number | undefined;
  readonly outcome: RequestRecord['outcome'];
  readonly reason: RequestRecord['reason'];
  readonly error: string | undefined;
  readonly transport: string;
  readonly bytes_read: number;
  /** Seconds. */
  readonly duration: number;
  /** Bytes per second. */
  readonly transfer_rate: number;
}

export function requestFields(record: RequestRecord): RequestFields {
  const { outcome, reason, error, transport, bodyBytes, durationMs, request } = record;
  const { status, requestId } = answerFacts(record);
  return {
    event,
    session_id: sessionText(record),
    request_id: requestId,
    client_request_id: clientRequestId(record),
    method: request.method === '' ? 'raw' : request.method,
    path: maskedPath(record),
    status,
    outcome,
    reason,
    error,
    transport,
    bytes_read: bodyBytes,
    duration: Math.round(durationMs * 1000) / 1e6,
    transfer_rate: durationMs > 0 ? Math.round((bodyBytes / durationMs) * 1000) : 0,
  };
}
