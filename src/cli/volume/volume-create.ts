/** `seaweed-rdma volume create`: a volume for tests and demonstrations, as a volume server loads it. */
import { randomBytes, randomInt } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { basename } from 'node:path';
import {
  createVolume,
  formatFid,
  type NewVolume,
  type VolumeWriter,
} from '../../rdma/volume-files.ts';
import { exitCodes } from '../exit-codes.ts';
import { note, print, printJson, visible } from '../output.ts';
import { ToolFailure } from '../tool-failure.ts';

export interface VolumeCreateOptions {
  readonly volume: NewVolume;
  /** Each becomes a needle with the file's name. */
  readonly files: readonly string[];
  /** Further needles of random bytes. */
  readonly needles: number;
  readonly bytes: number;
  readonly json: boolean;
}

interface Written {
  readonly fid: string;
  readonly name: string;
  readonly bytes: number;
}

const fidsShownMax = 20;
const progressEvery = 10_000;

/** Returns the exit code. */
export function runVolumeCreate(options: VolumeCreateOptions): number {
  // Read before anything is written: a file that is not there leaves no volume behind.
  for (const file of options.files) statSync(file);
  using writer = openOrFail(options.volume);
  const written: Written[] = [];
  let nextId = 1n;
  const append = (name: string, data: Uint8Array): void => {
    const needleId = nextId;
    nextId += 1n;
    const cookie = randomInt(2 ** 32);
    const lastModifiedSeconds = Math.floor(Date.now() / 1000);
    writer.append({ needleId, cookie, data, name, lastModifiedSeconds });
    const fid = formatFid(options.volume.volumeId, needleId, cookie);
    written.push({ fid, name, bytes: data.length });
    if (written.length % progressEvery === 0) note(`${written.length} needles`);
  };
  for (const file of options.files) append(basename(file), readFileSync(file));
  for (let count = 0; count < options.needles; count += 1) append('', randomBytes(options.bytes));
  report(options, written);
  return exitCodes.done;
}

function openOrFail(volume: NewVolume): VolumeWriter {
  try {
    return createVolume(volume);
  } catch (error) {
    throw new ToolFailure(error instanceof Error ? error.message : String(error));
  }
}

function report({ volume, json }: VolumeCreateOptions, written: readonly Written[]): void {
  const { dir, volumeId, collection = '' } = volume;
  if (json) {
    printJson({ ok: true, dir, volumeId, collection, needles: written });
    return;
  }
  print(`volume ${volumeId} in ${dir}: ${written.length} needles`);
  for (const { fid, name, bytes } of written.slice(0, fidsShownMax)) {
    print(`  ${fid}  ${bytes} bytes${name === '' ? '' : `  ${visible(name)}`}`);
  }
  const more = written.length - fidsShownMax;
  if (more > 0) print(`  and ${more} more (--json lists all)`);
}
