/** How an answer's end is told: RFC 9112 section 6.3. Counted here, whoever writes the answer. */
export type AnswerFraming =
  | { readonly kind: 'none' }
  | { readonly kind: 'length'; readonly bytes: number }
  | { readonly kind: 'chunked' }
  | { readonly kind: 'eof' };

const none: AnswerFraming = { kind: 'none' };
const chunked: AnswerFraming = { kind: 'chunked' };
const eof: AnswerFraming = { kind: 'eof' };

/**
 * @param rawHeaders flat, as received
 * @returns undefined: a length that cannot be understood
 */
export function answerFraming(
  method: string,
  status: number,
  rawHeaders: readonly string[],
): AnswerFraming | undefined {
  if (method === 'HEAD' || status === 204 || status === 304) return none;
  let length: string | undefined;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = (rawHeaders[i] as string).toLowerCase();
    const value = rawHeaders[i + 1] as string;
    if (name === 'transfer-encoding') return /^chunked$/i.test(value) ? chunked : undefined;
    if (name !== 'content-length') continue;
    if (length !== undefined && length !== value) return undefined;
    length = value;
  }
  if (length === undefined) return eof;
  return /^[0-9]{1,15}$/.test(length) ? { kind: 'length', bytes: Number(length) } : undefined;
}
