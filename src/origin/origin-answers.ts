/** The answers of a volume server that are no needle: errors, OPTIONS, /status, /healthz (specification 4, 11.4, 11.6). */
import type { RequestHead } from '../http1/request-head.ts';
import { firstHeader } from '../http1/request-head.ts';
import { formatHead } from '../needle/answer/answer-headers.ts';
import { httpDate, newRequestId } from '../needle/answer/prepared-answer.ts';
import type { Reason } from '../needle/reasons.ts';
import { originServer } from './origin-facts.ts';

export interface OriginAnswer {
  /** Status line to blank line, latin1. */
  readonly head: string;
  readonly body: string;
}

interface AnswerParts {
  readonly status: string;
  readonly headers?: readonly (readonly [name: string, value: string])[];
  readonly body?: string;
  /** Content-Length is the handler's own and stands among its headers, not behind Date. */
  readonly ownLength?: boolean;
}

const noSniff = ['X-Content-Type-Options', 'nosniff'] as const;

export function emptyAnswer(head: RequestHead, status: string): OriginAnswer {
  return originAnswer(head, { status });
}

export function jsonAnswer(head: RequestHead, status: string, body: string): OriginAnswer {
  const headers = [['Content-Type', 'application/json'] as const, noSniff];
  return originAnswer(head, { status, headers, body });
}

export function optionsAnswer(head: RequestHead): OriginAnswer {
  const headers = [
    ['Access-Control-Allow-Headers', '*'],
    ['Access-Control-Allow-Methods', 'PUT, POST, GET, DELETE, OPTIONS'],
  ] as const;
  return originAnswer(head, { status: '200 OK', headers });
}

/** A needle without data: nothing of it is read from disk, so that any cookie matches (specification 4, step 8). */
export function emptyNeedleAnswer(head: RequestHead): OriginAnswer {
  const headers = [
    ['Accept-Ranges', 'bytes'],
    ['Etag', '"00000000"'],
  ] as const;
  return originAnswer(head, { status: '200 OK', headers, ownLength: true });
}

/** Answers, as far as an origin can, a request that a proxy would forward to the volume server. */
export function answerFor(reason: Reason, head: RequestHead): OriginAnswer {
  switch (reason) {
    case 'method':
      if (head.method === 'OPTIONS') return optionsAnswer(head);
      return jsonAnswer(
        head,
        '400 Bad Request',
        JSON.stringify({ error: `unsupported method ${head.method}` }),
      );
    case 'path':
      return emptyAnswer(head, '400 Bad Request');
    case 'auth':
      return jsonAnswer(head, '401 Unauthorized', '{"error":"wrong jwt"}');
    case 'not-found':
    case 'deleted':
    case 'cookie':
    case 'ttl':
    case 'unknown-volume':
    case 'unsupported-volume':
      return emptyAnswer(head, '404 Not Found');
    case 'headers':
    case 'body':
    case 'query':
    case 'image':
    case 'manifest':
      return notBuilt(head, reason);
    default:
      return emptyAnswer(head, '500 Internal Server Error');
  }
}

/** Said plainly instead of answered wrongly: an origin has the proxy's share of the semantics, not the server's. */
function notBuilt(head: RequestHead, reason: Reason): OriginAnswer {
  const headers = [['Content-Type', 'text/plain; charset=utf-8'] as const, noSniff];
  const body = `origin: not built (${reason}); it is for demos and tests, use a SeaweedFS volume server\n`;
  return originAnswer(head, { status: '501 Not Implemented', headers, body });
}

function originAnswer(head: RequestHead, parts: AnswerParts): OriginAnswer {
  const headers = new Map<string, string>([
    ['Server', originServer],
    ['X-Amz-Request-Id', newRequestId()],
    ...(parts.headers ?? []),
  ]);
  if ((firstHeader(head, 'origin') ?? '') !== '') {
    headers.set('Access-Control-Allow-Credentials', 'true');
    headers.set('Access-Control-Allow-Origin', '*');
  }
  const body = parts.body ?? '';
  // net/http counts no length for an empty answer to HEAD.
  const isCounted = head.method !== 'HEAD' || body !== '';
  if (parts.ownLength === true) headers.set('Content-Length', String(body.length));
  const contentLength = isCounted && parts.ownLength !== true ? body.length : undefined;
  const close = /(^|,)\s*close\s*(,|$)/i.test(firstHeader(head, 'connection') ?? '');
  const added = { date: httpDate(), contentLength, close };
  return {
    head: formatHead({ status: parts.status, headers, added }),
    body: head.method === 'HEAD' ? '' : body,
  };
}
