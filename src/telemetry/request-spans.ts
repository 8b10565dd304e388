/**
 * One server span per finished request that is sampled, with what it spent its time on as children. Made when the
 * request is over: while it runs nothing is held for it. HTTP semantic conventions 1.23 and later; the needle by its
 * volume and id, never by its cookie.
 */
import type * as Api from '@opentelemetry/api';
import { needleIdText, needlePathOf } from '../needle/request/needle-path.ts';
import type { RequestRecord } from '../needle/request-record.ts';
import { answerFacts, clientRequestId, maskedPath, sessionText } from './request-facts.ts';

type RawHeaders = readonly string[];

/** Header names are compared without case; a name that is sent twice is what its first line says. */
const headerGetter: Api.TextMapGetter<RawHeaders> = {
  keys: (rawHeaders) => rawHeaders.filter((_, at) => at % 2 === 0),
  get(rawHeaders, key) {
    const name = key.toLowerCase();
    const at = rawHeaders.findIndex(
      (each, index) => index % 2 === 0 && each.toLowerCase() === name,
    );
    return at < 0 ? undefined : rawHeaders[at + 1];
  },
};

/** The wall clock may be set; within one request time must not jump. */
const clockSlackMs = 5;
/** Less than a connection takes. */
const shortMs = 0.1;

export class RequestSpans {
  readonly #api: typeof Api;
  readonly #tracer: Api.Tracer;
  /** Unix time of the monotonic clock's zero. */
  #zeroMs = Date.now() - performance.now();

  constructor(api: typeof Api, tracer: Api.Tracer) {
    this.#api = api;
    this.#tracer = tracer;
  }

  observe(record: RequestRecord): void {
    const { ROOT_CONTEXT, propagation, SpanKind, SpanStatusCode, trace } = this.#api;
    const { request, durationMs, outcome, reason } = record;
    const endMs = this.#nowMs();
    const startMs = endMs - durationMs;
    const needle = needlePathOf(request.target);
    const route = needle === undefined ? undefined : '/{vid},{fid}';
    const method = request.method === '' ? 'HTTP' : request.method;
    const parent = propagation.extract(ROOT_CONTEXT, request.rawHeaders, headerGetter);
    const span = this.#tracer.startSpan(
      route === undefined ? method : `${method} ${route}`,
      {
        kind: SpanKind.SERVER,
        startTime: startMs,
        attributes: {
          'http.request.method': request.method === '' ? '_OTHER' : request.method,
          'url.scheme': 'http',
        },
      },
      parent,
    );
    if (span.isRecording()) {
      const { status, requestId } = answerFacts(record);
      const sessionId = sessionText(record);
      const [path = '', query] = maskedPath(record).split('?', 2);
      span.setAttributes({
        'url.path': path,
        ...(query !== undefined && { 'url.query': query }),
        ...(route !== undefined && { 'http.route': route }),
        ...(status !== undefined && { 'http.response.status_code': status }),
        'http.response.body.size': record.bodyBytes,
        ...(requestId !== undefined && {
          'http.response.header.x-amz-request-id': [requestId],
        }),
        ...clientIdOf(record),
        'seaweed_rdma.outcome': outcome,
        ...(reason !== '' && { 'seaweed_rdma.reason': reason }),
        'seaweed_rdma.transport': record.transport,
        ...(sessionId !== undefined && { 'seaweed_rdma.session_id': sessionId }),
        ...(needle !== undefined && {
          'seaweedfs.volume_id': needle.volumeId,
          'seaweedfs.needle_id': needleIdText(needle.needleId),
        }),
      });
      const isFault = outcome === 'error' || (status !== undefined && status >= 500);
      if (isFault) {
        span.setAttribute('error.type', outcome === 'error' ? reason : String(status));
        span.setStatus({ code: SpanStatusCode.ERROR });
      }
      this.#children(record, trace.setSpan(parent, span), startMs, endMs);
    }
    span.end(endMs);
  }

  /** Adds the spans before and after the corridor's decision. */
  #children(record: RequestRecord, parent: Api.Context, startMs: number, endMs: number): void {
    if (record.decidedMs === 0) return;
    const decidedMs = startMs + record.decidedMs;
    const before = waitOf(record);
    const { SpanKind } = this.#api;
    if (before !== undefined) this.#child(before, SpanKind.CLIENT, parent, [startMs, decidedMs]);
    // An error that is made at once has asked no server.
    if (record.outcome === 'error' && endMs - decidedMs < shortMs) return;
    const [after, kind] =
      record.outcome === 'cache' || record.outcome === 'rdma'
        ? (['send', SpanKind.INTERNAL] as const)
        : (['passthrough', SpanKind.CLIENT] as const);
    this.#child(after, kind, parent, [decidedMs, endMs]);
  }

  #child(
    name: string,
    kind: Api.SpanKind,
    parent: Api.Context,
    [startTime, endMs]: readonly [number, number],
  ): void {
    this.#tracer.startSpan(name, { kind, startTime }, parent).end(endMs);
  }

  #nowMs(): number {
    const zeroMs = Date.now() - performance.now();
    if (Math.abs(zeroMs - this.#zeroMs) > clockSlackMs) this.#zeroMs = zeroMs;
    return this.#zeroMs + performance.now();
  }
}

function clientIdOf(record: RequestRecord): Api.Attributes {
  const id = clientRequestId(record);
  return id === undefined ? {} : { 'http.request.header.x-amz-request-id': [id] };
}

/** Reasons that a target's answer, or its silence, has given. */
const targetReasons: ReadonlySet<RequestRecord['reason']> = new Set([
  'manifest',
  'image',
  'not-found',
  'deleted',
  'cookie',
  'ttl',
  'corrupt',
  'too-large',
  'unsupported-volume',
  'no-slab',
  'deadline',
]);

/** Names the corridor's work: lookup, with the validation that it waited for; undefined: too little for a span. */
function waitOf({ outcome, reason }: RequestRecord): 'lookup' | 'fetch' | undefined {
  if (outcome === 'cache') return 'lookup';
  return outcome === 'rdma' || targetReasons.has(reason) ? 'fetch' : undefined;
}
