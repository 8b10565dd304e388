/** Which needles are read both ways: the one that was named, or some of the target's own directories. */

import { messageOf } from '../../rdma/errors.ts';
import type { NeedleFetcher } from '../../rdma/needle-fetcher.ts';
import type { NeedleName } from '../needle-name.ts';
import { type Comparison, needlesToAsk } from './needles.ts';
import type { Sessions, TargetLook } from './sessions.ts';
import type { Setup } from './setup.ts';

export interface NeedleChoice {
  readonly comparisons: readonly Comparison[];
  /** To be measured, though there may be no volume server to compare with. */
  readonly readable: readonly Readable[];
  /** Why there is nothing; '' when there is. */
  readonly why: string;
}

export interface Readable {
  readonly needle: NeedleName;
  readonly look: TargetLook;
  readonly fetcher: NeedleFetcher;
}

export async function chooseNeedles(
  { settings, fid }: Setup,
  sessions: Sessions | undefined,
): Promise<NeedleChoice> {
  const nothing = (why: string): NeedleChoice => ({ comparisons: [], readable: [], why });
  if (settings === undefined) return nothing('needs a configuration');
  if (sessions === undefined) return nothing('rdma.mode = "off": there is no fast path');
  const up = sessions.looks.filter(({ fetcher }) => fetcher !== undefined);
  if (up.length === 0) return nothing('no target can be asked');
  let needles: readonly NeedleName[];
  if (fid !== undefined) needles = [fid];
  else if (settings.storage === undefined) return nothing('name a needle of yours: --fid FID');
  else {
    const announced = up.flatMap(({ facts }) => facts.session?.volumes ?? []);
    const ids = new Set(announced.map(({ volumeId }) => volumeId));
    const found = await needlesToAsk(settings.storage, ids).catch(messageOf);
    if (typeof found === 'string') return nothing(`the needles cannot be listed: ${found}`);
    if (found.length === 0)
      return nothing('no live needle in the directories: name one, --fid FID');
    needles = found;
  }
  const readable = needles.flatMap((needle) => readableBy(needle, up));
  const comparisons = readable.flatMap((one) => {
    const url = one.look.facts.volumeServerUrl;
    return url === undefined ? [] : [{ ...one, url }];
  });
  const why = comparisons.length === 0 ? 'no volume server is configured to compare with' : '';
  return { comparisons, readable, why };
}

/** The target that announces its volume; a needle of no target is asked of the first. */
function readableBy(needle: NeedleName, up: readonly TargetLook[]): Readable[] {
  const announces = ({ facts }: TargetLook): boolean =>
    facts.session?.volumes.some(({ volumeId }) => volumeId === needle.volumeId) === true;
  const look = up.find(announces) ?? up[0];
  return look?.fetcher === undefined ? [] : [{ needle, look, fetcher: look.fetcher }];
}
