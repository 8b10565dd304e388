/** Layer 2: Node, and the native part that belongs to this build. */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { addonPath, loadBinding, protocolVersion } from '../../rdma/binding.ts';
import { messageOf } from '../../rdma/errors.ts';
import { type Finding, fail, ok, warn } from './check.ts';

export interface ProgramFacts {
  readonly version: string;
  /** "v24.1.0". */
  readonly nodeVersion: string;
  readonly nodeAbi: string;
  readonly napiVersion: string;
  readonly addonPath: string;
  readonly addonExists: boolean;
  /** A source that was changed after the addon was built; '' without one. */
  readonly newerSource: string;
  /** '' when it was loaded. */
  readonly addonFailure: string;
  readonly hasUcx: boolean;
  /** '' without UCX. */
  readonly ucxVersion: string;
  readonly protocolVersion: number;
}

/** Least Node version, as in package.json's engines. */
export const nodeMajorMin = 22;
/** Least N-API version, as in package.json's binary. */
const napiMin = 9;

export function gatherProgram(version: string): ProgramFacts {
  const { modules = '', napi = '' } = process.versions;
  const facts = {
    version,
    nodeVersion: process.version,
    nodeAbi: modules,
    napiVersion: napi,
    addonPath: addonPath(),
    addonExists: existsSync(addonPath()),
    newerSource: newerSource(join(addonPath(), '../../../native'), addonPath()),
    protocolVersion,
  };
  try {
    const { hasUcx, ucxVersion } = loadBinding();
    return { ...facts, addonFailure: '', hasUcx, ucxVersion };
  } catch (error) {
    return { ...facts, addonFailure: messageOf(error), hasUcx: false, ucxVersion: '' };
  }
}

/** The first source below `folder` that is newer than `built`; '' where there is none, or no such folder. */
export function newerSource(folder: string, built: string): string {
  try {
    const builtAtMs = statSync(built).mtimeMs;
    const sources = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter(
      (name) => /\.(cc|h)$/.test(name) && !/_test\.(cc|h)$/.test(name),
    );
    const found = sources.find((name) => statSync(join(folder, name)).mtimeMs > builtAtMs);
    return found === undefined ? '' : join(folder, found);
  } catch {
    return '';
  }
}

export function judgeProgram(facts: ProgramFacts): readonly Finding[] {
  return [node(facts), addon(facts)];
}

function node({ nodeVersion, nodeAbi, napiVersion }: ProgramFacts): Finding {
  const major = Number(/^v(\d+)/.exec(nodeVersion)?.[1]);
  const evidence = [`Node ${nodeVersion}, ABI ${nodeAbi}, Node-API ${napiVersion}`];
  if (major >= nodeMajorMin && Number(napiVersion) >= napiMin) {
    return ok('node-version', `Node ${nodeVersion}`, evidence);
  }
  return fail('node-version', {
    summary: `Node ${nodeVersion} is too old`,
    evidence,
    fix: [`install Node ${nodeMajorMin} or newer (Node-API ${napiMin})`],
  });
}

function addon(facts: ProgramFacts): Finding {
  const evidence = [
    facts.addonPath,
    `this program speaks protocol version ${facts.protocolVersion}`,
  ];
  if (!facts.addonExists) {
    return fail('addon', {
      summary: 'the native part is not built',
      evidence,
      fix: ['npm run setup in a checkout, npx seaweed-rdma setup in an installed package'],
    });
  }
  if (facts.addonFailure !== '') {
    return fail('addon', {
      summary: 'the native part cannot be loaded',
      evidence: [...evidence, facts.addonFailure],
      fix: ['npm run build:native', 'ldd on the file above names a library that is missing'],
    });
  }
  if (!facts.hasUcx) {
    return warn('addon', {
      summary: 'the native part was built without UCX: inproc and HTTP only',
      evidence,
      fix: ['install libucx-dev, libsodium-dev and libssl-dev, then: npm run build:native'],
    });
  }
  if (facts.newerSource !== '') {
    return warn('addon', {
      summary: 'the native part is older than its sources',
      evidence: [...evidence, `${facts.newerSource} was changed since`],
      fix: ['npm run build:native'],
    });
  }
  return ok('addon', `loaded, protocol version ${facts.protocolVersion}, with UCX`, evidence);
}
