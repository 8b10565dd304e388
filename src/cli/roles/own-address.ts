/** A volume server's name that leads back to this very process: known only on the machine that the role runs on. */
import { lookup } from 'node:dns/promises';
import type { HostPort, ListenAddress } from '../../config/address.ts';
import { formatHostPort, formatListen } from '../../config/address.ts';
import { addressOfUrl, isOfThisMachine, reachedAt } from '../../config/listen-places.ts';
import { ConfigError } from '../../config/problem.ts';

export interface OwnPlace {
  readonly key: string;
  readonly address: ListenAddress;
}

/**
 * A proxy whose requests come back to it asks itself without end, until its descriptors run out. A name that cannot be
 * looked up now is left to the probe of the volume server. @throws ConfigError
 */
export async function refuseOwnAddress(
  file: string | undefined,
  listener: OwnPlace,
  urls: readonly string[],
): Promise<void> {
  for (const url of urls) {
    const peer = addressOfUrl(url);
    if (peer === undefined) continue;
    const own = (await addressesOf(peer)).find(
      (each) => isOfThisMachine(each.host) && reachedAt(listener.address, each) !== 'no',
    );
    if (own === undefined) continue;
    const message = `the volume server ${url} is this proxy: ${listener.key} = "${formatListen(listener.address)}" listens at ${formatHostPort(own)} too. Set ${listener.key} to another address or port, or the volume server's URL to where it listens`;
    const { key } = listener;
    throw new ConfigError([{ source: file ?? '(defaults)', line: undefined, key, message }]);
  }
}

async function addressesOf({ host, port }: HostPort): Promise<readonly HostPort[]> {
  const found = await lookup(host, { all: true }).catch(() => []);
  return found.map(({ address }) => ({ host: address, port }));
}
