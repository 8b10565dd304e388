/** Fids as clients of the admin API give them. */
import { parseNeedlePath } from '../../needle/request/needle-path.ts';
import { described, refined, text } from '../../schema/json-schema.ts';

/** Characters that a needle's path may contain here: none that would change the path's or the request's meaning. */
const fidPattern =
  '^/?[0-9]{1,10}[,/][0-9A-Fa-f]{9,24}(_[0-9]{1,20})?([./][A-Za-z0-9._-]{1,128})?$';
const fidSyntax = new RegExp(fidPattern);

export const fidSchema = described(
  refined(text, { pattern: fidPattern }),
  'A fid such as 3,01637037d6; with an extension or a file name where the path has one.',
);

/** The path on the HTTP listener. */
export function pathOfFid(fid: string): string {
  return fid.startsWith('/') ? fid : `/${fid}`;
}

/** undefined: not a fid. */
export function needleOfFid(fid: string): { volumeId: number; needleId: bigint } | undefined {
  if (!fidSyntax.test(fid)) return undefined;
  const found = parseNeedlePath(pathOfFid(fid));
  return found && { volumeId: found.volumeId, needleId: found.needleId };
}

/** Writes a file id as volume servers do. */
export function parsedFid(volumeId: number, needleId: bigint, cookie: number): string {
  return `${volumeId},${needleId.toString(16).padStart(2, '0')}${cookie.toString(16).padStart(8, '0')}`;
}
