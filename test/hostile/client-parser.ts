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
const interimHeads = /^(?:HTTP\/1\.1 1(?!01)\d{2} [^\r\n]*\r\n(?:[-\w]+:[^\r\n]*\r\n)*\r\n)+/;
const wholeHead = /^HTTP\/1\.[01] [1-9]\d{2} [^\r\n]*\r\n(?:[-\w]+:[^\r\n]*\r\n)*\r\n/;

/** The head of an answer is there, and two parsers could find different ends behind it. */
export function isInDoubt(text: string): boolean {
  if (!text.includes('\r\n\r\n')) return false;
  const head = wholeHead.exec(text.replace(interimHeads, ''))?.[0];
  if (head === undefined) return true;
  const { lengths, codings } = framingOf(head);
  if (codings.length > 0) return !isPlainChunked(lengths, codings);
  return new Set(lengths).size > 1 || lengths.some((length) => !/^\d+$/.test(length));
}

function framingOf(head: string): { readonly lengths: string[]; readonly codings: string[] } {
  const valuesOf = (name: string): string[] =>
    [...head.matchAll(new RegExp(`^${name}:[ \\t]*(.*?)[ \\t]*\\r$`, 'gim'))].map(
      ([, value]) => value as string,
    );
  return { lengths: valuesOf('content-length'), codings: valuesOf('transfer-encoding') };
}

function isPlainChunked(lengths: readonly string[], codings: readonly string[]): boolean {
  return codings.length === 1 && lengths.length === 0 && codings[0]?.toLowerCase() === 'chunked';
}

/** undefined: not there, or in doubt. */
function answerLength(text: string, method: string): number | undefined {
  const head = wholeHead.exec(text)?.[0];
  if (head === undefined) return undefined;
  const status = head.slice(9, 12);
  if (isInDoubt(head)) return undefined;
  if (method === 'HEAD' || status === '204' || status === '304') return head.length;
  const { lengths, codings } = framingOf(head);
  if (codings.length > 0) return chunkedLength(text, head.length);
  const [length] = lengths;
  if (length === undefined) return undefined;
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
  const trailers = /^(?:[-\w]+:[^\r\n]*\r\n)*\r\n/.exec(text.slice(at));
  return trailers === null ? undefined : at + trailers[0].length;
}
