/** The doctor's input: the configuration as read, and where the machine's files lie. */

import type { Secret } from '../../rdma/secret.ts';
import type { AdminAddress } from '../admin/admin-client.ts';
import type { NeedleName } from '../needle-name.ts';
import type { CheckName } from './check.ts';

export type DoctorRole = 'proxy' | 'target';

export interface SetupProblem {
  /** "FILE:LINE", or the name of a variable. */
  readonly place: string;
  /** Dotted; '' for the file as a whole. */
  readonly key: string;
  readonly message: string;
}

/** A file that a key names and only the role may read. */
export interface SecretPath {
  readonly check: Extract<CheckName, 'secret-file' | 'token-file'>;
  readonly key: string;
  readonly path: string;
}

export interface TargetEndpoint {
  readonly host: string;
  readonly port: number;
  /** The volume server that it stands beside; undefined: none is known. */
  readonly volumeServerUrl: string | undefined;
  /** With rails: every address of the target. */
  readonly places?: readonly { readonly host: string; readonly port: number }[];
}

export interface ListenSetting {
  readonly key: string;
  readonly address: { readonly host: string; readonly port: number } | { readonly path: string };
}

/** A sound configuration of either role, in the doctor's words. Secrets are for use, never for printing. */
export function usesUcx({ mode, transport }: Pick<Settings, 'mode' | 'transport'>): boolean {
  return mode !== 'off' && (transport === 'ucx' || transport === 'auto');
}

export interface Settings {
  readonly role: DoctorRole;
  readonly mode: 'prefer' | 'require' | 'off';
  readonly transport: 'auto' | 'ucx' | 'tcp' | 'inproc';
  readonly isTlsOff: boolean;
  readonly deviceName: string;
  /** Devices, each a way of its own to every target. */
  readonly rails?: readonly string[];
  readonly tls: string;
  readonly isNetworkTrusted: boolean;
  /** `rdma.listen` of a target. */
  readonly listenHost?: string;
  readonly connectTimeoutMs: number;
  readonly secret: Secret;
  readonly targets: readonly TargetEndpoint[];
  /** The key under which a target's address is written. */
  readonly targetKey: string;
  readonly volumeServers: readonly string[];
  readonly volumeServerKey: string;
  readonly memory: {
    readonly key: string;
    readonly bytes: number;
    readonly hugepagesKey: string;
    readonly hugepages: 'try' | 'require' | 'off';
  };
  readonly descriptors: { readonly key: string; readonly count: number };
  readonly listeners: readonly ListenSetting[];
  /** Storage of the target role, and of inproc. */
  readonly storage:
    | {
        readonly key: string;
        readonly dirs: readonly string[];
        readonly idxDirs: readonly string[];
        readonly idxKey: string;
        readonly unconfirmed: boolean;
      }
    | undefined;
  /** The sidecar's temp-file mode; undefined: off. */
  readonly tempFiles: { readonly dir: string; readonly bytesMax: number } | undefined;
  readonly readKey: string | undefined;
  readonly hasAdminToken: boolean;
  /** Where the role's admin listener is asked. */
  readonly admin: AdminAddress;
  readonly adminHost: string | undefined;
  /** Whether the target role has insecure = true. */
  readonly insecure: boolean;
}

export interface Setup {
  readonly version: string;
  readonly role: DoctorRole | undefined;
  /** undefined: no configuration, checks of the machine alone. */
  readonly file: string | undefined;
  /** Why the configuration cannot be used. */
  readonly problems: readonly SetupProblem[];
  readonly warnings: readonly string[];
  /** How many keys the file or the environment sets. */
  readonly keysWritten: number;
  readonly secretPaths: readonly SecretPath[];
  /** undefined without a configuration that can be used. */
  readonly settings: Settings | undefined;
  /** UCX_*, as in this process' environment. */
  readonly ucxVariables: Readonly<Record<string, string>>;
  /** The needle to compare. */
  readonly fid: NeedleName | undefined;
  /** host:port of a master; undefined: none is asked. */
  readonly master: string | undefined;
  /** For each question to the network. */
  readonly timeoutMs: number;
  readonly roots: Roots;
  readonly nearest: Nearest;
}

/** The candidate that a misspelt name most likely meant; undefined without candidates. */
export type Nearest = (name: string, candidates: readonly string[]) => string | undefined;

/** Where the kernel shows itself; tests put other machines there. */
export interface Roots {
  readonly sys: string;
  readonly proc: string;
}
