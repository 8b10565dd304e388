/** Layer 13: read tokens, and who beyond this machine may ask without a secret. */
import { isIPv4 } from 'node:net';
import { hasSecret } from '../../rdma/secret.ts';
import { devicesToListen, devicesToReach, resolveTransport } from '../../rdma/ucx-devices.ts';
import { authorization } from './authorization.ts';
import { type Finding, fail, ok, skip, warn } from './check.ts';
import { ask } from './http-question.ts';
import { type Settings, type Setup, usesUcx } from './setup.ts';
import type { VolumeServerFacts } from './volume-server.ts';

export interface TokenFacts {
  readonly url: string;
  readonly wantsTokens: boolean | undefined;
  /** Whether a token that is signed with the configured key is taken; undefined: not tried. */
  readonly takesToken: boolean | undefined;
}

/** The volume does not exist: 404 when the token is taken, 401 when it is not. */
const noNeedle = '0,000000000000';

export async function gatherTokens(
  servers: readonly VolumeServerFacts[],
  readKey: string | undefined,
  timeoutMs: number,
): Promise<readonly TokenFacts[]> {
  return Promise.all(
    servers.map(async ({ url, wantsTokens }) => {
      if (readKey === undefined || wantsTokens !== true) {
        return { url, wantsTokens, takesToken: undefined };
      }
      const headers = authorization(readKey, noNeedle);
      const result = await ask(new URL(`/${noNeedle}`, url), timeoutMs, headers);
      const takesToken = result.kind === 'failed' ? undefined : result.answer.status !== 401;
      return { url, wantsTokens, takesToken };
    }),
  );
}

export function judgeSecurity(
  settings: Settings | undefined,
  tokens: readonly TokenFacts[],
  exposed: readonly string[],
): readonly Finding[] {
  if (settings === undefined) {
    const names = [
      'read-tokens',
      'http-exposure',
      'admin-exposure',
      'secret-exposure',
      'ucx-exposure',
    ] as const;
    return names.map((name) => skip(name, 'needs a configuration'));
  }
  return [
    ...readTokens(settings, tokens),
    httpExposure(settings),
    adminExposure(settings),
    secretExposure(settings),
    ucxExposure(settings, exposed),
  ];
}

function readTokens({ role, readKey }: Settings, tokens: readonly TokenFacts[]): Finding[] {
  if (role === 'target') {
    return [skip('read-tokens', "the proxy's part: the target takes the proxy's word")];
  }
  if (tokens.length === 0) return [skip('read-tokens', 'no volume server')];
  return tokens.map((facts) => readToken(facts, readKey !== undefined));
}

function readToken({ url, wantsTokens, takesToken }: TokenFacts, hasKey: boolean): Finding {
  const evidence = [
    `GET ${url}/${noNeedle} without a token: ${wantsTokens === undefined ? 'no answer' : wantsTokens ? '401' : 'not 401'}`,
    `a jwt.signing.read.key: ${hasKey ? 'read from seaweedfs.security_toml' : 'none is configured'}`,
  ];
  if (wantsTokens === undefined) {
    return skip('read-tokens', `${url}: not known whether it wants read tokens`, evidence);
  }
  if (wantsTokens && !hasKey) {
    return fail('read-tokens', {
      summary: `${url} wants read tokens and there is no key: every read passes through (auth-unknown)`,
      evidence,
      fix: [
        'set seaweedfs.security_toml = "/etc/seaweedfs/security.toml", the file with jwt.signing.read.key that the volume server uses',
      ],
    });
  }
  if (takesToken === false) {
    return fail('read-tokens', {
      summary: `${url} refuses a token that is signed with the configured key`,
      evidence: [...evidence, 'with a token of this key: 401'],
      fix: [
        "seaweedfs.security_toml: the volume server's own file (jwt.signing.read.key differs), and clocks that agree",
      ],
    });
  }
  if (!wantsTokens && hasKey) {
    return warn('read-tokens', {
      summary: `${url} wants no read tokens, and a key is configured`,
      evidence,
      fix: [
        'give the volume server the same security.toml, or leave seaweedfs.security_toml empty',
      ],
    });
  }
  return ok('read-tokens', `${url}: ${wantsTokens ? 'the key fits' : 'reads are open'}`, evidence);
}

function isBeyondThisHost(host: string): boolean {
  return host !== 'localhost' && host !== '::1' && !(isIPv4(host) && host.startsWith('127.'));
}

