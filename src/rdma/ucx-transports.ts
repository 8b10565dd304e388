/**
 * Reads the transports that a value of UCX_TLS allows: a list of names, or with ^ the names left out of all. A
 * backslash takes a name exactly; ":aux" takes it for connecting alone, and its port is open all the same. UCX knows no
 * blanks: " tcp" is no name that it could leave out. Pure.
 */

interface Transports {
  readonly isLeftOut: boolean;
  readonly names: readonly string[];
}

function parse(transports: string): Transports {
  const names = transports
    .replace(/^\^/, '')
    .split(',')
    .map((name) => name.trim().replace(/^\\/, '').replace(/:.*/, ''));
  return { isLeftOut: transports.startsWith('^'), names };
}

/** With ^ a name is taken as it stands: neither "tcp:aux" nor " tcp" leaves tcp out. */
function leavesOut(transports: string, wanted: readonly string[]): boolean {
  const names = transports.replace(/^\^/, '').split(',');
  return names.some((name) => wanted.includes(name.replace(/^\\/, '')));
}

export function allowsTcp(transports: string): boolean {
  const { isLeftOut, names } = parse(transports);
  return isLeftOut
    ? !leavesOut(transports, ['tcp'])
    : names.some((name) => name === 'tcp' || name === 'all');
}

/** UCX warns of devices that none of its transports uses. */
export function allowsVerbs(transports: string): boolean {
  const { isLeftOut, names } = parse(transports);
  return isLeftOut || names.some((name) => /^(?:all$|ib|rc|ud|dc)/.test(name));
}

/** Names that are, or contain, shared memory in /dev/shm. */
const shmNames = ['posix', 'mm', 'shm', 'sm'];

export function allowsShm(transports: string): boolean {
  const { isLeftOut, names } = parse(transports);
  return isLeftOut
    ? !leavesOut(transports, shmNames)
    : names.some((name) => name === 'all' || shmNames.includes(name));
}

/** Nothing but what needs an RDMA port. */
export function isRdmaAlone(transports: string): boolean {
  const { isLeftOut, names } = parse(transports);
  const others = names.filter((name) => name !== 'self');
  return (
    !isLeftOut && others.length > 0 && others.every((name) => /^(?:ib|rc|ud|dc|srd)/.test(name))
  );
}
