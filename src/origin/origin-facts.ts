/** An origin's facts about itself: the real server learns its types from its host, an origin has a small table. */
import { LearnedFacts } from '../proxy/fleet/learned-facts.ts';

/** The name of a volume server with 4-byte offsets. */
export const originServer = 'SeaweedFS Volume 30GB 4.44';
export const originVersion = '30GB 4.44 ';

/** Extensions that demos and tests use, with the types that the real server gives them. */
const types: Readonly<Record<string, string>> = {
  '.bin': 'application/octet-stream',
  '.css': 'text/css; charset=utf-8',
  '.csv': 'text/csv; charset=utf-8',
  '.gif': 'image/gif',
  '.gz': 'application/gzip',
  '.htm': 'text/html; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.jpeg': 'image/jpeg',
  '.jpg': 'image/jpeg',
  '.js': 'application/javascript',
  '.json': 'application/json',
  '.log': 'text/plain; charset=utf-8',
  '.md': 'text/markdown; charset=utf-8',
  '.mp4': 'video/mp4',
  '.pdf': 'application/pdf',
  '.png': 'image/png',
  '.svg': 'image/svg+xml',
  '.txt': 'text/plain; charset=utf-8',
  '.wasm': 'application/wasm',
  '.webp': 'image/webp',
  '.xml': 'application/xml',
  '.zip': 'application/zip',
};

/** Known from the start and for good, where a proxy's facts are learned and expire. */
export class OriginFacts extends LearnedFacts {
  override get server(): string {
    return originServer;
  }

  override get auth(): 'open' {
    return 'open';
  }

  override typeOf(ext: string): string {
    return types[ext] ?? types[ext.toLowerCase()] ?? '';
  }
}
