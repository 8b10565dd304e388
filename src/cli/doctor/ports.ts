/** Layer 8: is each address that the role listens on free, or taken, and by whom. */
import { isIPv6 } from 'node:net';
import { type Finding, fail, ok, skip } from './check.ts';
import { type ListeningSocket, shownCommand } from './processes.ts';
import type { ListenSetting, Settings } from './setup.ts';

export function judgePorts(
  settings: Settings | undefined,
  listeners: readonly ListeningSocket[],
): readonly Finding[] {
  if (settings === undefined) {
    return [
      skip('listen-address', 'needs a configuration', [
        'would look whether each listen address is free, and else who has it',
      ]),
    ];
  }
  return settings.listeners.map((place) => listenAddress(place, settings, listeners));
}

/** Whether the running role of this configuration holds the place; undefined: it does not run. */
export function runningPid(
  settings: Settings | undefined,
  listeners: readonly ListeningSocket[],
): number | undefined {
  if (settings === undefined) return undefined;
  for (const { address } of settings.listeners) {
    const held = holderOf(address, listeners);
    if (held?.owner?.role === settings.role) return held.owner.pid;
  }
  return undefined;
}

function listenAddress(
  { key, address }: ListenSetting,
  { role }: Settings,
  listeners: readonly ListeningSocket[],
): Finding {
  if ('path' in address) return skip('listen-address', `${key} is a socket file: ${address.path}`);
  const shown = `${key} = ${isIPv6(address.host) ? `[${address.host}]` : address.host}:${address.port}`;
  if (address.port === 0) return ok('listen-address', `${shown}: any free port`);
  const held = holderOf(address, listeners);
  if (held === undefined) {
    return ok('listen-address', `${shown} is free: the ${role} does not run`);
  }
  const at = `${held.host}:${held.port}`;
  if (held.owner === undefined) {
    return skip('listen-address', `${shown} is taken; this user cannot see by whom`, [
      `listening: ${at}`,
      'run the doctor as root, or as the user of the role',
    ]);
  }
  const { pid, command, role: heldBy } = held.owner;
  const evidence = [`listening: ${at}, pid ${pid}: ${shownCommand(command)}`];
  if (heldBy === role) return ok('listen-address', `${shown}: the running ${role}`, evidence);
  const who = heldBy === undefined ? (command[0] ?? 'another process') : `a ${heldBy} of ours`;
  return fail('listen-address', {
    summary: `${shown} is taken by pid ${pid} (${who}): the ${role} does not start`,
    evidence,
    fix: [`set ${key} to another port, or stop pid ${pid}`],
  });
}

type PortAddress = Exclude<ListenSetting['address'], { readonly path: string }>;

/** The listener that stands in the way of `address`. */
export function holderOf(
  address: ListenSetting['address'],
  listeners: readonly ListeningSocket[],
): ListeningSocket | undefined {
  if ('path' in address || address.port === 0) return undefined;
  return listeners.find((listener) => isSamePlace(address, listener));
}

/** Every address of the machine stands in each other's way. */
function isSamePlace({ host, port }: PortAddress, listener: ListeningSocket): boolean {
  if (listener.port !== port) return false;
  const name = host === 'localhost' ? '127.0.0.1' : host;
  return (
    [name, listener.host].some((any) => any === '0.0.0.0' || any === '::') || name === listener.host
  );
}
