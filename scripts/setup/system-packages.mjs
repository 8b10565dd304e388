// Which system packages the native build needs, which of them are missing, and how to get them. Probes look for what a
// package provides, not for a package manager's record of it, so that hand-installed copies count.
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { writeStamp } from './stamp.mjs';
import { runStep, StepFailed, tail } from './steps.mjs';

/**
 * A package by its names; `need`: what is lost without it; undefined: nothing can be built.
 *
 * @typedef {{ apt: string, dnf: string, need?: string, isThere: () => boolean }} Package
 */

/** @type {readonly Package[]} */
const packages = [
  { apt: 'g++', dnf: 'gcc-c++', isThere: () => compiler() !== undefined },
  { apt: 'cmake', dnf: 'cmake', isThere: () => onPath('cmake') },
  { apt: 'ninja-build', dnf: 'ninja-build', isThere: () => onPath('ninja') },
  { apt: 'make', dnf: 'make', isThere: () => onPath('make') },
  { apt: 'nlohmann-json3-dev', dnf: 'json-devel', isThere: () => hasHeader('nlohmann/json.hpp') },
  { apt: 'libuv1-dev', dnf: 'libuv-devel', isThere: () => hasHeader('uv.h') },
  {
    apt: 'pkg-config',
    dnf: 'pkgconf-pkg-config',
    need: 'UCX',
    isThere: () => onPath('pkg-config'),
  },
  { apt: 'libucx-dev', dnf: 'ucx-devel', need: 'UCX', isThere: () => hasLibrary('ucx') },
  {
    apt: 'libsodium-dev',
    dnf: 'libsodium-devel',
    need: 'UCX',
    isThere: () => hasLibrary('libsodium'),
  },
  {
    apt: 'libssl-dev',
    dnf: 'openssl-devel',
    need: 'UCX',
    isThere: () => hasHeader('openssl/ssl.h'),
  },
  {
    apt: 'libgtest-dev',
    dnf: 'gtest-devel',
    need: 'native tests',
    isThere: () => hasHeader('gtest/gtest.h'),
  },
];

/**
 * Wanted by the tests alone: installed by themselves, so that they cost the others nothing where they cannot be had.
 *
 * @type {readonly Package[]}
 */
const testPackages = [
  { apt: 'chromium', dnf: 'chromium', need: 'the browser test', isThere: hasBrowser },
  { apt: 'nftables', dnf: 'nftables', need: 'tests of firewalls', isThere: () => onPath('nft') },
  { apt: 'fuse3', dnf: 'fuse3', need: 'tests of weed mount', isThere: () => onPath('fusermount3') },
];

/**
 * Wanted by the tests over verbs, which run in a virtual machine (verbs-machine.ts).
 *
 * @type {readonly Package[]}
 */
const verbsPackages = [
  {
    apt: 'qemu-system-x86',
    dnf: 'qemu-system-x86-core',
    need: 'tests over verbs',
    isThere: () => onPath('qemu-system-x86_64'),
  },
  { apt: 'cpio', dnf: 'cpio', need: 'tests over verbs', isThere: () => onPath('cpio') },
  { apt: 'kmod', dnf: 'kmod', need: 'tests over verbs', isThere: () => onPath('modprobe') },
  {
    apt: 'busybox-static',
    dnf: 'busybox',
    need: 'tests over verbs',
    isThere: () => onPath('busybox'),
  },
  { apt: 'iproute2', dnf: 'iproute', need: 'tests over verbs', isThere: () => onPath('rdma') },
  {
    apt: 'rdma-core',
    dnf: 'rdma-core',
    need: 'tests over verbs',
    isThere: () => existsSync('/usr/sbin/rdma-ndd'),
  },
  {
    apt: 'ibverbs-providers',
    dnf: 'libibverbs',
    need: 'tests over verbs',
    isThere: () => existsSync('/etc/libibverbs.d/rxe.driver'),
  },
];

const browsers = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];

const compilers = ['g++', 'g++-14', 'g++-13', 'g++-12'];
/** std::expected. */
const compilerVersionMin = 12;

/** A g++ that knows C++23, or undefined. */
export function compiler() {
  return compilers.find((name) => {
    const version = tryRun(name, ['-dumpversion']);
    return version !== undefined && Number.parseInt(version, 10) >= compilerVersionMin;
  });
}

