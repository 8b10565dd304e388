export interface RoleProcess {
  /** The ready line: every bound address by its name (http, rdma, admin). */
  readonly bound: Readonly<Record<string, string>>;
  /** Lines that the role wrote to stdout and stderr so far. */
  readonly log: readonly string[];
  readonly pid: number;
  /** The role's exit code, or the signal that ended it. */
  readonly ended: Promise<number | string>;
  /** SIGTERM, then SIGKILL where it does not end by itself. */
  stop(): Promise<number | string>;
}

export interface RoleOptions {
  /** TOML text. */
  readonly config?: string;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** A command that runs it, and stays the same process: ['ip', 'netns', 'exec', NAME]. */
  readonly under?: readonly string[];
}

/** Rejects with the role's log when it ends or is not ready in time. */
export function startRole(role: string, options: RoleOptions): Promise<RoleProcess>;
