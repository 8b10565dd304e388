/** `seaweed-rdma capabilities`: what this machine has, and what a target announces. */
import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { loadBinding, protocolVersion } from '../../rdma/binding.ts';
import { messageOf } from '../../rdma/errors.ts';
import { createRdmaClient } from '../../rdma/rdma-client.ts';
import { exitCodes } from '../exit-codes.ts';
import { print, printJson, visible } from '../output.ts';
import { type FabricOptions, openFabric, volumesWithin } from './fabric.ts';

export interface CapabilitiesOptions {
  readonly version: string;
  /** undefined: only this machine. */
  readonly fabric: FabricOptions | undefined;
  readonly timeoutMs: number;
  readonly json: boolean;
}

const arenaBytes = 2 ** 22;

/** Returns the exit code: unavailable when the native part cannot be loaded. */
export async function runCapabilities(options: CapabilitiesOptions): Promise<number> {
  const native = nativePart();
  const found = {
    version: options.version,
    node: process.version,
    protocolVersion,
    native,
    rdmaDevices: entries('/sys/class/infiniband'),
    networkDevices: entries('/sys/class/net'),
    ...(await ucxResources()),
    memory: memoryFacts(),
    targets:
      options.fabric === undefined ? [] : await targetFacts(options.fabric, options.timeoutMs),
  };
  if (options.json) printJson(found);
  else printTree(found, '');
  return native.loaded ? exitCodes.done : exitCodes.unavailable;
}

interface NativePart {
  readonly loaded: boolean;
  readonly detail: string;
  readonly ucx: string;
  readonly arenaPages: string;
}

function nativePart(): NativePart {
  try {
    const { hasUcx, ucxVersion } = loadBinding();
    const ucx = hasUcx ? ucxVersion : 'built without UCX: inproc and HTTP only';
    return { loaded: true, detail: '', ucx, arenaPages: hasUcx ? arenaPages() : 'unknown' };
  } catch (error) {
    return { loaded: false, detail: messageOf(error), ucx: 'unknown', arenaPages: 'unknown' };
  }
}

/** The kind of pages that an arena gets with hugepages = "try". */
function arenaPages(): string {
  try {
    const client = createRdmaClient({ kind: 'ucx', arenaBytes, hugepages: 'try' });
    const { pageKind } = client.stats();
    void client.close();
    return pageKind;
  } catch (error) {
    return messageOf(error);
  }
}

/** Runs `ucx_info -d`, where UCX's tools are installed. */
async function ucxResources(): Promise<{ ucxTransports: readonly string[] }> {
  const info = await promisify(execFile)('ucx_info', ['-d'], { timeout: 10_000 }).catch(
    () => undefined,
  );
  if (info === undefined) return { ucxTransports: ['unknown: ucx_info is not installed'] };
  const pairs = info.stdout.matchAll(/#\s+Transport:\s*(\S+)\s*\n#\s+Device:\s*(\S+)/g);
  return { ucxTransports: [...pairs].map(([, transport, device]) => `${transport}/${device}`) };
}

function memoryFacts(): object {
  const limits = readText('/proc/self/limits');
  const memlock = /Max locked memory\s+(\S+)/.exec(limits)?.[1] ?? 'unknown';
  const meminfo = readText('/proc/meminfo');
  const field = (name: string): string =>
    new RegExp(`^${name}:\\s+(.+)$`, 'm').exec(meminfo)?.[1] ?? 'unknown';
  const thp = readText('/sys/kernel/mm/transparent_hugepage/enabled');
  return {
    memlockBytes: memlock,
    hugepagesTotal: field('HugePages_Total'),
    hugepagesFree: field('HugePages_Free'),
    hugepageSize: field('Hugepagesize'),
    transparentHugepages: /\[(\w+)\]/.exec(thp)?.[1] ?? 'unknown',
  };
}

async function targetFacts(options: FabricOptions, timeoutMs: number): Promise<readonly object[]> {
  const fabric = await openFabric(options, arenaBytes);
  try {
    await Promise.all(fabric.fetchers.map((fetcher) => volumesWithin(fetcher, timeoutMs)));
    return fabric.fetchers.map(({ address, state, volumes }) => ({
      target: address,
      transport: state.kind === 'up' ? state.transport : 'unknown',
      volumes: [...volumes.values()].map(
        ({ volumeId, version, confirmed, collection }) =>
          `${volumeId} version ${version}${collection === '' ? '' : ` collection ${collection}`}${confirmed ? '' : ' (unconfirmed)'}`,
      ),
    }));
  } finally {
    await fabric.close();
  }
}

function printTree(value: object, indent: string): void {
  for (const [name, member] of Object.entries(value) as [string, unknown][]) {
    if (Array.isArray(member) && member.every((item) => typeof item === 'string')) {
      print(`${indent}${name}: ${member.length === 0 ? 'none' : visible(member.join(', '))}`);
    } else if (typeof member === 'object' && member !== null) {
      print(`${indent}${name}:`);
      printTree(member, `${indent}  `);
    } else if (member !== '') {
      print(`${indent}${name}: ${visible(String(member))}`);
    }
  }
}

function entries(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
