/** Read tokens as SeaweedFS's master makes them (security.GenJwtForVolumeServer): HS256, the file id, an end. */
import { createHmac } from 'node:crypto';

const header = segment({ alg: 'HS256', typ: 'JWT' });

/** `key`: SeaweedFS's jwt.signing.read.key. */
export function signReadToken(key: string, claimedFid: string, expiresSeconds: number): string {
  const text = `${header}.${segment({ fid: claimedFid, exp: expiresSeconds })}`;
  const signature = createHmac('sha256', Buffer.from(key, 'utf8')).update(text).digest('base64url');
  return `${text}.${signature}`;
}

function segment(value: object): string {
  return Buffer.from(JSON.stringify(value), 'utf8').toString('base64url');
}
