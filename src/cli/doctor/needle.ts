/** Layer 14: the same needle over the target and from the volume server, byte by byte. */
import { type Finding, fail, ok, skip, warn } from './check.ts';
import type { NeedleEvidence } from './needles.ts';

export function judgeNeedles(
  facts: readonly NeedleEvidence[],
  /** Why there is nothing to compare; '' when there is. */
  why: string,
): readonly Finding[] {
  if (why !== '') {
    return [
      skip('needle-bytes', why, ['would compare a needle over RDMA with the same over HTTP']),
    ];
  }
  const findings = facts.map(judgeNeedle);
  const sound = findings.filter(({ result }) => result === 'ok');
  // Needles that agree are one line, each of the others has its own.
  if (sound.length < 2) return findings;
  const summary = `${sound.length} needles are the same over RDMA and HTTP`;
  const evidence = sound.flatMap((finding) => finding.evidence);
  return [ok('needle-bytes', summary, evidence), ...findings.filter((one) => one.result !== 'ok')];
}

function judgeNeedle(facts: NeedleEvidence): Finding {
  const { fid, rdma, rdmaBytes, http, httpBytes, httpFailure, firstDifferenceAt, url } = facts;
  const evidence = [
    `${fid}: over ${facts.target} ${rdma === 'ok' ? `${rdmaBytes} bytes` : rdma}, from ${url} ${http === 0 ? httpFailure : `${http}, ${httpBytes} bytes`}${facts.isCompressed ? ', stored as gzip' : ''}`,
  ];
  if (rdma === 'corrupt' || rdma === 'io_error') return damaged(facts, evidence);
  if (http === 0)
    return skip('needle-bytes', `${fid}: the volume server does not answer`, evidence);
  if (http === 401) {
    return fail('needle-bytes', {
      summary: `${fid}: the volume server wants a read token`,
      evidence,
      fix: [
        'set seaweedfs.security_toml to the file with its jwt.signing.read.key (see read-tokens)',
      ],
    });
  }
  if (facts.isManifest) return skip('needle-bytes', `${fid} is a chunk manifest`, evidence);
  if (rdma === 'too_large')
    return skip('needle-bytes', `${fid} is larger than is compared`, evidence);
  // An index, too, lists it until the volume is compacted.
  if (rdma === 'expired' && http === 404)
    return skip('needle-bytes', `${fid} has expired, both say`, evidence);
  if (rdma !== 'ok' && http !== 200) {
    return warn('needle-bytes', {
      summary: `${fid}: neither way gives it`,
      evidence,
      fix: ['--fid with a needle that exists (weed upload, or a fid of the filer)'],
    });
  }
  if (rdma !== 'ok') {
    return fail('needle-bytes', {
      summary: `${fid}: the volume server has it, the target answers ${rdma}`,
      evidence,
      fix: [
        'look at announced-volumes: the target must stand beside this volume server (target.dirs, target.volume_server_url)',
        `seaweed-rdma read ${fid} --config FILE --metadata`,
      ],
    });
  }
  if (http !== 200) {
    return fail('needle-bytes', {
      summary: `${fid}: the target has it, the volume server answers ${http}`,
      evidence,
      fix: [
        'set the volume server of this target: volume_server_url (or url of [[seaweedfs.volume_server]]) is another server',
      ],
    });
  }
  if (firstDifferenceAt >= 0) {
    return fail('needle-bytes', {
      summary: `${fid}: the bytes differ from byte ${firstDifferenceAt}`,
      evidence,
      fix: [
        'stop the proxies (rdma.mode = "off") until it is understood; then seaweed-rdma volume verify DIR on the target\'s host',
        'target.dirs and target.volume_server_url must be of one server',
      ],
    });
  }
  return ok('needle-bytes', `${fid}: the same ${rdmaBytes} bytes both ways`, evidence);
}

function damaged({ fid, rdma, http }: NeedleEvidence, evidence: readonly string[]): Finding {
  const volumeId = fid.split(',')[0];
  return fail('needle-bytes', {
    summary: `${fid}: the record on disk is damaged (${rdma}${http === 0 ? '' : `; the volume server answers ${http}`})`,
    evidence,
    fix: [
      `seaweed-rdma volume verify DIR --volume ${volumeId} names every damaged needle`,
      `weed shell: volume.check.disk, or restore volume ${volumeId} from a replica`,
    ],
  });
}