/** Versions of the tools that the build depends on: another version means another build. */
export function toolVersions() {
  const modules = ['ucx', 'libsodium'].map((name) => tryRun('pkg-config', ['--modversion', name]));
  return [compiler(), tryRun('cmake', ['--version']), ...modules].join('\n');
}

/** Installs what is missing where that is permitted; says in one line what stays missing and what to do. */
export async function ensureSystemPackages() {
  await ensure(packages);
}

/**
 * Installs the packages that only the tests need.
 *
 * @param {string} stamp a file that limits the attempt to one for a checkout
 */
export async function ensureTestPackages(stamp) {
  const wanted = [...testPackages, ...verbsPackages];
  if (findMissing(wanted).length === 0 || existsSync(stamp)) return;
  await ensure(testPackages);
  await ensure(verbsPackages);
  writeStamp(stamp, 'tried');
}

/** Names of the packages without which no test runs over verbs. */
export function missingForVerbs() {
  return findMissing(verbsPackages).map((each) => each.apt);
}

/** @param {readonly Package[]} wanted */
async function ensure(wanted) {
  let missing = findMissing(wanted);
  if (missing.length === 0) return;
  const names = missing.map((each) => aptName(each));
  const asRoot = rootPrefix();
  if (onPath('apt-get') && asRoot !== undefined) {
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
    /**
     * @param {string} title
     * @param {readonly string[]} args
     */
    const aptGet = (title, args) => {
      const [command = 'apt-get', ...rest] = [...asRoot, 'apt-get', ...args];
      return runStep(title, command, rest, { env });
    };
    const install = () =>
      aptGet(`installing ${names.join(' ')}`, [
        ...['install', '-y', '--no-install-recommends'],
        ...names,
      ]);
    let result = await install();
    if (!result.ok) {
      await aptGet('apt-get update', ['update']);
      result = await install();
    }
    if (!result.ok) console.error(tail(result.output));
    missing = findMissing(wanted);
  }
  report(missing);
}

/** @param {readonly Package[]} missing */
function report(missing) {
  if (missing.length === 0) return;
  const command = installCommand(missing);
  const required = missing.filter((each) => each.need === undefined);
  if (required.length > 0) throw new StepFailed(`system packages are missing; run: ${command}`);
  const lost = [...new Set(missing.map((each) => each.need))].join(' and ');
  const names = missing.map((each) => aptName(each)).join(', ');
  console.log(
    `going on without ${lost} (missing or too old: ${names}); to have it, run: ${command}`,
  );
}

/** @param {readonly Package[]} missing */
function installCommand(missing) {
  if (onPath('dnf') && !onPath('apt-get')) {
    return `sudo dnf install -y ${missing.map((each) => each.dnf).join(' ')} && npm run setup`;
  }
  const names = missing.map((each) => aptName(each)).join(' ');
  return `sudo apt-get update && sudo apt-get install -y ${names} && npm run setup`;
}

/** @param {readonly Package[]} wanted */
function findMissing(wanted) {
  return wanted.filter((each) => !each.isThere());
}

/**
 * A g++ that is there but too old is not replaced by installing g++ again.
 *
 * @param {Package} each
 */
function aptName(each) {
  return each.apt === 'g++' && onPath('g++') ? 'g++-12' : each.apt;
}

/** How to become root without being asked for a password, or undefined. */
function rootPrefix() {
  if (process.getuid?.() === 0) return [];
  return tryRun('sudo', ['-n', 'true']) === undefined ? undefined : ['sudo', '-n'];
}

/** @param {string} name */
function hasHeader(name) {
  return ['/usr/include', '/usr/local/include'].some((folder) => existsSync(join(folder, name)));
}

/**
 * UCX 1.13 is the oldest that the native part is written for.
 *
 * @param {string} name
 */
function hasLibrary(name) {
  const wanted = name === 'ucx' ? 'ucx >= 1.13' : name;
  return tryRun('pkg-config', ['--exists', wanted]) !== undefined;
}

/** Looks for a browser where scripts/screenshots/browser.ts does. */
function hasBrowser() {
  const named = process.env['CHROME_BIN'] ?? '';
  return (named !== '' && existsSync(named)) || browsers.some(onPath);
}

/** @param {string} name */
function onPath(name) {
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  return folders.some((folder) => folder !== '' && existsSync(join(folder, name)));
}

/**
 * Returns stdout; undefined: it failed.
 *
 * @param {string} command
 * @param {readonly string[]} args
 */
function tryRun(command, args) {
  try {
    return execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  } catch {
    return undefined;
  }
}
