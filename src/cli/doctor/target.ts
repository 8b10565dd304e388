/** Layer 11: the way to each target, told apart step by step: name, port, session, secret, transport, round trip. */

import type { RailStatus } from '../../rdma/rails/rail-status.ts';
import { isActive } from '../../rdma/rdma-ports.ts';
import { hasSecret } from '../../rdma/secret.ts';
import { percentiles } from '../../telemetry/percentiles.ts';
import { type Finding, fail, ok, skip, warn } from './check.ts';
import type { RdmaDevice } from './devices.ts';
import { type ListeningSocket, type Owner, shownCommand } from './processes.ts';
import type { SessionFacts, Sessions, TargetFacts } from './sessions.ts';
import type { Settings } from './setup.ts';
import { isOnThisHost } from './this-host.ts';

/** Facts beside the targets themselves. */
export interface TargetContext {
  readonly listeners: readonly ListeningSocket[];
  readonly devices: readonly RdmaDevice[];
  /** The configured UCX_TLS, "auto" without one. */
  readonly tls: string;
  readonly deviceName: string;
  /** rdma.transport = "tcp". */
  readonly isStream?: boolean;
}

const names = [
  'target-address',
  'target-port',
  'target-session',
  'rails',
  'transport',
  'ping',
] as const;

export function judgeTargets(
  settings: Settings | undefined,
  sessions: Pick<Sessions, 'failure' | 'looks'> | undefined,
  context: TargetContext,
): readonly Finding[] {
  if (settings === undefined || sessions === undefined) {
    const why =
      settings === undefined
        ? 'needs a configuration'
        : 'rdma.mode = "off": every read passes through';
    const would = 'would look up, connect, prove the secret, and ask for round trips';
    return names.map((name) => skip(name, why, name === 'target-session' ? [would] : []));
  }
  if (settings.transport === 'inproc') {
    return names.map((name) => skip(name, 'transport = "inproc": there is no target'));
  }
  if (settings.targets.length === 0) {
    const why = settings.role === 'target' ? 'rdma.port = 0: not known' : 'no target is configured';
    return names.map((name) => skip(name, why));
  }
  return sessions.looks.flatMap(({ facts }) => [
    targetAddress(facts, settings),
    targetPort(facts, settings, context),
    targetSession(facts, settings, context, sessions.failure),
    railsOf(facts),
    transport(facts, context),
    ping(facts),
  ]);
}

/** Each is a way of its own: the others serve without it. */
function railsOf({ name, session }: TargetFacts): Finding {
  const rails = session?.rails;
  if (rails === undefined) return skip('rails', `${name}: one way, or none`);
  const carries = ({ state }: RailStatus): boolean => state === 'admitted' || state === 'trial';
  const evidence = rails.map((rail) =>
    carries(rail)
      ? `${rail.name}: up over ${rail.transport}${rail.isNear ? '' : ', on another NUMA node'}`
      : `${rail.name}: ${rail.reason}`,
  );
  const up = rails.filter(carries).length;
  const summary = `${name}: ${up} of ${rails.length} rails are up`;
  if (up === rails.length) return ok('rails', summary, evidence);
  return warn('rails', {
    summary,
    evidence,
    fix: [
      'ip link show, rdma link: the device must be up, with an address in a network of the target',
      'rdma.target: list an address of the target for each rail; over UCX the target needs rdma.device_name as a list, too',
    ],
  });
}

function targetAddress(
  { name, host, addresses, lookupFailure }: TargetFacts,
  settings: Settings,
): Finding {
  if (lookupFailure === '') {
    return ok('target-address', name, [`${host}: ${addresses.join(', ')}`]);
  }
  return fail('target-address', {
    summary: `${name}: the name is not known`,
    evidence: [lookupFailure],
    fix: [`set ${settings.targetKey} to a name that resolves here (getent hosts ${host})`],
  });
}

function targetPort(facts: TargetFacts, settings: Settings, context: TargetContext): Finding {
  const { name, port, lookupFailure, tcpFailure, tcpMs, session } = facts;
  if (lookupFailure !== '') return skip('target-port', `${name}: the name is not known`);
  const evidence = [
    `TCP connect to ${name}: ${tcpFailure === '' ? 'accepted' : tcpFailure} after ${tcpMs.toFixed(1)} ms`,
  ];
  // A session says more than a connection: UCX may listen by other means than TCP.
  if (tcpFailure === '' || session?.state.kind === 'up') {
    return ok('target-port', `${name} accepts connections`, evidence);
  }
  if (tcpFailure === 'ECONNREFUSED') {
    if (isNotStarted(facts, settings, context)) {
      return warn('target-port', {
        summary: `${name}: the target does not run`,
        evidence,
        fix: ['seaweed-rdma target --config FILE, or systemctl start its unit'],
      });
    }
    return fail('target-port', {
      summary: `${name}: nothing listens there`,
      evidence,
      fix: [
        `set ${settings.targetKey} to what the target's "ready" line says (rdma), or start the target there`,
        `on its host: ss -ltnp | grep ${port}; rdma.listen must not be 127.0.0.1 for other hosts`,
      ],
    });
  }
  return fail('target-port', {
    summary: `${name}: ${tcpFailure === 'ETIMEDOUT' ? 'times out' : `unreachable (${tcpFailure})`}`,
    evidence,
    fix: [
      `open TCP port ${port} in firewall and NetworkPolicy, and check ${settings.targetKey}`,
      'ip route get of the address above',
    ],
  });
}

