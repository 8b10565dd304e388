/** Layer 3: UCX's version, the variables that change it, and whether it starts with the configured transports. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { ucxEnvironment } from '../../rdma/binding.ts';
import { messageOf } from '../../rdma/errors.ts';
import { createRdmaClient } from '../../rdma/rdma-client.ts';
import { listenFault, sourceFaults } from '../../rdma/ucx-addresses.ts';
import { type Finding, fail, ok, skip, warn } from './check.ts';
import { type Nearest, type Settings, type Setup, usesUcx } from './setup.ts';

export interface UcxFacts {
  /** '' without UCX. */
  readonly version: string;
  /** UCX_* of the running role, else of this process. */
  readonly variables: Readonly<Record<string, string>>;
  readonly variablesOf: string;
  readonly tls: ChosenValue;
  readonly deviceName: ChosenValue;
  /** Transports from `ucx_info -d`; undefined where that is not installed. */
  readonly transports: readonly string[] | undefined;
  /** UCX's error when it starts with the choices above; '' when it starts. */
  readonly failure: string;
  /** Addresses of this machine at which UCX's peers do not reach it. */
  readonly addressFaults: readonly string[];
  readonly isUsed: boolean;
}

/** A setting of UCX: the key wins unless it is "auto", then the variable. */
export interface ChosenValue {
  readonly value: string;
  /** "rdma.tls", "UCX_TLS", or '' where neither says anything. */
  readonly from: string;
}

const arenaBytes = 2 ** 21;
const versionMin = [1, 13] as const;

export function choiceOf(
  key: string,
  configured: string,
  variable: string,
  variables: Readonly<Record<string, string>>,
): ChosenValue {
  if (configured !== 'auto' && configured !== '') return { value: configured, from: key };
  const value = variables[variable] ?? '';
  return value === '' ? { value: 'auto', from: '' } : { value, from: variable };
}

export async function gatherUcx(
  setup: Setup,
  version: string,
  running: { readonly variables: Readonly<Record<string, string>>; readonly of: string },
): Promise<UcxFacts> {
  const { settings, ucxVariables, timeoutMs } = setup;
  const { variables } = running;
  const tls = choiceOf('rdma.tls', settings?.tls ?? 'auto', 'UCX_TLS', variables);
  const device = settings?.deviceName ?? 'auto';
  const deviceName = choiceOf('rdma.device_name', device, 'UCX_NET_DEVICES', variables);
  // The variables of this process are UCX's already; those of the running role are handed over.
  const isOwn = variables === ucxVariables;
  const given = { tls: settings?.tls ?? 'auto', deviceName: device };
  const failure =
    version === ''
      ? ''
      : startFailure(isOwn ? given : { tls: tls.value, deviceName: deviceName.value });
  return {
    version,
    variables,
    variablesOf: running.of,
    tls,
    deviceName,
    transports: await transportsOfUcxInfo(timeoutMs),
    failure,
    addressFaults: await addressFaults(settings, tls.value),
    isUsed: settings === undefined || usesUcx(settings),
  };
}

async function addressFaults(
  settings: Settings | undefined,
  tls: string,
): Promise<readonly string[]> {
  if (settings === undefined) return [];
  const { role, listenHost, targets } = settings;
  if (role === 'target') {
    const fault =
      listenHost === undefined
        ? undefined
        : listenFault({ tls, deviceName: settings.deviceName }, listenHost);
    return fault === undefined ? [] : [fault];
  }
  return sourceFaults(
    { tls },
    targets.map(({ host }) => host),
  );
}

function startFailure(choices: { readonly tls: string; readonly deviceName: string }): string {
  try {
    void createRdmaClient({ kind: 'ucx', arenaBytes, hugepages: 'off', ...choices }).close();
    return '';
  } catch (error) {
    return messageOf(error);
  }
}

