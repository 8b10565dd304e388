/** Reads as clients send them: some needles far more often than others, at a rate that goes up and down. */
import { Agent, type OutgoingHttpHeaders, request } from 'node:http';
import type { Sample, Samples } from './samples.ts';

export interface Traffic {
  stop(): void;
}

const tickMs = 100;
const readsPerTickMax = 24;

export function startTraffic(base: string, { needles }: Samples): Traffic {
  const agent = new Agent({ keepAlive: true, maxSockets: 16 });
  const startedAt = Date.now();
  const get = (fid: string, headers: OutgoingHttpHeaders = {}): void => {
    const sent = { 'User-Agent': 'Go-http-client/1.1', ...headers };
    const asked = request(`${base}/${fid}`, { agent, headers: sent }, (answer) => answer.resume());
    // A refused read is what the pictures show, not a failure of theirs.
    asked.on('error', () => undefined).end();
  };
  const timer = setInterval(() => {
    const wave = 0.55 + 0.45 * Math.sin((Date.now() - startedAt) / 7_000);
    const reads = Math.round(readsPerTickMax * wave);
    for (let i = 0; i < reads; i += 1) {
      const rank = Math.floor(needles.length * Math.random() ** 3);
      get((needles[rank] as Sample).fid);
    }
    if (Math.random() < 0.2) get('3,ffffffffff01234567');
  }, tickMs);
  return {
    stop() {
      clearInterval(timer);
      agent.destroy();
    },
  };
}
