/** target.toml → the configuration of the target role. */
import { ipv4Within, isLoopback } from './address.ts';
import { checkAdmin } from './admin-settings.ts';
import { type EffectiveKey, listKeys } from './effective-keys.ts';
import { refuseOtherRole } from './file-role.ts';
import { freeze } from './freeze.ts';
import { addressOfUrl, checkPlaces } from './listen-places.ts';
import { checkRails, listOf, railsOf } from './rail-settings.ts';
import { readSecretFile, readSecrets } from './secret-file.ts';
import { type ConfigSource, nameOfSource, type Problems, readSettings } from './settings.ts';
import { type TargetSettings, targetSchema } from './target-schema.ts';

export interface TargetConfig extends Omit<TargetSettings, 'rdma'> {
  readonly role: 'target';
  readonly rdma: Omit<TargetSettings['rdma'], 'deviceName'> & {
    /** UCX_NET_DEVICES: those of a list with commas between them. */
    readonly deviceName: string;
    /** The devices were a list: a session stays on the one over which it came. */
    readonly keepsDevice: boolean;
  };
  /** undefined: defaults and environment only. */
  readonly file: string | undefined;
  /** Shared with the proxies: none, one, or two while they are being changed. */
  readonly secrets: readonly string[];
  /** The token that the admin listener asks for. */
  readonly adminToken: string | undefined;
  /** For the log. */
  readonly warnings: readonly string[];
  /** The effective values, key by key, for people: effectiveKeys(). */
  readonly keys: readonly EffectiveKey[];
}

/** @throws ConfigError with everything that is wrong. */
export function loadTargetConfig(
  source: ConfigSource,
  environment: NodeJS.ProcessEnv,
): TargetConfig {
  refuseOtherRole('target', source);
  const read = readSettings(targetSchema, source, environment);
  const { settings, problems } = read;
  checkCombinations(settings, problems);
  const config: TargetConfig = {
    ...settings,
    role: 'target',
    rdma: {
      ...settings.rdma,
      deviceName: listOf(settings.rdma.deviceName).join(','),
      keepsDevice: railsOf(settings.rdma.deviceName).length > 0,
    },
    file: nameOfSource(source),
    secrets: readSecrets(settings.rdma, problems),
    adminToken: readSecretFile('admin.token_file', settings.admin.tokenFile, problems),
    warnings: problems.warnings,
    keys: listKeys(targetSchema, read, { fitted: {}, idle: [] }),
  };
  problems.throwIfAny();
  return freeze(config);
}

function checkCombinations({ rdma, target, admin }: TargetSettings, problems: Problems): void {
  const ipv4 = ipv4Within(rdma.listen);
  if (ipv4 !== undefined) {
    problems.add(
      'rdma.listen',
      `"${rdma.listen}" is an IPv4 address written as IPv6 (v4-mapped), at which UCX does not listen: set rdma.listen = "${ipv4}"`,
    );
  } else if (!isLoopback(rdma.listen) && rdma.secretFile === '' && !rdma.insecure) {
    problems.add(
      'rdma.listen',
      `"${rdma.listen}" is not loopback: give rdma.secret_file, or insecure = true if everybody who reaches this port may read every needle`,
    );
  }
  checkRails({ ...rdma, mode: 'target' }, new Map(), problems);
  if (rdma.ucxPort !== 0 && 'port' in admin.listen && admin.listen.port === rdma.ucxPort) {
    problems.add('rdma.ucx_port', 'is the port of admin.listen too: give each a port of its own');
  }
  if (target.dirs.length === 0)
    problems.add('target.dirs', "is empty: the volume server's -dir list");
  if (target.idxDirs.length > 1 && target.idxDirs.length !== target.dirs.length) {
    problems.add('target.idx_dirs', 'must be empty, one for all, or one for each of target.dirs');
  }
  if (target.volumeServerUrl === '' && !target.unconfirmed) {
    problems.add(
      'target.volume_server_url',
      'is required: a volume is served only while its server serves it (or unconfirmed = true)',
    );
  }
  if (target.volumeServerUrl !== '' && target.unconfirmed) {
    problems.add('target.unconfirmed', 'cannot be true with target.volume_server_url: remove one');
  }
  checkAdmin(admin, problems);
  const { volumeServerUrl } = target;
  checkPlaces(
    'target',
    [
      { key: 'rdma.port', address: { host: rdma.listen, port: rdma.port } },
      { key: 'rdma.ucx_port', address: { host: rdma.listen, port: rdma.ucxPort } },
      { key: 'admin.listen', address: admin.listen },
    ],
    [
      {
        key: 'target.volume_server_url',
        name: 'volume server',
        address: addressOfUrl(volumeServerUrl),
      },
    ],
    problems,
  );
}
