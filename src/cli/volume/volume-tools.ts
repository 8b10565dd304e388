/** `volume create`, `inspect` and `verify`. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { NewVolume, Ttl } from '../../rdma/volume-files.ts';
import { numberValue, sizeOption } from '../option-values.ts';
import { runVolumeCreate } from './volume-create.ts';
import { runVolumeInspect, runVolumeVerify } from './volume-look.ts';

interface CreateFlags {
  readonly volume: number;
  readonly collection: string;
  readonly volumeVersion: '1' | '2' | '3';
  readonly ttl?: Ttl;
  readonly replication: string;
  readonly offsetBytes: '4' | '5';
  readonly idxDir?: string;
  readonly needles?: number;
  readonly size: number;
  readonly json?: boolean;
}

interface LookFlags {
  readonly volume?: number;
  readonly idxDir?: string;
  readonly list?: number;
  readonly json?: boolean;
}

const needlesDefault = 100;

export function addVolumeTools(program: Command, finish: (exitCode: number) => void): void {
  const volume = program.command('volume').description('volume files on disk');

  volume
    .command('create')
    .description('creates a volume that a server can load, with the given files or random needles')
    .argument('<dir>', 'existing directory for its files')
    .argument('[file...]', 'files that become needles with their names')
    .requiredOption('--volume <id>', 'volume id', numberValue)
    .option('--collection <name>', 'collection', '')
    .option(
      '--needles <n>',
      `random needles (default: ${needlesDefault} without files)`,
      numberValue,
    )
    .addOption(sizeOption('--size <size>', 'size of each random needle', 4096))
    .addOption(
      new Option('--volume-version <n>', 'version of the file format')
        .choices(['1', '2', '3'])
        .default('3'),
    )
    .addOption(
      new Option('--offset-bytes <n>', 'bytes of an offset; 5: large_disk')
        .choices(['4', '5'])
        .default('4'),
    )
    .option('--ttl <ttl>', 'such as 3m, 4h, 5d, 6w, 7M, 8y', ttlValue)
    .option('--replication <digits>', "SeaweedFS's three digits", '000')
    .option('--idx-dir <dir>', 'directory for the .idx, if not beside the .dat')
    .option('--json', 'one JSON object')
    .addHelpText(
      'after',
      examples(
        'volume create ./data --volume 1 --needles 1000 --size 4KiB',
        'volume create ./data --volume 2 --collection pictures *.jpg',
      ),
    )
    .action((dir: string, files: readonly string[], flags: CreateFlags) => {
      finish(
        runVolumeCreate({
          volume: newVolume(dir, flags),
          files,
          needles: flags.needles ?? (files.length === 0 ? needlesDefault : 0),
          bytes: flags.size,
          json: flags.json ?? false,
        }),
      );
    });

  lookCommand(volume, 'inspect', 'shows what the files say, without reading the needles')
    .option('--list <n>', 'lists this many live needles', numberValue, 0)
    .addHelpText('after', examples('volume inspect /data', 'volume inspect /data/7.dat --list 10'))
    .action(async (path: string, flags: LookFlags) => {
      finish(await runVolumeInspect({ ...choiceOf(path, flags), list: flags.list ?? 0 }));
    });

  lookCommand(volume, 'verify', 'reads every live needle and checks record, fields and checksum')
    .addHelpText('after', examples('volume verify /data', 'volume verify /data --volume 7 --json'))
    .action(async (path: string, flags: LookFlags) => {
      finish(await runVolumeVerify(choiceOf(path, flags)));
    });
}

function lookCommand(volume: Command, name: string, description: string): Command {
  return volume
    .command(name)
    .description(`${description}; reads only, also beside a running volume server`)
    .argument('<path>', "a directory, or a volume's .dat")
    .option('--volume <id>', 'only this volume of the directory', numberValue)
    .option('--idx-dir <dir>', 'directory of the .idx files, if not beside the .dat')
    .option('--json', 'one JSON object');
}

function choiceOf(
  path: string,
  { volume, idxDir, json = false }: LookFlags,
): { path: string; idxDir: string | undefined; volumeId: number | undefined; json: boolean } {
  return { path, idxDir, volumeId: volume, json };
}

function newVolume(dir: string, flags: CreateFlags): NewVolume {
  return {
    dir,
    volumeId: flags.volume,
    collection: flags.collection,
    version: Number(flags.volumeVersion) as 1 | 2 | 3,
    offsetBytes: Number(flags.offsetBytes) as 4 | 5,
    replication: flags.replication,
    ...(flags.ttl === undefined ? {} : { ttl: flags.ttl }),
    ...(flags.idxDir === undefined ? {} : { idxDir: flags.idxDir }),
  };
}

const ttlUnits: Readonly<Record<string, Ttl['unit']>> = {
  m: 'minute',
  h: 'hour',
  d: 'day',
  w: 'week',
  M: 'month',
  y: 'year',
};

/** A TTL as SeaweedFS writes it. */
function ttlValue(text: string): Ttl {
  const match = /^([1-9]\d{0,2})([mhdwMy])$/.exec(text);
  const unit = ttlUnits[match?.[2] ?? ''];
  const count = Number(match?.[1]);
  if (unit === undefined || count > 255) {
    throw new InvalidArgumentError('It is 1 to 255 and a unit: 3m, 4h, 5d, 6w, 7M, 8y.');
  }
  return { count, unit };
}

function examples(...lines: readonly string[]): string {
  return `\nExamples:\n${lines.map((line) => `  seaweed-rdma ${line}`).join('\n')}`;
}
