/**
 * Loads the native part once per thread and checks that it belongs to this build. The only file that knows where the .node file lies and how UCX is to be tuned through its environment.
 */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { RdmaUnavailableError } from './errors.ts';
import type { Binding } from './native-types.ts';
import { layoutVersion } from './shared-layout.ts';

/** Version of native/protocol/wire.h. */
export const protocolVersion = 2;

/**
 * UCX reads its variables when the library is loaded, so what is unset is set before that. Each value guards against
 * something that UCX 1.13 was seen to do.
 */
export const ucxEnvironment: Readonly<Record<string, string>> = {
  // UCX patches libc's memory functions while V8's threads run: one process in seventy crashed at exit.
  UCX_MEM_EVENTS: 'no',
  // Else UCX replaces V8's SIGSEGV handler, and a crash inside malloc becomes a hang.
  UCX_ERROR_SIGNALS: '',
  // Else UCX takes SIGHUP, which reloads the configuration here.
  UCX_DEBUG_SIGNO: '',
  UCX_WARN_UNUSED_ENV_VARS: 'n',
  // Else its words stand between the JSON lines of a log and in what a tool prints.
  UCX_LOG_FILE: 'stderr',
  // Endpoints report a dead peer; without these two only tcp does, and shared memory is not used at all.
  UCX_MM_ERROR_HANDLING: 'y',
  UCX_CMA_MEMORY_INVALIDATE: 'y',
  // A restarted target binds its port again while old connections are in TIME_WAIT.
  UCX_TCP_CM_REUSEADDR: 'y',
  // A peer that goes away in the middle of a large put trips an assertion (tcp_ep.c:939) and aborts this process.
  UCX_TCP_PUT_ENABLE: 'n',
  // A partition on an idle connection is noticed within some 4 s instead of 27.
  UCX_TCP_KEEPIDLE: '2s',
  UCX_TCP_KEEPINTVL: '1s',
  UCX_TCP_KEEPCNT: '2',
  // Else the 1,024th connection that says nothing is the last one that a listener takes, until one of them ends.
  UCX_ASYNC_MAX_EVENTS: '65536',
};

let loaded: Binding | undefined;

/** Throws RdmaUnavailableError with what to do. In a worker thread the main thread must have loaded it first. */
export function loadBinding(): Binding {
  loaded ??= load();
  return loaded;
}

export function addonPath(): string {
  // Two levels below the package root, both as source (src/rdma) and compiled (dist/rdma).
  return join(import.meta.dirname, '..', '..', 'build', 'Release', 'seaweed_rdma.node');
}

function load(): Binding {
  const path = addonPath();
  if (!existsSync(path)) {
    throw new RdmaUnavailableError(
      'addon-missing',
      `the native part is not built (${path} is missing): run "npm run setup", or "npm run build:native" where the packages are installed`,
    );
  }
  for (const [name, value] of Object.entries(ucxEnvironment)) process.env[name] ??= value;
  const binding = requireAddon(path);
  refuseOtherVersion(binding);
  return binding;
}

/** @throws RdmaUnavailableError for a native part that was built from other sources than this program. */
export function refuseOtherVersion(
  binding: Pick<Binding, 'protocolVersion' | 'layoutVersion'>,
): void {
  const built = `protocol version ${binding.protocolVersion} and memory layout ${binding.layoutVersion ?? 'unknown'}`;
  const wanted = `protocol version ${protocolVersion} and memory layout ${layoutVersion}`;
  if (built === wanted) return;
  throw new RdmaUnavailableError(
    'addon-version',
    `the native part has ${built}, this program has ${wanted}: run "npm run build:native"`,
  );
}

function requireAddon(path: string): Binding {
  try {
    return createRequire(import.meta.url)(path) as Binding;
  } catch (cause) {
    const detail = cause instanceof Error ? cause.message : String(cause);
    throw new RdmaUnavailableError(
      'addon-missing',
      `the native part cannot be loaded: ${detail} (run "npm run setup")`,
      { cause },
    );
  }
}
