/** Waiting that a signal ends. A result that comes too late goes to a function that tidies it up. */

/** Rejects with the signal's reason as soon as it is aborted; `late` gets the result that comes after that. */
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
