import { describe, expect, it } from 'vitest';
import { LearnedFacts, learnedFactsDefaults } from './learned-facts.ts';

function factsAt(limits: Partial<typeof learnedFactsDefaults> = {}): {
  facts: LearnedFacts;
  advance: (ms: number) => void;
} {
  let now = 1000;
  const facts = new LearnedFacts({ ...learnedFactsDefaults, ...limits, now: () => now });
  return {
    facts,
    advance: (ms) => {
      now += ms;
    },
  };
}

const probe = {
  server: 'SeaweedFS Volume 30GB 4.44',
  kind: 'go',
  requiresToken: false,
  sentAt: 1000,
} as const;

describe('learned facts', () => {
  it('know nothing before the first answer', () => {
    const { facts } = factsAt();
    expect(facts.server).toBeUndefined();
    expect(facts.typeOf('.txt')).toBeUndefined();
    expect(facts.auth).toBe('unknown');
  });

  it('expire', () => {
    const { facts, advance } = factsAt();
    facts.learnProbe(probe);
    facts.learnType('.foo', 'text/x-foo');
    advance(learnedFactsDefaults.factMsMax);
    expect(facts.server).toBe(probe.server);
    expect(facts.typeOf('.foo')).toBe('text/x-foo');
    advance(1);
    expect(facts.server).toBeUndefined();
    expect(facts.typeOf('.foo')).toBeUndefined();
    expect(facts.typeCount).toBe(0);
  });

  it('forget every type when the Server value changes', () => {
    const { facts } = factsAt();
    facts.learnProbe(probe);
    facts.learnType('.foo', 'text/x-foo');
    facts.learnProbe(probe);
    expect(facts.typeOf('.foo')).toBe('text/x-foo');
    facts.learnProbe({ ...probe, server: 'SeaweedFS Volume 30GB 4.45' });
    expect(facts.typeOf('.foo')).toBeUndefined();
  });

  it('forget every type when the other kind of volume server answers', () => {
    const { facts } = factsAt();
    facts.learnProbe(probe);
    facts.learnType('.foo', 'text/x-foo');
    facts.learnProbe({ ...probe, kind: 'rust' });
    expect(facts.typeOf('.foo')).toBeUndefined();
    facts.missProbe('down', 'no answer');
    expect(facts.kind).toBe('rust');
  });

  it('tell a known absence from not knowing', () => {
    const { facts } = factsAt();
    facts.learnType('.none', '');
    expect(facts.typeOf('.none')).toBe('');
    expect(facts.typeOf('.other')).toBeUndefined();
  });

  it('hold a bounded number of types, the oldest going first', () => {
    const { facts } = factsAt({ typesMax: 3 });
    for (const ext of ['.a', '.b', '.c', '.d']) facts.learnType(ext, 'text/plain');
    expect(facts.typeCount).toBe(3);
    expect(facts.typeOf('.a')).toBeUndefined();
    expect(facts.typeOf('.d')).toBe('text/plain');
  });

  it('vouch for the need of tokens only for a while', () => {
    const { facts, advance } = factsAt();
    facts.learnProbe(probe);
    expect(facts.auth).toBe('open');
    facts.learnProbe({ ...probe, requiresToken: true });
    expect(facts.auth).toBe('required');
    advance(learnedFactsDefaults.authMsMax + 1);
    expect(facts.auth).toBe('unknown');
  });
});
