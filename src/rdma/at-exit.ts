/**
 * Ends what has threads of its own before the process does. At process.exit() Node runs no clean-up of addons, and a
 * progress thread would go on while the libraries below it are being unloaded.
 */
const running = new Set<() => void>();

/** Calls `end` when the process exits, unless the returned function was called before. */
export function atExit(end: () => void): () => void {
  if (running.size === 0) process.on('exit', endAll);
  running.add(end);
  return () => {
    running.delete(end);
    if (running.size === 0) process.off('exit', endAll);
  };
}

function endAll(): void {
  for (const end of running) end();
  running.clear();
}
