/**
 * SeaweedFS's own client against the sidecar: weed/mount/rdma_client.go of a source folder (WEED_SRC), compiled as it is in
 * a folder of its own, against the two packages that it imports, of which it uses a logger and a function type.
 */
import { execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { copyFileSync, existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { scratchFolder } from '../integration/scratch.ts';
import {
  metrics,
  type NeedleName,
  type SidecarStage,
  startSidecarStage,
  sumOf,
} from '../integration/sidecar-stage.ts';

const scratch = scratchFolder();
const source = join(process.env['WEED_SRC'] ?? '', 'weed', 'mount', 'rdma_client.go');
const lack = lacking();

function lacking(): string {
  if (process.env['WEED_SRC'] === undefined) return 'WEED_SRC names no SeaweedFS source folder';
  if (!existsSync(source)) return `there is no ${source}`;
  try {
    execFileSync('go', ['version'], { stdio: 'ignore' });
    return '';
  } catch {
    return 'there is no go on PATH';
  }
}

const goModule = 'module github.com/seaweedfs/seaweedfs\n\ngo 1.22\n';

const glog = `package glog

import "fmt"

type Verbose bool

func V(level int) Verbose                             { return Verbose(level <= 4) }
func (v Verbose) Infof(format string, args ...any)    { if v { fmt.Printf("log "+format+"\\n", args...) } }
func Infof(format string, args ...any)                { fmt.Printf("log "+format+"\\n", args...) }
func Warningf(format string, args ...any)             { fmt.Printf("warn "+format+"\\n", args...) }
`;

const wdclient = `package wdclient

import "context"

type LookupFileIdFunctionType func(ctx context.Context, fileId string) (targetUrls []string, err error)
`;

/** Reads "fid offset size" lines; says "data LENGTH SHA256 ISRDMA" or "fail ERROR" for each. */
const program = `package main

import (
	"bufio"
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"strings"

	"github.com/seaweedfs/seaweedfs/weed/mount"
)

func main() {
	lookup := func(ctx context.Context, fileId string) ([]string, error) {
		return []string{os.Args[2] + "/" + fileId}, nil
	}
	client, err := mount.NewRDMAMountClient(os.Args[1], lookup, 64, 5000)
	if err != nil {
		fmt.Println("refused", err)
		os.Exit(1)
	}
	fmt.Println("ready", client.IsHealthy())
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var fid string
		var offset, size uint64
		fmt.Sscan(lines.Text(), &fid, &offset, &size)
		data, isRDMA, err := client.ReadNeedle(context.Background(), fid, offset, size)
		if err != nil {
			fmt.Println("fail", strings.ReplaceAll(err.Error(), "\\n", " "))
			continue
		}
		fmt.Printf("data %d %x %v\\n", len(data), sha256.Sum256(data), isRDMA)
	}
	client.Close()
}
`;

function compiled(): string {
  scratch.write('client/go.mod', goModule);
  scratch.write('client/weed/glog/glog.go', glog);
  scratch.write('client/weed/wdclient/wdclient.go', wdclient);
  scratch.write('client/weed/mount/placeholder.go', 'package mount\n');
  scratch.write('client/main.go', program);
  const folder = join(scratch.folder, 'client');
  copyFileSync(source, join(folder, 'weed', 'mount', 'rdma_client.go'));
  const environment = { ...process.env, GOFLAGS: '', GOWORK: 'off', GOPROXY: 'off' };
  execFileSync('go', ['build', '-o', 'client', '.'], { cwd: folder, env: environment });
  return join(folder, 'client');
}

interface Read {
  readonly fid: string;
  readonly offset: number;
  readonly size: number;
}

/** What the client says of its start, and of each read. */
async function run(client: string, stage: SidecarStage, reads: readonly Read[]): Promise<string[]> {
  return (await runLogged(client, stage, reads)).filter((line) => !/^(log|warn) /.test(line));
}

async function runLogged(
  client: string,
  stage: SidecarStage,
  reads: readonly Read[],
): Promise<string[]> {
  const child = spawn(client, [stage.sidecar.slice('http://'.length), stage.upstream], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const chunks: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  child.stdin.end(reads.map(({ fid, offset, size }) => `${fid} ${offset} ${size}\n`).join(''));
  await once(child, 'close');
  return Buffer.concat(chunks).toString().trim().split('\n');
}

describe.skipIf(lack !== '')(
  `SeaweedFS's own client${lack === '' ? '' : ` (skipped: ${lack})`}`,
  () => {
    test('gets the bytes of the volume, in the body and in temp files, and leaves none behind', async () => {
      const client = compiled();
      const temp = join(scratch.folder, 'temp');
      for (const sidecar of ['', `temp_dir = "${temp}"\n`]) {
        const stage = await startSidecarStage(scratch, { transport: 'inproc', sidecar });
        const reads = fixedReads(stage).concat(drawnReads(stage));
        const lines = await runLogged(
          client,
          stage,
          reads.map(({ read }) => read),
        );
        const [ready, ...answers] = lines.filter((line) => !/^(log|warn) /.test(line));
        expect(ready).toBe('ready true');
        expect(answers).toEqual(reads.map(({ expected }) => expected));
        const fromFiles = lines.filter((line) => line.includes('Zero-copy successful')).length;
        const values = await metrics(stage.admin);
        const created = sumOf(values, 'seaweed_rdma_sidecar_temp_file_events_total', 'created');
        expect(fromFiles > 0).toBe(sidecar !== '');
        expect(created).toBe(fromFiles);
        const failed = sumOf(values, 'seaweed_rdma_sidecar_requests_total', 'outcome="error"');
        expect(failed).toBe(0);
        expect(await stage.proxy.stop()).toBe(0);
      }
      // The client removes each a tenth of a second after it has read it, or ends before that.
      expect(readdirSync(temp)).toEqual([]);
    }, 180_000);

    test('is told what goes wrong, and falls back', async () => {
      const client = compiled();
      const stage = await startSidecarStage(scratch, { transport: 'inproc' });
      const { list, deleted, small, empty } = stage.needles;
      const answers = await run(client, stage, [
        { fid: list.fid, offset: 0, size: 4096 },
        { fid: deleted.fid, offset: 0, size: 4096 },
        { fid: small.fid, offset: 10, size: 4096 },
        { fid: empty.fid, offset: 0, size: 0 },
      ]);
      expect(answers.slice(1)).toEqual([
        expect.stringMatching(/^fail RDMA read failed with status 422 .*list of a large file/),
        expect.stringMatching(/^fail RDMA read failed with status 404 /),
        expect.stringMatching(/^fail RDMA read failed with status 416 .*past the end/),
        `data 0 ${sha256(Buffer.alloc(0))} false`,
      ]);
      const elsewhere = { ...stage, upstream: 'http://127.0.0.1:1' };
      const [, refused] = await run(client, elsewhere, [{ fid: small.fid, offset: 0, size: 1 }]);
      expect(refused).toMatch(/^fail RDMA read failed with status 403 .*volume_server_aliases/);
      stage.proxy.signal('SIGTERM');
      await stage.proxy.ended;
      expect(await run(client, stage, [])).toEqual([
        expect.stringMatching(/^refused .*health check/),
      ]);
    }, 60_000);
  },
);

interface Expected {
  readonly read: Read;
  readonly expected: string;
}

const readable: readonly NeedleName[] = ['small', 'plain', 'gzip', 'large'];

function fixedReads(stage: SidecarStage): readonly Expected[] {
  return readable.flatMap((name) => {
    const { length } = stage.needles[name].bytes;
    return [
      expectedOf(stage, name, 0, length),
      expectedOf(stage, name, length - 1, 1),
      expectedOf(stage, name, 0, Math.min(131_072, length)),
    ];
  });
}

/** As a mount reads: pages of a needle, up to 128 KiB, and the rest at its end. */
function drawnReads(stage: SidecarStage): readonly Expected[] {
  const drawn = fc.sample(
    fc.record({
      name: fc.constantFrom<NeedleName>(...readable),
      at: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      pages: fc.integer({ min: 1, max: 32 }),
    }),
    { numRuns: 200, seed: 44 },
  );
  return drawn.map(({ name, at, pages }) => {
    const { length } = stage.needles[name].bytes;
    const offset = Math.floor((at * length) / 4096) * 4096;
    return expectedOf(stage, name, offset, Math.min(pages * 4096, length - offset));
  });
}

function expectedOf(stage: SidecarStage, name: NeedleName, offset: number, size: number): Expected {
  const { fid, bytes } = stage.needles[name];
  const data = bytes.subarray(offset, offset + size);
  return { read: { fid, offset, size }, expected: `data ${data.length} ${sha256(data)} true` };
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}
