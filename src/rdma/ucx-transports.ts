/**
 * Reads the transports that a value of UCX_TLS allows: a list of names, or with ^ the names left out of all. A
 * backslash takes a name exactly; ":aux" takes it for connecting alone, and its port is open all the same. UCX knows no
 * blanks: " tcp" is no name that it could leave out. Pure.
 */

interface Transports {
  readonly isLeftOut: boolean;
  readonly names: readonly string[];
}

/** With ^ a name is taken as it stands: neither "tcp:aux" nor " tcp" leaves tcp out. */
function parse(transports: string): Transports {
  const isLeftOut = transports.startsWith('^');
  const names = transports
    .replace(/^\^/, '')
    .split(',')
    .map((name) => (isLeftOut ? name : name.trim().replace(/:.*/, '')).replace(/^\\/, ''));
  return { isLeftOut, names };
}

/** `wanted`: names that are, or contain, the transport. */
function allows(transports: string, wanted: readonly string[]): boolean {
  const { isLeftOut, names } = parse(transports);
  return isLeftOut
    ? !names.some((name) => wanted.includes(name))
    : names.some((name) => name === 'all' || wanted.includes(name));
}

export function allowsTcp(transports: string): boolean {
  return allows(transports, ['tcp']);
}

/** UCX warns of devices that none of its transports uses. */
export function allowsVerbs(transports: string): boolean {
  const { isLeftOut, names } = parse(transports);
  return isLeftOut || names.some((name) => /^(?:all$|ib|rc|ud|dc)/.test(name));
}

/** Shared memory in /dev/shm. */
export function allowsShm(transports: string): boolean {
  return allows(transports, ['posix', 'mm', 'shm', 'sm']);
}

/** System V shared memory. */
export function allowsSysv(transports: string): boolean {
  return allows(transports, ['sysv', 'mm', 'shm', 'sm']);
}

/** Nothing but what needs an RDMA port. */
export function isRdmaAlone(transports: string): boolean {
  const { isLeftOut, names } = parse(transports);
  const others = names.filter((name) => name !== 'self');
  return (
    !isLeftOut && others.length > 0 && others.every((name) => /^(?:ib|rc|ud|dc|srd)/.test(name))
  );
}
