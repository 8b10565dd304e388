/** How a strict client reads the answers of a connection: RFC 9112 section 6.3, and nothing that is in doubt. */

export interface ReadAnswers {
  /** Whole ones, with their heads. */
  readonly answers: readonly string[];
  /** What is behind them: an unfinished answer, or one whose end is in doubt. */
  readonly rest: string;
}

/** @param methods of the requests, in order */
export function readAnswers(text: string, methods: readonly string[]): ReadAnswers {
  const answers: string[] = [];
  let rest = text;
  for (const method of methods) {
    rest = rest.replace(interimHeads, '');
    const length = answerLength(rest, method);
    if (length === undefined) break;
    answers.push(rest.slice(0, length));
    rest = rest.slice(length);
  }
  return { answers, rest };
}

/** Before an answer, and of no consequence; 101 is none of them. */
const interimHeads = /^(?:HTTP\/1\.1 1(?!01)\d{2} [^\r\n\0]*\r\n(?:[-\w]+:[^\r\n\0]*\r\n)*\r\n)+/;
const wholeHead = /^HTTP\/1\.[01] [1-9]\d{2} [^\r\n\0]*\r\n(?:[-\w]+:[^\r\n\0]*\r\n)*\r\n/;

/** undefined: not there, or in doubt. */
function answerLength(text: string, method: string): number | undefined {
  const head = wholeHead.exec(text)?.[0];
  if (head === undefined) return undefined;
  const status = head.slice(9, 12);
  if (method === 'HEAD' || status === '204' || status === '304') return head.length;
  const lengths = [...head.matchAll(/^content-length:[ \t]*(.*?)[ \t]*\r$/gim)].map(([, v]) => v);
  const codings = [...head.matchAll(/^transfer-encoding:[ \t]*(.*?)[ \t]*\r$/gim)];
  if (codings.length > 0) {
    const isPlain = codings.length === 1 && lengths.length === 0;
    if (!isPlain || codings[0]?.[1]?.toLowerCase() !== 'chunked') return undefined;
    return chunkedLength(text, head.length);
  }
  const [length] = lengths;
  if (length === undefined || new Set(lengths).size > 1 || !/^\d+$/.test(length)) return undefined;
  const end = head.length + Number(length);
  return text.length < end ? undefined : end;
}

function chunkedLength(text: string, from: number): number | undefined {
  let at = from;
  for (;;) {
    const size = /^([0-9a-f]+)(?:;[\t -~]*)?\r\n/i.exec(text.slice(at));
    if (size === null) return undefined;
    at += size[0].length;
    const bytes = Number.parseInt(size[1] as string, 16);
    if (bytes === 0) break;
    at += bytes + 2;
    if (text.slice(at - 2, at) !== '\r\n') return undefined;
  }
  const trailers = /^(?:[-\w]+:[^\r\n\0]*\r\n)*\r\n/.exec(text.slice(at));
  return trailers === null ? undefined : at + trailers[0].length;
}
