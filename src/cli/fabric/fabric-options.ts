/** `--target HOST:PORT [--secret-file FILE]` or `--config FILE` → the targets that a tool asks. */
import { parseHostPort } from '../../config/address.ts';
import { checkFile } from '../../config/check-file.ts';
import { loadProxyConfig } from '../../config/proxy-config.ts';
import { readSecretOption } from '../../config/secret-file.ts';
import { loadTargetConfig } from '../../config/target-config.ts';
import type { TransportChoice } from '../../rdma/ucx-devices.ts';
import { exitCodes } from '../exit-codes.ts';
import { ToolFailure } from '../tool-failure.ts';
import type { FabricOptions } from './fabric.ts';

export interface FabricFlags {
  readonly target?: string;
  readonly secretFile?: string;
  readonly config?: string;
  readonly deviceName: string;
  readonly tls: string;
  readonly transport: TransportChoice;
  readonly tlsOff: boolean;
  readonly connectTimeout: number;
}

/** undefined when neither is given. Throws ConfigError, and ToolFailure for what contradicts itself. */
export function fabricOptions(flags: FabricFlags): FabricOptions | undefined {
  if (flags.target !== undefined && flags.config !== undefined) {
    throw new ToolFailure('give --target or --config, not both', exitCodes.usage);
  }
  if (flags.target !== undefined) return fromTarget(flags, flags.target);
  if (flags.config !== undefined) return fromConfig(flags, flags.config);
  return undefined;
}

export function requiredFabricOptions(flags: FabricFlags): FabricOptions {
  const options = fabricOptions(flags);
  if (options !== undefined) return options;
  throw new ToolFailure(
    'no target is named: give --target HOST:PORT or --config FILE',
    exitCodes.usage,
  );
}

function fromTarget(flags: FabricFlags, text: string): FabricOptions {
  const address = parseHostPort(text);
  if (address === undefined) {
    throw new ToolFailure(`--target "${text}" is not host:port`, exitCodes.usage);
  }
  const secret = flags.secretFile === undefined ? '' : readSecretOption(flags.secretFile);
  const { transport, tlsOff: isTlsOff, deviceName, tls, connectTimeout: connectTimeoutMs } = flags;
  const targets = [{ ...address, secret, connectTimeoutMs }];
  const fabric = { transport, isTlsOff, deviceName, tls } as const;
  return { kind: 'ucx', targets, ...fabric, isNetworkTrusted: true };
}

function fromConfig(flags: FabricFlags, file: string): FabricOptions {
  const { connectTimeout: connectTimeoutMs } = flags;
  if (checkFile(file, undefined, process.env).role === 'target') {
    const { rdma, secrets } = loadTargetConfig(file, process.env);
    const { transport, isTlsOff, deviceName, tls, isNetworkTrusted, port } = rdma;
    // The tool runs beside the target: every address of this machine is reached over loopback.
    const host = rdma.listen === '0.0.0.0' || rdma.listen === '::' ? '127.0.0.1' : rdma.listen;
    const targets = [{ host, port, secret: secrets, connectTimeoutMs }];
    const rails = rdma.keepsDevice ? deviceName.split(',') : [];
    const fabric = { transport, isTlsOff, deviceName, rails, tls } as const;
    return { kind: 'ucx', targets, ...fabric, isNetworkTrusted };
  }
  const { rdma, volumeServers, secrets } = loadProxyConfig(file, process.env);
  if (rdma.transport === 'inproc') return { kind: 'inproc', dirs: rdma.dirs };
  const { transport, isTlsOff, deviceName, rails, tls, isNetworkTrusted } = rdma;
  const targets = volumeServers.flatMap(({ target }) => {
    const address = target === undefined ? undefined : parseHostPort(target);
    return address === undefined ? [] : [{ ...address, secret: secrets, connectTimeoutMs }];
  });
  const fabric = { transport, isTlsOff, deviceName, rails, tls } as const;
  if (targets.length > 0) return { kind: 'ucx', targets, ...fabric, isNetworkTrusted };
  throw new ToolFailure(`${file} names no target (mode = "${rdma.mode}")`, exitCodes.configuration);
}
