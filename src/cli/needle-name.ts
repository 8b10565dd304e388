/** How a person names a needle on the command line: a fid, or volume, needle and cookie. */
import { parseNeedlePath } from '../needle/request/needle-path.ts';
import { formatFid } from '../rdma/volume-files.ts';
import { exitCodes } from './exit-codes.ts';
import { ToolFailure } from './tool-failure.ts';

export interface NeedleName {
  readonly volumeId: number;
  readonly needleId: bigint;
  readonly cookie: number;
}

/** `3,01637037d6`, with all the spellings that a volume server takes in a URL. */
export function parseFidArgument(fid: string): NeedleName {
  const path = parseNeedlePath(fid.startsWith('/') ? fid : `/${fid}`);
  if (path === undefined) {
    throw new ToolFailure(`"${fid}" is no fid, such as 3,01637037d6`, exitCodes.usage);
  }
  return { volumeId: path.volumeId, needleId: path.needleId, cookie: path.cookie };
}

export function fidOf({ volumeId, needleId, cookie }: NeedleName): string {
  return formatFid(volumeId, needleId, cookie);
}

/** Decimal, or hexadecimal with 0x. */
export function parseNumberArgument(name: string, text: string, bits: 32 | 64): bigint {
  const value = /^(0x[0-9a-f]{1,16}|\d{1,20})$/i.test(text) ? BigInt(text) : -1n;
  if (value >= 0n && value < 1n << BigInt(bits)) return value;
  throw new ToolFailure(`--${name} "${text}" is no number of ${bits} bits`, exitCodes.usage);
}
