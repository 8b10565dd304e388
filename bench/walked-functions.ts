/** Functions of src/ that this process called since it was told to watch: V8's precise coverage. */
import { Session } from 'node:inspector/promises';

/** "proxy/front/exchange.ts" → names of functions, as V8 gives them. */
export type Walk = Readonly<Record<string, readonly string[]>>;

export class WalkedFunctions {
  readonly #session = new Session();

  async watch(): Promise<void> {
    this.#session.connect();
    await this.#session.post('Profiler.enable');
    await this.#session.post('Profiler.startPreciseCoverage', { callCount: true });
    await this.#session.post('Profiler.takePreciseCoverage');
  }

  async walked(): Promise<Walk> {
    const { result } = await this.#session.post('Profiler.takePreciseCoverage');
    this.#session.disconnect();
    const walk: Record<string, string[]> = {};
    for (const { url, functions } of result) {
      const file = /\/src\/([\w/-]+\.ts)$/.exec(url)?.[1];
      if (file === undefined) continue;
      const called = functions.filter(({ ranges }) => (ranges[0]?.count ?? 0) > 0);
      if (called.length > 0) walk[file] = called.map(({ functionName }) => functionName);
    }
    return walk;
  }
}
