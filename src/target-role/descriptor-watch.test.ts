import { describe, expect, it } from 'vitest';
import { DescriptorWatch } from './descriptor-watch.ts';

describe('the watch of descriptors', () => {
  it('says once that there are too few, with what to set, and once that there are enough', () => {
    const lines: object[] = [];
    const write = (level: string) => (fields: object, message: string) =>
      lines.push({ level, ...fields, message });
    const now = { limit: 80, volumes: 60, without: 0, sessionsMax: 10 };
    const watch = new DescriptorWatch(() => now, { info: write('info'), warn: write('warn') });
    watch.look();
    expect(watch.shortage()).toBeUndefined();
    now.without = 40;
    watch.look();
    now.without = 41;
    watch.look();
    expect(watch.shortage()).toContain('41 of 60 volumes are not served');
    now.without = 0;
    watch.look();
    expect(lines).toEqual([
      {
        level: 'warn',
        event: 'descriptors-short',
        limit: 80,
        volumes: 60,
        without: 40,
        message:
          '40 of 60 volumes are not served: RLIMIT_NOFILE is 80, and a volume takes 2 descriptors. About 396 are needed with 10 sessions (systemd: LimitNOFILE=396; a shell: ulimit -n 396; Docker: --ulimit nofile=396)',
      },
      expect.objectContaining({ level: 'info', event: 'descriptors-enough' }),
    ]);
  });
});
