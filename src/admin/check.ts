/** One line of /health. */
export type Verdict = 'ok' | 'degraded' | 'down';

export interface HealthCheck {
  readonly status: Verdict;
  readonly detail: string;
  readonly [fact: string]: unknown;
}
