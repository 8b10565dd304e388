import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { LimitedLog } from './limited-log.ts';
import { budgetMs, LineBudget } from './line-budget.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe('a budget of lines', () => {
  function budgetOf(linesPerMinute: number): { budget: LineBudget; told: number[] } {
    const told: number[] = [];
    const onHeldBack = (lines: number): void => void told.push(lines);
    return { budget: new LineBudget({ linesPerMinute, onHeldBack }), told };
  }
  const takes = (budget: LineBudget, count: number): boolean[] =>
    Array.from({ length: count }, () => budget.take());

  test('lets so many through in a minute, and again in the next', () => {
    const { budget } = budgetOf(2);
    expect(takes(budget, 4)).toEqual([true, true, false, false]);
    vi.advanceTimersByTime(budgetMs);
    expect(takes(budget, 3)).toEqual([true, true, false]);
    expect(budget.heldBackTotal).toBe(3);
  });

  test('tells what it held back when the minute is over, once', () => {
    const { budget, told } = budgetOf(1);
    takes(budget, 6);
    expect(told).toEqual([]);
    vi.advanceTimersByTime(budgetMs);
    expect(told).toEqual([5]);
    vi.advanceTimersByTime(10 * budgetMs);
    budget.close();
    expect(told).toEqual([5]);
  });

  test('has no timer while nothing is held back', () => {
    const { budget } = budgetOf(2);
    takes(budget, 2);
    expect(vi.getTimerCount()).toBe(0);
    takes(budget, 1);
    expect(vi.getTimerCount()).toBe(1);
    vi.advanceTimersByTime(budgetMs);
    expect(vi.getTimerCount()).toBe(0);
  });

  test('tells the rest at its end', () => {
    const { budget, told } = budgetOf(1);
    takes(budget, 3);
    budget.close();
    expect(told).toEqual([2]);
    expect(vi.getTimerCount()).toBe(0);
  });

  test('of none lets nothing through', () => {
    const { budget, told } = budgetOf(0);
    expect(takes(budget, 2)).toEqual([false, false]);
    budget.close();
    expect(told).toEqual([2]);
  });
});

describe('a limited log', () => {
  test('has a budget for each event, so that one flood does not hide another', () => {
    const lines: [string, Record<string, unknown>][] = [];
    const sink = {
      info: () => undefined,
      warn: (fields: object) => void lines.push(['warn', { ...fields }]),
      error: (fields: object) => void lines.push(['error', { ...fields }]),
    };
    const log = new LimitedLog(sink, 1);
    for (let count = 0; count < 3; count += 1) log.error({ event: 'bug' }, 'b');
    log.warn({ event: 'accept-failed' }, 'a');
    expect(lines).toEqual([
      ['error', { event: 'bug' }],
      ['warn', { event: 'accept-failed' }],
    ]);
    expect(log.suppressedLines).toBe(2);
    log.close();
    expect(lines.at(-1)).toEqual(['warn', { event: 'suppressed', of: 'bug', suppressed: 2 }]);
    log.linesPerMinute = 2;
    vi.advanceTimersByTime(budgetMs);
    expect([log.mayWrite('bug'), log.mayWrite('bug'), log.mayWrite('bug')]).toEqual([
      true,
      true,
      false,
    ]);
  });
});
