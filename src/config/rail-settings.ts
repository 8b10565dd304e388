/** Settings of [rdma] for rails: several ways from the proxy to a target, each over a device of its own. */
import { duration, type Field, type Fields, flag, hostPort, integer, ucxNames } from './field.ts';
import type { Problems } from './settings.ts';

/** One, or several. */
export type OneOrMore = string | readonly string[];

export interface RailSettings {
  readonly railTimeoutMs: number;
  readonly fallbackTcp: boolean;
  /** Sessions with each target over each rail, or over the one way that there is. */
  readonly connections: number;
}

/** Sessions of each proxy at the target, without those that `fallback_tcp` adds. */
export const railsMax: number = 8;
/** Addresses of one target. */
export const addressesMax: number = 16;

export const railFields: Fields<RailSettings> = {
  railTimeoutMs: duration('rail_timeout', '200ms', { min: 20, max: 60_000 }),
  fallbackTcp: flag('fallback_tcp', false),
  connections: integer('connections', 1, { min: 1, max: railsMax }),
};

/** A text, or a list of them: rails. */
export function devices(key: string, initial: string): Field<OneOrMore> {
  return oneOrMore(ucxNames(key, initial), railsMax);
}

/** Takes what `field` takes, or a list of 1 to `countMax`. */
function oneOrMore(field: Field<string>, countMax: number): Field<OneOrMore> {
  const schema = {
    anyOf: [
      field.schema,
      { type: 'array', items: { minLength: 1, ...field.schema }, minItems: 1, maxItems: countMax },
    ],
  };
  return {
    ...field,
    kind: 'strings',
    schema,
    parse(raw, report) {
      if (!Array.isArray(raw)) return field.parse(raw, report);
      if (raw.length === 0 || raw.length > countMax) {
        report([], `expected a list of 1 to ${countMax}, not of ${raw.length}`);
        return undefined;
      }
      const parsed = raw.map((item: unknown) => {
        if (item !== '') return field.parse(item, report);
        report([], 'has an empty text in its list');
        return undefined;
      });
      return parsed.every((item) => item !== undefined) ? parsed : undefined;
    },
  };
}

/** Addresses of one target; `''` says that there is none. */
export function targetOrNone(key: string): Field<OneOrMore> {
  const some = targetAddresses(key, '');
  return {
    ...some,
    schema: { anyOf: [some.schema, { const: '' }] },
    parse: (raw, report) => (raw === '' ? '' : some.parse(raw, report)),
  };
}

export function targetAddresses(key: string, initial: string): Field<OneOrMore> {
  return oneOrMore(hostPort(key, initial), addressesMax);
}

export function listOf(value: OneOrMore): readonly string[] {
  return typeof value === 'string' ? [value] : value;
}

export function firstOf(value: OneOrMore): string {
  return listOf(value)[0] ?? '';
}

/** The devices of rails; a single one is none. */
export function railsOf(deviceName: OneOrMore): readonly string[] {
  const names = listOf(deviceName);
  return names.length > 1 ? names : [];
}

export interface RailChoice {
  readonly mode: string;
  readonly transport: string;
  readonly deviceName: OneOrMore;
  readonly timeoutMs?: number;
  readonly railTimeoutMs?: number;
  readonly fallbackTcp?: boolean;
  readonly connections?: number;
}

/** `targets`: key → addresses of each target. */
export function checkRails(
  choice: RailChoice,
  targets: ReadonlyMap<string, OneOrMore>,
  problems: Problems,
): void {
  const { mode, transport, deviceName, fallbackTcp = false, connections = 1 } = choice;
  if (mode === 'off') return;
  const rails = railsOf(deviceName);
  if (rails.length > 0 || fallbackTcp || connections > 1) checkRailTimeout(choice, problems);
  if (fallbackTcp && (transport === 'tcp' || transport === 'inproc')) {
    problems.add(
      'rdma.fallback_tcp',
      `is for UCX: with transport = "${transport}" there is nothing to fall back from`,
    );
  }
  for (const [key, addresses] of targets) {
    const list = listOf(addresses);
    const twice = list.find((address, index) => list.indexOf(address) !== index);
    if (twice !== undefined) problems.add(key, `"${twice}" is listed twice`);
    if (list.length > 1 && rails.length === 0 && !fallbackTcp) {
      problems.add(key, 'several addresses are for rails: make rdma.device_name a list of devices');
    }
  }
  if (connections > 1 && transport === 'inproc') {
    problems.add('rdma.connections', 'several connections are not for transport "inproc"');
  }
  if (rails.length === 0) return;
  if (rails.length * connections > railsMax) {
    problems.add(
      'rdma.connections',
      `${rails.length} rails with ${connections} connections each are more than ${railsMax} sessions with a target`,
    );
  }
  const twice = rails.find((name, index) => rails.indexOf(name) !== index);
  if (twice !== undefined) problems.add('rdma.device_name', `"${twice}" is listed twice`);
  const joined = rails.find((name) => /[,\s]/.test(name) || name === 'auto' || name === 'all');
  if (joined !== undefined) {
    problems.add(
      'rdma.device_name',
      `"${joined}": each rail is one device; a text alone leaves the choice among several to UCX`,
    );
  }
  if (transport === 'inproc') {
    problems.add('rdma.device_name', 'a list of devices (rails) is not for transport "inproc"');
  }
}

function checkRailTimeout(
  { timeoutMs = Number.POSITIVE_INFINITY, railTimeoutMs = 0 }: RailChoice,
  problems: Problems,
): void {
  if (railTimeoutMs < timeoutMs) return;
  problems.add(
    `rdma.${problems.isGiven('rdma.rail_timeout') ? 'rail_timeout' : 'timeout'}`,
    'rdma.rail_timeout is not shorter than timeout: no read would be left to another rail',
  );
}