/** On the target's own host, looked at before it was started. */
function isNotStarted(
  { port }: TargetFacts,
  { role }: Settings,
  { listeners }: TargetContext,
): boolean {
  return role === 'target' && !listeners.some((listener) => listener.port === port);
}

function targetSession(
  facts: TargetFacts,
  settings: Settings,
  context: TargetContext,
  clientFailure: string,
): Finding {
  const { name, tcpFailure, session } = facts;
  if (clientFailure !== '') {
    return fail('target-session', {
      summary: `${name}: UCX does not start here`,
      evidence: [clientFailure],
      fix: ['see ucx-transports, memlock and hugepages above'],
    });
  }
  if (session === undefined) return skip('target-session', `${name}: the name is not known`);
  const { state, waitedMs } = session;
  if (state.kind === 'up') {
    return ok('target-session', `${name}: the secret is accepted`, [
      `session over ${state.transport} after ${waitedMs.toFixed(0)} ms, ${session.volumes.length} volumes announced`,
    ]);
  }
  const evidence = [
    state.kind === 'silent'
      ? `no answer within ${waitedMs.toFixed(0)} ms`
      : `${state.status}${state.detail === '' ? '' : `: ${state.detail}`}`,
  ];
  if (state.kind === 'down' && state.status === 'unauthorized') {
    return fail('target-session', {
      summary: `${name}: wrong secret`,
      evidence: [
        ...evidence,
        !hasSecret(settings.secret) ? 'rdma.secret_file is not set here' : '',
      ].filter((line) => line !== ''),
      fix: [
        'rdma.secret_file: the same content here and on the target (compare: sha256sum FILE), then restart',
      ],
    });
  }
  if (state.kind === 'down' && state.status === 'unsupported_version') {
    return fail('target-session', {
      summary: `${name}: it speaks another protocol version`,
      evidence,
      fix: ['install the same version of seaweed-rdma on both hosts'],
    });
  }
  if (tcpFailure !== '') return skip('target-session', `${name} does not accept connections`);
  return noSession(facts, settings, context, evidence);
}

/** Something accepts, and no session comes of it. */
function noSession(
  facts: TargetFacts,
  settings: Settings,
  { listeners, deviceName }: TargetContext,
  evidence: readonly string[],
): Finding {
  const { name, host, port, session, httpServer } = facts;
  const says = (words: RegExp): boolean => evidence.some((line) => words.test(line));
  const owner = isOnThisHost(host)
    ? listeners.find((listener) => listener.port === port && listener.owner !== undefined)?.owner
    : undefined;
  const isElse = httpServer !== '' || (owner !== undefined && owner.role !== 'target');
  if (isElse || says(strangerWords)) return somethingElse(facts, settings, owner, evidence);
  const isStopped = owner?.state === 'T' || owner?.state === 't';
  if (session?.state.kind === 'silent' || says(silentWords) || isStopped) {
    return noAnswer(facts, owner, evidence);
  }
  if (says(natWords)) {
    return fail('target-session', {
      summary: `${name}: the target accepts, and a source NAT or a relay stands between`,
      evidence,
      fix: [
        'exempt connections from this host to the target from the NAT (nft list ruleset, iptables -t nat -S; Kubernetes: hostNetwork for the proxy): over TCP UCX dials the address that it sees',
      ],
    });
  }
  if (says(ipcWords)) {
    return fail('target-session', {
      summary: `${name}: the target accepts, and UCX takes shared memory that it cannot use`,
      evidence,
      fix: [
        'give proxy and target an IPC namespace and a /dev/shm each (Kubernetes: no hostIPC; docker: no --ipc=host)',
        'or set rdma.tls = "tcp", or the transports of an RDMA device, on both sides',
      ],
    });
  }
  // It has admitted this host on the control connection: the rest is UCX's.
  return fail('target-session', {
    summary: says(noDialWords)
      ? `${name}: the target accepts, and cannot dial this host back`
      : `${name}: the target accepts, and UCX finds no way to it`,
    evidence: [...evidence, `device_name = "${deviceName}"`],
    fix: [
      'rdma.device_name = "auto" and rdma.tls = "auto" here and on the target',
      'over TCP: let each host reach all ports of the other (UCX dials in both directions), without source NAT between; this host must come from the first address of its device (ip route get, ip -o address show)',
    ],
  });
}

const strangerWords = /another program, or a target of an older version|^protocol_error/;
const silentWords = /no answer within/;
const natWords = /a source NAT or a relay stands between/;
const ipcWords = /share an IPC namespace but not/;
const noDialWords = /Operation rejected by remote peer|Endpoint is not connected/;

