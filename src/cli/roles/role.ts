/** The life of a role's process: start, ready, reload on SIGHUP, drain on SIGTERM, the end. */
import { constants } from 'node:os';
import { ConfigError } from '../../config/problem.ts';
import { RdmaUnavailableError } from '../../rdma/errors.ts';
import { exitCodes } from '../exit-codes.ts';
import {
  type DescriptorUse,
  descriptorLimit,
  explainDescriptors,
  fewDescriptors,
  refuseFewDescriptors,
} from './descriptor-failure.ts';
import { deviceWarnings, explainFabric, type FabricKeys } from './fabric-failure.ts';
import { createLog, type Logger, type LogOptions, type RoleLog } from './log.ts';
import type { LogFormatOption } from './log-options.ts';
import { ServiceManager } from './service-manager.ts';
import { explainStart, type StartPlace } from './start-failure.ts';

export interface RunningRole {
  /** Every bound address, for the line with "event":"ready"; undefined: the role has logged that line itself. */
  readonly bound: Readonly<Record<string, string>> | undefined;
  /** Finishes what is in flight, within the time. */
  close(drainMs: number): Promise<void>;
  /** Reads the configuration anew. Throws ConfigError: everything stays as it is. */
  reload?(): void;
}

/** Options of the command line. */
export interface RoleOptions extends LogFormatOption {
  readonly config?: string;
}

/** Under which keys is written what a role must have to start. */
export interface RoleKeys {
  readonly places: readonly StartPlace[];
  readonly fabric: FabricKeys;
  readonly descriptors: DescriptorUse;
}

const drainMs = 10_000;

/** The command line wins over the file. */
export function logOptions(
  { level, format }: LogOptions,
  { logFormat = format }: LogFormatOption = {},
): LogOptions {
  return { level, format: logFormat };
}

/** Resolves when the role is ready; ends the process when it cannot be, and when it was told to stop. */
export async function runRole(
  name: string,
  logOptions: LogOptions,
  keys: RoleKeys,
  start: (log: RoleLog) => Promise<RunningRole>,
): Promise<void> {
  const log = await createLog(logOptions);
  const { logger, flush } = log;
  const end = (code: number): never => {
    flush();
    process.exit(code);
  };
  const crash = (error: unknown): void => {
    logger.fatal({ event: 'crash', role: name, error }, 'a bug ends the process');
    end(exitCodes.failed);
  };
  process.on('uncaughtException', crash);
  process.on('unhandledRejection', crash);

  // Read at once: without a descriptor /proc cannot be read.
  const limit = descriptorLimit();
  // A signal before the role is ready ends it like any other process.
  let running: RunningRole;
  try {
    refuseFewDescriptors(limit, keys.descriptors);
    const few = fewDescriptors(limit, keys.descriptors) ?? [];
    for (const warning of [few, deviceWarnings(keys.fabric)].flat()) {
      logger.warn({ event: 'configuration' }, warning);
    }
    running = await start(log);
  } catch (error) {
    const found =
      explainDescriptors(error, limit, keys.descriptors) ??
      explainFabric(error, keys.fabric) ??
      (await explainStart(error, keys.places));
    const said = error instanceof Error ? error.message : String(error);
    const { message = said, ...facts } = found ?? {};
    logger.fatal({ event: 'start-failed', role: name, code: codeOf(error), ...facts }, message);
    return end(exitCodeOf(error));
  }
  const manager = new ServiceManager(logger, process.env);
  onStop(name, { logger, manager }, running, end);
  const ready = `${name} serves ${Object.values(running.bound ?? {}).join(', ')}`;
  process.on('SIGHUP', () => {
    void manager.reloading();
    reload(logger, running);
    void manager.ready(ready);
  });
  if (running.bound !== undefined) {
    const fields = { event: 'ready', role: name, pid: process.pid, ...running.bound };
    logger.info(fields, `${name} is ready`);
  }
  await manager.ready(ready);
}

function onStop(
  name: string,
  { logger, manager }: { readonly logger: Logger; readonly manager: ServiceManager },
  running: RunningRole,
  end: (code: number) => void,
): void {
  let isStopping = false;
  const stop = (signal: 'SIGTERM' | 'SIGINT'): void => {
    if (isStopping) {
      logger.warn({ event: 'killed', role: name, signal }, 'ended at once by a second signal');
      end(128 + constants.signals[signal]);
    }
    isStopping = true;
    logger.info({ event: 'draining', role: name, signal }, `${name} finishes what is in flight`);
    // Earlier messages, such as the end of a reload, must leave too.
    const told = manager.stopping('finishes what is in flight');
    Promise.all([running.close(drainMs), told]).then(
      () => {
        logger.info({ event: 'stopped', role: name }, `${name} has stopped`);
        end(exitCodes.done);
      },
      (error: unknown) => {
        logger.error({ event: 'stop-failed', role: name, error }, `${name} did not stop cleanly`);
        end(exitCodes.failed);
      },
    );
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
}

function reload(logger: Logger, running: RunningRole): void {
  if (running.reload === undefined) {
    logger.info({ event: 'reload' }, 'this role has nothing to reload');
    return;
  }
  try {
    running.reload();
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    logger.error({ event: 'reload-failed' }, message);
  }
}

export function exitCodeOf(error: unknown): number {
  if (error instanceof ConfigError) return exitCodes.configuration;
  if (error instanceof RdmaUnavailableError) {
    return error.code === 'untrusted-network' ? exitCodes.configuration : exitCodes.unavailable;
  }
  // Addresses that cannot be bound, hosts that cannot be looked up.
  return codeOf(error) === undefined ? exitCodes.failed : exitCodes.unavailable;
}

function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}
