/** Two network namespaces with a cable between them: one for the roles, one for whoever attacks them. */
import { spawnSync } from 'node:child_process';

export interface TwoHosts {
  /** What runs a command on the host of the roles, and on the other one. */
  readonly onHost: readonly string[];
  readonly onOther: readonly string[];
  /** Of the roles' host, beyond loopback. */
  readonly address: string;
  readonly otherAddress: string;
  /** The network device that has it. */
  readonly device: string;
  remove(): void;
}

const address = '10.213.77.1';
const otherAddress = '10.213.77.2';

/** A text: why this machine does not let one have them. */
export function makeTwoHosts(): TwoHosts | string {
  const [host, other] = [`srh${process.pid}`, `sro${process.pid}`] as const;
  const device = 'cable';
  const steps = [
    ['netns', 'add', host],
    ['netns', 'add', other],
    ['-n', host, 'link', 'add', device, 'type', 'veth', 'peer', 'name', device, 'netns', other],
    ['-n', host, 'addr', 'add', `${address}/24`, 'dev', device],
    ['-n', other, 'addr', 'add', `${otherAddress}/24`, 'dev', device],
    ['-n', host, 'link', 'set', 'lo', 'up'],
    ['-n', host, 'link', 'set', device, 'up'],
    ['-n', other, 'link', 'set', device, 'up'],
  ];
  const remove = (): void => {
    for (const name of [host, other]) spawnSync('ip', ['netns', 'del', name]);
  };
  for (const step of steps) {
    const { error, status, stderr } = spawnSync('ip', step, { encoding: 'latin1' });
    if (error === undefined && status === 0) continue;
    remove();
    return `ip ${step.join(' ')}: ${error?.message ?? stderr.trim()}`;
  }
  const on = (name: string): readonly string[] => ['ip', 'netns', 'exec', name];
  return { onHost: on(host), onOther: on(other), address, otherAddress, device, remove };
}
