/** The log of a role: JSON lines on stdout, one object a line. */
import { pino } from 'pino';

export type Logger = pino.Logger;

export interface RoleLog {
  readonly logger: Logger;
  /** Before the process ends. */
  flush(): void;
}

/** A reader of stdout that went away does not stop a role: pino drops the lines then. */
export function createLog(level: string): RoleLog {
  const destination = pino.destination({ fd: 1, sync: true });
  const logger = pino(
    {
      level,
      base: null,
      messageKey: 'message',
      errorKey: 'error',
      timestamp: () => `,"timestamp":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
    },
    destination,
  );
  return { logger, flush: () => destination.flushSync() };
}