/** The kernel accepts connections for a process that does not run. */
function noAnswer(
  { name, port }: TargetFacts,
  owner: Owner | undefined,
  evidence: readonly string[],
): Finding {
  if (owner?.state === 'T' || owner?.state === 't') {
    return fail('target-session', {
      summary: `${name}: the target there is stopped (pid ${owner.pid}): connections are accepted and nothing is answered`,
      evidence: [
        ...evidence,
        `/proc/${owner.pid}/stat: state ${owner.state} (SIGSTOP, or a debugger)`,
      ],
      fix: [`kill -CONT ${owner.pid}, or end it and start the target anew`],
    });
  }
  const who = owner === undefined ? [] : [`pid ${owner.pid}: ${shownCommand(owner.command)}`];
  return fail('target-session', {
    summary: `${name}: something accepts connections there and does not answer`,
    evidence: [...evidence, ...who],
    fix: [
      `on its host: ss -ltnp 'sport = :${port}', then ps -o pid,stat,wchan,args -p PID: a stat of T is a stopped process (kill -CONT PID), D one that waits for a disk; else end it and start the target anew`,
      `if another program listens there, or a firewall between swallows what follows the connection: open TCP port ${port} for both directions, or set the target's address anew`,
    ],
  });
}

function somethingElse(
  { name, httpServer }: TargetFacts,
  { targetKey }: Settings,
  owner: Owner | undefined,
  evidence: readonly string[],
): Finding {
  const what = httpServer === '' ? '' : ` (it answers HTTP${serverText(httpServer)})`;
  return fail('target-session', {
    summary: `${name}: something else listens there${what}`,
    evidence: [
      ...evidence,
      owner === undefined
        ? 'it accepts TCP connections and does not speak the protocol'
        : `pid ${owner.pid}: ${shownCommand(owner.command)}`,
    ],
    fix: [
      `set ${targetKey} to the target's address (its "ready" line: rdma; not the volume server's port, not the admin port)`,
      'if it is the target: the same rdma.tls and fitting rdma.device_name on both hosts',
    ],
  });
}

function serverText(server: string): string {
  return server === 'HTTP' ? '' : `, Server: ${server}`;
}

const rdmaTransports = /^(rc|dc|ud|ib|srd|gga)/;

export function isSharedMemory(name: string): boolean {
  return /^(posix|sysv|cma|knem|xpmem|self|mm|sm|inproc)/.test(name);
}

function transport({ name, session, addresses }: TargetFacts, context: TargetContext): Finding {
  if (session?.state.kind !== 'up') return skip('transport', `${name}: no session`);
  const { transport: used } = session.state;
  const { devices, tls, deviceName } = context;
  const active = devices.filter(({ ports }) => ports.some(isActive)).map((device) => device.name);
  const evidence = [
    `messages go over ${used} to ${addresses.join(', ')}`,
    `active RDMA devices here: ${active.join(', ') || 'none'}; rdma.tls = "${tls}", rdma.device_name = "${deviceName}"`,
  ];
  if (rdmaTransports.test(used)) return ok('transport', `${name}: RDMA (${used})`, evidence);
  if (isSharedMemory(used)) {
    return ok('transport', `${name}: shared memory (${used}), on this host`, evidence);
  }
  if (context.isStream) {
    return ok('transport', `${name}: ${used}, a TCP connection, as rdma.transport says`, evidence);
  }
  if (active.length === 0) {
    return ok('transport', `${name}: ${used}, as there is no RDMA device`, evidence);
  }
  return fail('transport', {
    summary: `${name}: ${used}, although ${active.join(', ')} is active here`,
    evidence,
    fix: [
      `rdma.device_name = "${active[0]}:1" and rdma.tls = "auto" on both hosts; run the doctor on the target's host too`,
      'the address of rdma.target must be one of the RDMA network, not of another',
    ],
  });
}

const slowPingUs = 5_000;

function ping({ name, session }: TargetFacts): Finding {
  if (session?.state.kind !== 'up') return skip('ping', `${name}: no session`);
  const evidence = pingEvidence(session);
  if (session.pingsLost > 0) {
    return fail('ping', {
      summary: `${name}: ${session.pingsLost} round trips were lost`,
      evidence,
      fix: [
        'seaweed-rdma ping --count 1000 --config FILE; look for loss on the link (ethtool -S, perfquery)',
      ],
    });
  }
  const { p50 } = percentiles(session.roundTripsUs);
  if (p50 > slowPingUs) {
    return warn('ping', {
      summary: `${name}: ${p50.toFixed(0)} µs are more than a local network takes`,
      evidence,
      fix: ['put proxy and target into one network; look at the load of both hosts'],
    });
  }
  return ok('ping', `${name}: ${p50.toFixed(1)} µs`, evidence);
}

function pingEvidence({ roundTripsUs, pingsLost }: SessionFacts): readonly string[] {
  const { count, min, p50, p99, max } = percentiles(roundTripsUs);
  const text = [min, p50, p99, max].map((value) => value.toFixed(1)).join(' / ');
  return [`${count} round trips, min / p50 / p99 / max ${text} µs, ${pingsLost} lost`];
}
