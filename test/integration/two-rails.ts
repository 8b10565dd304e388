/** Two network namespaces with two cables between them: one for a proxy, one for its target. */
import { spawnSync } from 'node:child_process';

export interface Cable {
  readonly device: string;
  readonly proxyAddress: string;
  readonly targetAddress: string;
}

export interface TwoRails {
  readonly cables: readonly [Cable, Cable];
  /** What runs a command on the host of the proxy, and on that of the target. */
  readonly onProxy: readonly string[];
  readonly onTarget: readonly string[];
  setLink(cable: Cable, state: 'up' | 'down'): void;
  /** The share of packets on the cable that are lost, both ways, in percent; 0: none. */
  loseOn(cable: Cable, percent: number): void;
  /** Drops all packets but those to and from the target's own port, so that UCX gets none. */
  leavePortAlone(port: number | undefined): void;
  /** Bits a second from target to proxy; undefined: as fast as it goes. */
  slow(cable: Cable, kilobits: number | undefined): void;
  /** Bits a second of each connection from target to proxy, as on a bond of links that takes one for each connection. */
  slowEach(cable: Cable, kilobits: number): void;
  remove(): void;
}

const cables: TwoRails['cables'] = [
  { device: 'cable1', proxyAddress: '10.213.78.1', targetAddress: '10.213.78.2' },
  { device: 'cable2', proxyAddress: '10.213.79.1', targetAddress: '10.213.79.2' },
];

/** A text: why this machine does not let one have them. */
export function makeTwoRails(): TwoRails | string {
  const [proxy, target] = [`srp${process.pid}`, `srt${process.pid}`];
  const steps = [
    ['ip', 'netns', 'add', proxy],
    ['ip', 'netns', 'add', target],
    ...[proxy, target].map((name) => ['ip', '-n', name, 'link', 'set', 'lo', 'up']),
    ...cables.flatMap(({ device, proxyAddress, targetAddress }) => [
      [
        'ip',
        '-n',
        proxy,
        'link',
        'add',
        device,
        'type',
        'veth',
        'peer',
        'name',
        device,
        'netns',
        target,
      ],
      ['ip', '-n', proxy, 'addr', 'add', `${proxyAddress}/24`, 'dev', device],
      ['ip', '-n', target, 'addr', 'add', `${targetAddress}/24`, 'dev', device],
      ['ip', '-n', proxy, 'link', 'set', device, 'up'],
      ['ip', '-n', target, 'link', 'set', device, 'up'],
    ]),
    // The kernel takes a moment to call a link running, and UCX counts only those.
    ...[proxy, target].flatMap((name) =>
      cables.map(({ device }) => [...inside(name), 'sh', '-c', untilUp(device)]),
    ),
    [
      'ip',
      'netns',
      'exec',
      target,
      'nft',
      'table inet loss { chain in { type filter hook input priority 0; }; chain out { type filter hook output priority 0; }; }',
    ],
  ];
  const remove = (): void => {
    for (const name of [proxy, target]) spawnSync('ip', ['netns', 'del', name]);
  };
  for (const step of steps) {
    const fault = run(step);
    if (fault === undefined) continue;
    remove();
    return fault;
  }
  const must = (...words: readonly string[]): void => {
    const fault = run(words);
    if (fault !== undefined) throw new Error(fault);
  };
  const onTarget = inside(target);
  return {
    cables,
    onProxy: inside(proxy),
    onTarget,
    setLink: ({ device }, state) => must('ip', '-n', proxy, 'link', 'set', device, state),
    loseOn({ device }, percent) {
      must(...onTarget, 'nft', 'flush table inet loss');
      if (percent === 0) return;
      const lost = `numgen random mod 100 < ${percent} drop`;
      must(...onTarget, 'nft', `add rule inet loss in iifname ${device} ${lost}`);
      must(...onTarget, 'nft', `add rule inet loss out oifname ${device} ${lost}`);
    },
    leavePortAlone(port) {
      must(...onTarget, 'nft', 'flush table inet loss');
      if (port === undefined) return;
      must(...onTarget, 'nft', `add rule inet loss in iifname != lo tcp dport != ${port} drop`);
      must(...onTarget, 'nft', `add rule inet loss out oifname != lo tcp sport != ${port} drop`);
    },
    slow({ device }, kilobits) {
      const place = [
        'tc',
        'qdisc',
        kilobits === undefined ? 'del' : 'replace',
        'dev',
        device,
        'root',
      ];
      const rate = ['tbf', 'rate', `${kilobits}kbit`, 'burst', '10kb', 'limit', '10mb'];
      must(...onTarget, ...place, ...(kilobits === undefined ? [] : rate));
    },
    slowEach({ device }, kilobits) {
      must(...onTarget, 'tc', 'qdisc', 'replace', 'dev', device, 'root', 'handle', '1:', 'htb');
      for (const link of Array.from({ length: linksOfBond }, (_, index) => index)) {
        const [parent, own] = [['dev', device, 'parent', '1:'], `1:${link + 1}`];
        const rate = ['htb', 'rate', `${kilobits}kbit`, 'burst', '50kb', 'cburst', '50kb'];
        must(...onTarget, 'tc', 'class', 'add', ...parent, 'classid', own, ...rate);
        // Linux gives ports of one parity to connections.
        const port = ['match', 'ip', 'dport', `${link * 2}`, `0x${portBits.toString(16)}`];
        const filter = ['protocol', 'ip', 'u32', ...port, 'flowid', own];
        must(...onTarget, 'tc', 'filter', 'add', ...parent, ...filter);
      }
    },
    remove,
  };
}

const linksOfBond = 8;
const portBits = (linksOfBond - 1) * 2;

function inside(name: string): readonly string[] {
  return ['ip', 'netns', 'exec', name];
}

function untilUp(device: string): string {
  return `for i in $(seq 100); do ip link show ${device} | grep -q 'state UP' && exit; sleep 0.1; done; exit 1`;
}

/** undefined: it worked. */
function run([command = '', ...words]: readonly string[]): string | undefined {
  const { error, status, stderr } = spawnSync(command, words, { encoding: 'latin1' });
  if (error === undefined && status === 0) return undefined;
  return `${[command, ...words].join(' ')}: ${error?.message ?? stderr.trim()}`;
}
