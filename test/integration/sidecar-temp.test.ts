/** Answers of the sidecar that lie in temp files too, and what becomes of the files. */
import {
  chmodSync,
  chownSync,
  existsSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statfsSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { TempFiles } from '../../src/proxy/sidecar/temp-files.ts';
import { freePorts } from '../free-ports.ts';
import { startRole } from './program.ts';
import { scratchFolder } from './scratch.ts';
import {
  type Answer,
  ask,
  metrics,
  mountRead,
  type SidecarStage,
  startSidecarStage,
  sumOf,
} from './sidecar-stage.ts';

const scratch = scratchFolder();
const tmpfsType = 0x0102_1994;
const isTmpfs = existsSync('/dev/shm') && statfsSync('/dev/shm').type === tmpfsType;
const folders: string[] = [];
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

function folder(): string {
  const made = mkdtempSync(join(isTmpfs ? '/dev/shm' : tmpdir(), 'seaweed-rdma-test-'));
  folders.push(made);
  return made;
}

function start(dir: string, more = ''): Promise<SidecarStage> {
  return startSidecarStage(scratch, {
    transport: 'inproc',
    sidecar: `temp_dir = "${dir}"\n${more}`,
  });
}

function tempFileOf({ headers }: Answer): string {
  expect(headers['x-use-temp-file']).toBe('true');
  return String(headers['x-temp-file']);
}

function cleanUp(stage: SidecarStage, path: string): Promise<Answer> {
  return ask(stage.sidecar, `/cleanup?temp_file=${encodeURIComponent(path)}`, { method: 'DELETE' });
}

const events = 'seaweed_rdma_sidecar_temp_file_events_total';

function tempFilesIn(dir: string): { temp: TempFiles; errors: readonly string[] } {
  const errors: string[] = [];
  const log = {
    warn: () => undefined,
    error: (_fields: object, message: string) => void errors.push(message),
  };
  const options = { dir, bytesMax: 1e6, minBytes: 1, ttlMs: 10_000, fileMode: 0o600 };
  return { temp: new TempFiles(options, 'a', log), errors };
}

/** The old folder goes on under another name, so that the new one cannot get its inode. */
function remake(dir: string): void {
  renameSync(dir, `${dir}-old`);
  folders.push(`${dir}-old`);
  mkdirSync(dir, { mode: 0o711 });
}

describe('a long answer', () => {
  test('lies in a file of its own too, until the client removes it', async () => {
    const dir = folder();
    const stage = await start(dir);
    const { fid, bytes } = stage.needles.large;
    const answers = await Promise.all(
      [0, 0, 131_072].map((at) => mountRead(stage, fid, at, 131_072)),
    );
    const paths = answers.map(tempFileOf);
    expect(new Set(paths).size).toBe(3);
    answers.forEach((answer, index) => {
      const at = index === 2 ? 131_072 : 0;
      const wanted = bytes.subarray(at, at + 131_072);
      // In the body too: a client that cannot open the file has it all the same.
      expect(answer.body.equals(wanted)).toBe(true);
      const path = paths[index] as string;
      expect(path).toMatch(/\/seaweed-rdma-[0-9a-f]{8}-[0-9a-f]{32}\.tmp$/);
      expect(readFileSync(path).equals(wanted)).toBe(true);
      expect(lstatSync(path).mode & 0o777).toBe(0o600);
    });
    for (const path of paths) {
      expect((await cleanUp(stage, path)).status).toBe(200);
      expect(existsSync(path)).toBe(false);
      expect((await cleanUp(stage, path)).status).toBe(404);
    }
    const values = await metrics(stage.admin);
    expect(sumOf(values, events, 'created')).toBe(3);
    expect(sumOf(values, events, 'cleaned')).toBe(3);
    expect(sumOf(values, 'seaweed_rdma_sidecar_temp_files')).toBe(0);
    expect(sumOf(values, 'seaweed_rdma_sidecar_temp_bytes')).toBe(0);
    expect(await stage.proxy.stop()).toBe(0);
  }, 30_000);

  test('that is short, came over HTTP or names no size lies in none', async () => {
    const stage = await start(folder(), 'temp_min_bytes = "1000B"\n');
    const { plain, empty, large } = stage.needles;
    const none = [
      await mountRead(stage, plain.fid, 0, 999),
      await mountRead(stage, empty.fid),
      // The client would read 1 MiB of it, and no more.
      await mountRead(stage, large.fid),
      await ask(stage.sidecar, `/read?file_id=${plain.fid}&size=2000`, { method: 'HEAD' }),
    ];
    for (const answer of none) expect(answer.headers).not.toHaveProperty('x-use-temp-file');
    tempFileOf(await mountRead(stage, plain.fid, 0, 1000));
    await stage.proxy.stop();
  }, 30_000);

  test('over temp_bytes_max comes in the body alone', async () => {
    const stage = await start(folder(), 'temp_bytes_max = "200KiB"\n');
    const { fid, bytes } = stage.needles.large;
    const path = tempFileOf(await mountRead(stage, fid, 0, 131_072));
    const without = await mountRead(stage, fid, 0, 131_072);
    expect(without.headers).not.toHaveProperty('x-temp-file');
    expect(without.body.equals(bytes.subarray(0, 131_072))).toBe(true);
    expect(sumOf(await metrics(stage.admin), events, 'refused')).toBe(1);
    await cleanUp(stage, path);
    tempFileOf(await mountRead(stage, fid, 0, 131_072));
    await stage.proxy.stop();
  }, 30_000);
});

describe('the files', () => {
  test('are removed after temp_ttl, and at the end; nothing else is', async () => {
    const dir = folder();
    const foreign = join(dir, `seaweed-rdma-00000000-${'0'.repeat(32)}.tmp`);
    writeFileSync(foreign, 'another one');
    const stage = await start(dir, 'temp_ttl = "1s"\ntemp_file_mode = "0644"\n');
    const { fid } = stage.needles.large;
    const old = tempFileOf(await mountRead(stage, fid, 0, 131_072));
    expect(lstatSync(old).mode & 0o777).toBe(0o644);
    await expect.poll(() => existsSync(old), { timeout: 5_000 }).toBe(false);
    expect(sumOf(await metrics(stage.admin), events, 'reaped')).toBe(1);
    const left = tempFileOf(await mountRead(stage, fid, 0, 131_072));
    expect(await stage.proxy.stop()).toBe(0);
    expect(existsSync(left)).toBe(false);
    expect(readdirSync(dir)).toEqual([foreign.slice(dir.length + 1)]);
  }, 30_000);

  test('are all that /cleanup removes', async () => {
    const dir = folder();
    const stage = await start(dir);
    const victim = scratch.write('victim', 'mine');
    const path = tempFileOf(await mountRead(stage, stage.needles.large.fid, 0, 131_072));
    const link = join(dir, 'seaweed-rdma-link.tmp');
    symlinkSync(victim, link);
    for (const other of [
      victim,
      link,
      dir,
      `${dir}/../${victim}`,
      `${path}/../../${victim}`,
      `${dir}//${path.slice(dir.length + 1)}`,
      path.slice(dir.length + 1),
      `${path}\0`,
    ]) {
      expect([other, (await cleanUp(stage, other)).status]).toEqual([other, 404]);
    }
    expect((await ask(stage.sidecar, '/cleanup', { method: 'DELETE' })).status).toBe(400);
    expect([existsSync(victim), existsSync(link), existsSync(path)]).toEqual([true, true, true]);
    await stage.proxy.stop();
  }, 30_000);

  test('that an earlier run left behind are removed at the start, links and others are not', () => {
    const dir = folder();
    const options = { dir, bytesMax: 1e6, minBytes: 1, ttlMs: 10_000, fileMode: 0o600 };
    const log = { warn: () => undefined, error: () => undefined };
    return (async () => {
      const first = new TempFiles(options, '127.0.0.1:1', log);
      const left = (await first.write([Buffer.from('abc')], 3)) as string;
      const link = left.replace(/.{4}\.tmp$/, 'aaaa.tmp');
      symlinkSync('/etc/hostname', link);
      const odd = `${left}.keep`;
      writeFileSync(odd, '');
      const other = new TempFiles(options, '127.0.0.1:2', log);
      expect(existsSync(left)).toBe(true);
      const second = new TempFiles(options, '127.0.0.1:1', log);
      expect([existsSync(left), lstatSync(link).isSymbolicLink(), existsSync(odd)]).toEqual([
        false,
        true,
        true,
      ]);
      for (const each of [first, other, second]) each.close();
    })();
  });

  test('are not made where others could replace them', async () => {
    const dir = folder();
    chmodSync(dir, 0o777);
    await expect(start(dir)).rejects.toThrow(/sidecar\.temp_dir: others may write to/);
  });

  test.skipIf(process.geteuid?.() !== 0)(
    'are not made where a link of another user leads, and neither is the folder',
    async () => {
      const [shared, ours] = [folder(), folder()];
      chmodSync(shared, 0o1777);
      const link = join(shared, 'link');
      symlinkSync(ours, link);
      lchownSync(link, 65_534, 65_534);
      await expect(start(link)).rejects.toThrow(/sidecar\.temp_dir: .*link of user 65534/);
      await expect(start(join(link, 'new'))).rejects.toThrow(/link of user 65534/);
      expect(readdirSync(ours)).toEqual([]);
    },
  );

  const changes: [string, (dir: string) => void][] = [
    ['was made anew', remake],
    ['was opened to others', (dir) => chmodSync(dir, 0o777)],
  ];
  if (process.geteuid?.() === 0) {
    changes.push(['has become another user’s', (dir) => chownSync(dir, 65_534, 65_534)]);
  }

  test.each(changes)('are not made in a folder that %s meanwhile', async (_name, change) => {
    const dir = folder();
    const { temp, errors } = tempFilesIn(dir);
    expect(await temp.write([Buffer.from('abc')], 3)).toMatch(/\.tmp$/);
    change(dir);
    const namesBefore = readdirSync(dir);
    for (let i = 0; i < 2; i += 1) {
      expect(await temp.write([Buffer.from('abc')], 3)).toBeUndefined();
    }
    expect(readdirSync(dir)).toEqual(namesBefore);
    expect(temp.stats).toMatchObject({ files: 1, bytes: 3, created: 1, refused: 2 });
    expect(errors).toEqual([
      'others may have replaced sidecar.temp_dir: answers have no temp files',
    ]);
    temp.close();
  });

  test('get no name when the folder is made anew while they are written', async () => {
    const dir = folder();
    const { temp } = tempFilesIn(dir);
    const slices = [Buffer.from('abc')];
    // Read when the file is open.
    Object.defineProperty(slices, 0, {
      get: () => {
        remake(dir);
        return Buffer.from('abc');
      },
    });
    expect(await temp.write(slices, 3)).toBeUndefined();
    expect(temp.stats).toMatchObject({ files: 0, bytes: 0, refused: 1 });
    temp.close();
  });

  test('that cannot be written are done without', async () => {
    const dir = folder();
    const warnings: string[] = [];
    const log = {
      warn: (_fields: object, message: string) => void warnings.push(message),
      error: () => undefined,
    };
    const options = { dir, bytesMax: 1e6, minBytes: 1, ttlMs: 10_000, fileMode: 0o600 };
    const temp = new TempFiles(options, 'a', log);
    rmSync(dir, { recursive: true });
    expect(await temp.write([Buffer.from('abc')], 3)).toBeUndefined();
    expect(temp.stats).toMatchObject({ files: 0, bytes: 0, created: 0, refused: 1 });
    expect(warnings).toContain('a temp file could not be written');
    temp.close();
  });
});

describe('the folder', () => {
  test('is made where it is missing, for others to open files in and not to list', async () => {
    const dir = join(folder(), 'made');
    const stage = await start(dir);
    expect(lstatSync(dir).mode & 0o777).toBe(0o711);
    const warned = stage.proxy.lines.some(({ event }) => event === 'sidecar-temp-dir');
    expect(warned).toBe(!isTmpfs);
    await stage.proxy.stop();
  }, 30_000);

  // JavaScript's realpath takes "link/.." for the folder that has the link: another one than was judged.
  test('behind a link and ".." is the one that the kernel finds', async () => {
    const [above, elsewhere] = [folder(), folder()];
    mkdirSync(join(elsewhere, 'below'));
    symlinkSync(join(elsewhere, 'below'), join(above, 'link'));
    mkdirSync(join(above, 'temp'));
    chmodSync(join(above, 'temp'), 0o777);
    const { temp } = tempFilesIn(`${above}/link/../temp`);
    const path = await temp.write([Buffer.from('abc')], 3);
    expect(dirname(path ?? '')).toBe(join(realpathSync(elsewhere), 'temp'));
    temp.close();
  });

  test('that cannot be had ends the start, with its name', async () => {
    const [port] = await freePorts(1);
    const file = scratch.write('not-a-folder', '');
    chmodSync(file, 0o600);
    const config = `[http]\nlisten = "127.0.0.1:0"\n[seaweedfs]\nvolume_server_url = "http://127.0.0.1:${port}"\n[rdma]\nmode = "off"\n[admin]\nlisten = "127.0.0.1:0"\n[sidecar]\nlisten = "127.0.0.1:0"\ntemp_dir = "${file}"\n`;
    const proxy = startRole(['proxy', '--config', scratch.write('bad.toml', config)]);
    const failed = await proxy.line('start-failed');
    expect(failed['message']).toContain(file);
    expect(await proxy.ended).toEqual([69, null]);
  });
});
