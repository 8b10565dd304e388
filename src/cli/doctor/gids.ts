/** GIDs of a RoCE port: the address that RDMA packets carry. */

import type { Gid, RdmaPort } from '../../rdma/rdma-ports.ts';
import { type Finding, fail, ok, skip, warn } from './check.ts';

/** `gidIndex`: UCX_IB_GID_INDEX. */
export function judgeGid(
  { name, linkLayer, gids }: RdmaPort,
  gidIndex: string | undefined,
): Finding {
  const evidence = gids.map(
    ({ index, gid, type, netDevice }) =>
      `${name} gid ${index}: ${gid} ${type}${netDevice === '' ? '' : ` on ${netDevice}`}`,
  );
  if (linkLayer !== 'Ethernet') {
    return gids.length > 0
      ? ok('rdma-gid', `${name}: the subnet manager's GID`, evidence)
      : skip('rdma-gid', `${name}: no GID before the port is active`);
  }
  const versionTwo = gids.filter(({ type }) => type === 'RoCE v2');
  if (gidIndex !== undefined && gidIndex !== 'auto') {
    const chosen = gids.find(({ index }) => index === Number(gidIndex));
    if (chosen?.type !== 'RoCE v2') return wrongIndex(name, gidIndex, chosen, versionTwo, evidence);
  }
  const [first] = preferred(versionTwo);
  if (first !== undefined) {
    return ok('rdma-gid', `${name}: RoCE v2 at index ${first.index}`, evidence);
  }
  if (gids.length === 0) {
    return fail('rdma-gid', {
      summary: `${name}: no GID: the network device has no address`,
      evidence: [`${name}: every GID is empty`],
      fix: ['ip addr add ADDRESS/LENGTH dev the network device of the port, and ip link set it up'],
    });
  }
  return warn('rdma-gid', {
    summary: `${name}: RoCE v1 alone: not routed, and other hosts may speak v2 only`,
    evidence,
    fix: [
      'ip addr add ADDRESS/LENGTH dev the network device: an IP address makes a GID of RoCE v2',
      `cma_roce_mode -d ${name.split(':')[0]} -p ${name.split(':')[1]} -m 2`,
    ],
  });
}

function wrongIndex(
  name: string,
  gidIndex: string,
  chosen: Gid | undefined,
  versionTwo: readonly Gid[],
  evidence: readonly string[],
): Finding {
  const better = preferred(versionTwo)[0];
  return fail('rdma-gid', {
    summary: `${name}: UCX_IB_GID_INDEX=${gidIndex} is ${chosen === undefined ? 'empty' : chosen.type}`,
    evidence,
    fix: [
      better === undefined
        ? 'unset UCX_IB_GID_INDEX'
        : `unset UCX_IB_GID_INDEX, or UCX_IB_GID_INDEX=${better.index}`,
    ],
  });
}

/** Those of an IPv4 address first: they are what is routed as a rule. */
function preferred(gids: readonly Gid[]): readonly Gid[] {
  const isIpv4 = ({ gid }: Gid): boolean => gid.startsWith('0000:0000:0000:0000:0000:ffff:');
  return [...gids.filter(isIpv4), ...gids.filter((gid) => !isIpv4(gid))];
}