async function transportsOfUcxInfo(timeoutMs: number): Promise<readonly string[] | undefined> {
  const everything = ['-u', 'UCX_TLS', '-u', 'UCX_NET_DEVICES', 'ucx_info', '-d'];
  const info = await promisify(execFile)('env', everything, { timeout: timeoutMs }).catch(
    () => undefined,
  );
  if (info === undefined) return undefined;
  const found = [...info.stdout.matchAll(/#\s+Transport:\s*(\S+)/g)];
  return [...new Set(found.map(([, name]) => name as string))].sort();
}

export function judgeUcx(facts: UcxFacts, nearest: Nearest): readonly Finding[] {
  return [
    ucxVersion(facts),
    ucxVariables(facts),
    ucxTransports(facts, nearest),
    ucxAddresses(facts),
  ];
}

function ucxVersion({ version }: UcxFacts): Finding {
  if (version === '') return skip('ucx-version', 'the native part has no UCX');
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const isOld = major < versionMin[0] || (major === versionMin[0] && minor < versionMin[1]);
  if (!isOld)
    return ok('ucx-version', `UCX ${version}`, [`the library that is loaded: ${version}`]);
  return warn('ucx-version', {
    summary: `UCX ${version} is older than what is tested (${versionMin.join('.')})`,
    evidence: [`the library that is loaded: ${version}`],
    fix: ['install a newer libucx, then: npm run build:native'],
  });
}

function ucxVariables({ variables, variablesOf, tls, deviceName }: UcxFacts): Finding {
  const names = Object.keys(variables).sort();
  const evidence = names.map(
    (name) => `${name}=${variables[name]} (environment of ${variablesOf})`,
  );
  const fix: string[] = [];
  for (const [key, variable, choice] of [
    ['rdma.tls', 'UCX_TLS', tls],
    ['rdma.device_name', 'UCX_NET_DEVICES', deviceName],
  ] as const) {
    if (variables[variable] === undefined) continue;
    if (choice.from === variable) fix.push(`unset ${variable}, and set ${key} if it was meant`);
    else fix.push(`unset ${variable}: ${key} = "${choice.value}" wins over it`);
  }
  for (const name of names) {
    const wanted = ucxEnvironment[name];
    if (wanted === undefined || wanted === variables[name]) continue;
    fix.push(`unset ${name}: this program runs with ${name}=${wanted === '' ? "''" : wanted}`);
  }
  const [first, ...others] = fix;
  if (first === undefined) {
    const summary = names.length === 0 ? 'no UCX_* variable is set' : `${names.length} UCX_* set`;
    return ok('ucx-environment', summary, evidence);
  }
  return warn('ucx-environment', {
    summary: `${fix.length} UCX_* ${fix.length === 1 ? 'variable changes' : 'variables change'} what the configuration says`,
    evidence,
    fix: [first, ...others],
  });
}

/** Aliases that UCX_TLS takes beside the names of transports. */
const tlsAliases =
  'all sm shm mm ud ud_v ud_x ud_verbs ud_mlx5 rc rc_v rc_x rc_verbs rc_mlx5 dc dc_x dc_mlx5 ib tcp self cma knem xpmem posix sysv cuda cuda_copy cuda_ipc gdr_copy rocm rocm_copy rocm_ipc ze ze_copy ze_ipc ugni srd'.split(
    ' ',
  );

function ucxTransports(facts: UcxFacts, nearest: Nearest): Finding {
  const { tls, deviceName, transports, failure, version, isUsed } = facts;
  if (version === '') return skip('ucx-transports', 'the native part has no UCX');
  if (!isUsed) return skip('ucx-transports', 'this configuration does not use UCX');
  const known = [...new Set([...tlsAliases, ...(transports ?? [])])];
  const unknown = tlsNames(tls.value).filter((name) => !known.includes(name));
  const place = tls.from === '' ? 'rdma.tls' : tls.from;
  const evidence = [
    `transports: "${tls.value}"${tls.from === '' ? '' : ` of ${tls.from}`}, devices: "${deviceName.value}"`,
    transports === undefined
      ? 'ucx_info is not installed: what there would be is not known'
      : `this machine has: ${transports.join(', ')}`,
  ];
  const better = unknown.map(
    (name) =>
      `${place}: "${name}" is no transport of UCX; the nearest is "${nearest(name, known)}"`,
  );
  const auto = isVariable(place) ? `unset ${place}` : `set ${place} = "auto"`;
  if (failure !== '') {
    return fail('ucx-transports', {
      summary: `UCX does not start with ${place === 'rdma.tls' && tls.from === '' ? 'this machine' : `${place} = ${tls.value}`}`,
      evidence: [...evidence, failure],
      fix: [startFix(facts, `${auto}, or name transports`), ...better],
    });
  }
  const [first, ...others] = better;
  if (first !== undefined) {
    return warn('ucx-transports', {
      summary: `UCX ignores ${unknown.join(', ')}`,
      evidence,
      fix: [first, ...others],
    });
  }
  return ok('ucx-transports', 'UCX starts', evidence);
}

function ucxAddresses({ addressFaults, version, isUsed }: UcxFacts): Finding {
  if (version === '') return skip('ucx-addresses', 'the native part has no UCX');
  if (!isUsed) return skip('ucx-addresses', 'this configuration does not use UCX');
  const [first, ...others] = addressFaults;
  if (first === undefined) return ok('ucx-addresses', 'its addresses have no known fault');
  return fail('ucx-addresses', {
    summary: 'UCX at the other end cannot dial an address of this host',
    fix: [first, ...others],
  });
}

/** Where nothing was chosen there is nothing to set back. */
function startFix({ tls, deviceName, transports }: UcxFacts, choose: string): string {
  if (tls.from !== '') {
    return `${choose} that this machine has${transports === undefined ? '' : ` (${transports.join(', ')})`}`;
  }
  if (deviceName.from !== '') {
    return isVariable(deviceName.from)
      ? `unset ${deviceName.from}`
      : `set ${deviceName.from} = "auto"`;
  }
  return 'the evidence has what UCX says; seaweed-rdma doctor --only memory,limits looks at the usual causes';
}

/** "^" excludes the whole list, "\" takes a name literally, ":aux" is a role. */
function tlsNames(value: string): readonly string[] {
  if (value === 'auto') return [];
  return value
    .replace(/^\^/, '')
    .split(',')
    .map((name) => name.trim().replace(/^\\/, '').replace(/:.*$/, ''))
    .filter((name) => name !== '');
}

function isVariable(place: string): boolean {
  return place.startsWith('UCX_');
}
