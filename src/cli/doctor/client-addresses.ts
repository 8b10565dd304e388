/** Layer 16, with --master: do clients that take an address from the master arrive at this proxy? */
import { clientsPage } from '../admin/clients.ts';
import { type Finding, fail, ok, skip, warn } from './check.ts';
import type { Arrival, MasterFacts, NamedServer } from './master.ts';
import type { Settings } from './setup.ts';
import { shownIds, type VolumeServerFacts } from './volume-server.ts';

/** The clients of SeaweedFS 4.44 do this. */
const urlClients =
  'the filer, the S3 gateway, weed shell and mounts with -volumeServerAccess=direct';
const publicUrlClients =
  'mounts with -volumeServerAccess=publicUrl and programs that take publicUrl from /dir/lookup';

export function judgeClientAddresses(
  settings: Settings | undefined,
  master: string | undefined,
  facts: MasterFacts | undefined,
  servers: readonly VolumeServerFacts[],
): readonly Finding[] {
  const what = 'would compare what the master names with http.listen';
  if (settings === undefined || settings.role === 'target') {
    const why = settings === undefined ? 'needs a configuration' : 'clients come to a proxy';
    return [skip('client-addresses', why, [what])];
  }
  if (master === undefined || facts === undefined) {
    return [skip('client-addresses', 'needs --master HOST:PORT', [what])];
  }
  if (facts.kind === 'failed') {
    return [
      fail('client-addresses', {
        summary: `the master ${master} cannot be asked: ${facts.detail}`,
        evidence: [`GET http://${master}/dir/status: ${facts.detail}`],
        fix: [
          'give the HTTP address of a master (weed master -port, 9333 by default), and let this host ask it (-whiteList, firewall)',
        ],
      }),
    ];
  }
  if (facts.servers.length === 0) {
    return [
      warn('client-addresses', {
        summary: `the master ${master} names no volume server`,
        fix: ['start the volume servers with -master of this cluster'],
      }),
    ];
  }
  return facts.servers.map((server) => ofServer(server, servers, settings));
}

function ofServer(
  server: NamedServer,
  configured: readonly VolumeServerFacts[],
  settings: Settings,
): Finding {
  const { url, publicUrl, volumeIds, lookup } = server;
  const evidence = [
    `url ${arrivalText(url)}; taken by ${urlClients}`,
    `publicUrl ${arrivalText(publicUrl)}; taken by ${publicUrlClients}`,
    ...(lookup === '' ? [] : [lookup]),
  ];
  const comesByUrl = url.at === 'proxy';
  const comesByPublicUrl = publicUrl.at === 'proxy';
  if (!comesByUrl && !comesByPublicUrl) {
    const fix = [
      `weed volume -publicUrl=${listenText(settings)}, for ${publicUrlClients}`,
      `for every other client: bring the server's own address to the proxy, as ${clientsPage} says`,
    ] as const;
    return fail('client-addresses', {
      summary: `${url.address}: no client arrives at this proxy`,
      evidence,
      fix,
    });
  }
  const isKnown = configured.some(({ volumes }) => volumeIds.some((id) => volumes?.includes(id)));
  if (volumeIds.length > 0 && !isKnown) {
    return warn('client-addresses', {
      summary: `${url.address}: clients arrive, but no configured volume server has its volumes (${shownIds(volumeIds)})`,
      evidence,
      fix: [`add the server to ${settings.volumeServerKey} or a [[seaweedfs.volume_server]]`],
    });
  }
  if (comesByUrl && comesByPublicUrl) {
    return ok('client-addresses', `${url.address}: every client arrives at this proxy`, evidence);
  }
  return comesByUrl
    ? warn('client-addresses', {
        summary: `${url.address}: clients that take publicUrl (${publicUrl.address}) go past this proxy`,
        evidence,
        fix: [`weed volume -publicUrl=${listenText(settings)}`],
      })
    : warn('client-addresses', {
        summary: `${url.address}: only clients that take publicUrl (${publicUrl.address}) arrive at this proxy`,
        evidence,
        fix: [
          `bring the server's own address to the proxy, as ${clientsPage} says: ${urlClients} take that`,
        ],
      });
}

function arrivalText({ address, at, how }: Arrival): string {
  const where = {
    proxy: 'arrives at this proxy',
    elsewhere: 'goes past this proxy',
    silent: 'is not answered',
  }[at];
  return `${address} ${where} (${how})`;
}

function listenText({ listeners }: Settings): string {
  const listen = listeners.find(({ key }) => key === 'http.listen')?.address;
  if (listen === undefined || 'path' in listen) return 'HOST:PORT of http.listen';
  const host = listen.host === '0.0.0.0' || listen.host === '::' ? '127.0.0.1' : listen.host;
  return `${host.includes(':') ? `[${host}]` : host}:${listen.port}`;
}
