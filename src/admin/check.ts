/** One line of /health. */
import { oneOf, openRecord, text, type ValueOf } from '../schema/json-schema.ts';

export const verdict = oneOf('ok', 'degraded', 'down');
export type Verdict = ValueOf<typeof verdict>;

/** Beside these a check has facts of its own. */
export const healthCheck = openRecord({ status: verdict, detail: text });
export type HealthCheck = ValueOf<typeof healthCheck>;
