import { signReadToken } from '../../needle/token/sign-read-token.ts';

const lifeSeconds = 10;

/** A filer's read token for one question, as a request header; none without a key. */
export function authorization(
  key: string | undefined,
  fid: string,
  nowMs: number = Date.now(),
): Readonly<Record<string, string>> {
  if (key === undefined) return {};
  const token = signReadToken(key, fid, Math.floor(nowMs / 1000) + lifeSeconds);
  return { authorization: `Bearer ${token}` };
}
