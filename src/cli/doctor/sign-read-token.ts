/** A read token as a filer signs it: HS256 over the fid, for one question. */
import { createHmac } from 'node:crypto';

const lifeSeconds = 10;

export function signReadToken(key: string, fid: string, nowMs: number = Date.now()): string {
  const segment = (value: object): string =>
    Buffer.from(JSON.stringify(value)).toString('base64url');
  const exp = Math.floor(nowMs / 1000) + lifeSeconds;
  const signed = `${segment({ alg: 'HS256', typ: 'JWT' })}.${segment({ exp, fid })}`;
  return `${signed}.${createHmac('sha256', key).update(signed).digest('base64url')}`;
}

/** For a request's headers; none without a key. */
export function authorization(
  key: string | undefined,
  fid: string,
): Readonly<Record<string, string>> {
  return key === undefined ? {} : { authorization: `Bearer ${signReadToken(key, fid)}` };
}