/** Reports the default, which is no mistake: but an operator who relies on -whiteList must know it. */
function httpExposure({ listeners }: Settings): Finding {
  const http = listeners.find(({ key }) => key === 'http.listen');
  if (http === undefined) return skip('http-exposure', "the proxy's part");
  if ('path' in http.address) return ok('http-exposure', 'http.listen is a socket file');
  const { host } = http.address;
  if (!isBeyondThisHost(host)) return ok('http-exposure', 'loopback alone');
  return ok(
    'http-exposure',
    `a client that reaches ${host} has the rights of this proxy's address`,
    [
      "the volume server sees the proxy's address, not the client's: where its -whiteList has that, everybody who comes through here may write",
    ],
  );
}

function adminExposure({ adminHost, hasAdminToken }: Settings): Finding {
  if (adminHost === undefined) return ok('admin-exposure', 'admin.listen is a socket file');
  const evidence = [
    `admin.listen is on ${adminHost}, admin.token_file ${hasAdminToken ? 'is set' : 'is not set'}`,
  ];
  if (hasAdminToken || !isBeyondThisHost(adminHost)) {
    return ok(
      'admin-exposure',
      hasAdminToken ? 'a token is asked for' : 'loopback alone',
      evidence,
    );
  }
  return warn('admin-exposure', {
    summary: `everybody who reaches ${adminHost} may use the admin listener`,
    evidence,
    fix: ['set admin.token_file, or admin.listen to 127.0.0.1, or a NetworkPolicy'],
  });
}

function secretExposure(settings: Settings): Finding {
  const { role, insecure, targets, listeners } = settings;
  const isSet = hasSecret(settings.secret);
  const far =
    role === 'target'
      ? listeners.flatMap(({ key, address }) =>
          key === 'rdma.port' && 'host' in address ? [address.host] : [],
        )
      : targets.map(({ host }) => host);
  const beyond = far.filter(isBeyondThisHost);
  const evidence = [
    `${role === 'target' ? 'rdma.listen' : 'targets'}: ${far.join(', ') || 'none'}; rdma.secret_file ${isSet ? 'is set' : 'is not set'}${insecure ? ', insecure = true' : ''}`,
  ];
  if (isSet) return ok('secret-exposure', 'a secret is asked for', evidence);
  if (beyond.length === 0) return ok('secret-exposure', 'loopback alone', evidence);
  return warn('secret-exposure', {
    summary:
      role === 'target'
        ? 'without a secret everybody who reaches the port may read every needle'
        : `no secret for ${beyond.join(', ')}: any server that answers there is believed`,
    evidence,
    fix: [
      'set rdma.secret_file, the same content on proxies and targets (and remove insecure = true)',
    ],
  });
}

/** `exposed`: network devices beyond loopback on which UCX's TCP listens. */
function ucxExposure(settings: Settings, exposed: readonly string[]): Finding {
  const { isNetworkTrusted } = settings;
  const evidence = [
    `UCX's TCP listens beyond loopback on: ${exposed.join(', ') || 'nothing'}; rdma.ucx_tcp_trusted_network = ${isNetworkTrusted}`,
  ];
  if (!usesUcx(settings) || exposed.length === 0) {
    return ok('ucx-exposure', 'no TCP port of UCX beyond loopback', evidence);
  }
  if (isNetworkTrusted) {
    return warn('ucx-exposure', {
      summary: `a host that reaches a TCP port of UCX on ${exposed.join(', ')} can write into the process`,
      evidence,
      fix: ['let only proxies and targets reach these hosts: docs/security.md has rules for it'],
    });
  }
  return fail('ucx-exposure', {
    summary: `the role does not start: UCX would open a TCP port on ${exposed.join(', ')}`,
    evidence,
    fix: [
      'set rdma.ucx_tcp_trusted_network = true where only proxies and targets reach this host, or use RDMA alone',
    ],
  });
}

/** With the transport that "auto" is on this machine, where that is TCP. */
export async function withTransport(setup: Setup): Promise<Setup> {
  const { settings } = setup;
  if (settings?.transport !== 'auto') return setup;
  const exposed = await gatherExposed(settings);
  const deviceName = settings.deviceName;
  const transport = resolveTransport('auto', { deviceName, exposed }, settings.isNetworkTrusted);
  return transport === 'ucx' ? setup : { ...setup, settings: { ...settings, transport } };
}

/** Returns the exposed network devices, by the routes and devices of this machine. */
export async function gatherExposed(settings: Settings | undefined): Promise<readonly string[]> {
  if (settings === undefined) return [];
  const { role, targets, listenHost } = settings;
  const { exposed } =
    role === 'target' && listenHost !== undefined
      ? devicesToListen(settings, listenHost)
      : await devicesToReach(
          settings,
          targets.map(({ host }) => host),
        );
  return exposed;
}
