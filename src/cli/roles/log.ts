/** The log of a role on stdout: JSON, one object a line, or the same for people. */
import { isatty } from 'node:tty';
import { pino } from 'pino';
import { visibleJson, visibleLines } from '../output.ts';

export type Logger = pino.Logger;

/** auto: pretty on a terminal, else JSON. */
export type LogFormat = 'auto' | 'json' | 'pretty';

export interface LogOptions {
  readonly level: string;
  readonly format: LogFormat;
}

export interface RoleLog {
  readonly logger: Logger;
  /** Options that can change while the role runs. */
  configure(options: LogOptions): Promise<void>;
  /** Before the process ends. */
  flush(): void;
}

const stdout = 1;

/** A reader of stdout that went away does not stop a role: pino drops the lines then. */
export async function createLog(options: LogOptions): Promise<RoleLog> {
  const destination = pino.destination({ fd: stdout, sync: true });
  let shape = await shapeOf(options.format);
  const logger = pino(
    {
      level: options.level,
      base: null,
      messageKey: 'message',
      errorKey: 'error',
      timestamp: () => `,"timestamp":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
    },
    {
      // Paths and agents are clients' own: on a terminal nothing of them is a command, and none of them begins a line.
      write: (line) =>
        destination.write(shape === undefined ? visibleLines(line) : shape(visibleJson(line))),
    },
  );
  return {
    logger,
    async configure(next) {
      logger.level = next.level;
      shape = await shapeOf(next.format);
    },
    flush: () => destination.flushSync(),
  };
}

/** undefined: lines stay as they are. */
async function shapeOf(format: LogFormat): Promise<((line: string) => string) | undefined> {
  const isTerminal = isatty(stdout);
  if (format === 'json' || (format === 'auto' && !isTerminal)) return undefined;
  // Loaded only for a person at a terminal: a role in a service does not need it.
  const { prettyFactory } = await import('pino-pretty');
  return prettyFactory({
    colorize: isTerminal,
    messageKey: 'message',
    timestampKey: 'timestamp',
    translateTime: 'SYS:yyyy-mm-dd HH:MM:ss.l',
    errorLikeObjectKeys: ['error', 'err'],
    singleLine: true,
  });
}
