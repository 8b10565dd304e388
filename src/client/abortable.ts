/** Waiting that a signal ends. What comes too late is handed to whoever tidies it up. */

/** Rejects with the signal's reason as soon as it is aborted; `late` gets the result that nobody waits for then. */
export function abortable<T>(
  pending: Promise<T>,
  signal: AbortSignal | undefined,
  late: (result: T) => void,
): Promise<T> {
  if (signal === undefined) return pending;
  return new Promise<T>((resolve, reject) => {
    const abort = (): void => {
      reject(signal.reason);
    };
    signal.addEventListener('abort', abort, { once: true });
    pending.then((result) => {
      signal.removeEventListener('abort', abort);
      if (signal.aborted) late(result);
      else resolve(result);
    }, reject);
  });
}
