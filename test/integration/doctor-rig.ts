/** The doctor as a process, and the small servers that stand where a volume server should. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, expect } from 'vitest';
import type { Check } from '../../src/cli/doctor/check.ts';
import type { DoctorReport } from '../../src/cli/doctor/report.ts';
import { type Environment, program, runCommand } from './program.ts';

export interface Examined {
  readonly status: number | null;
  readonly report: DoctorReport;
}

/** What no output may hold; each examination looks for it. */
export const secrets: string[] = [];

export async function examine(
  args: readonly string[],
  environment: Environment = {},
  wrapper: readonly string[] = [],
): Promise<Examined> {
  const [command, ...rest] = [...wrapper, program, 'doctor', ...args, '--json'] as [string];
  const { status, stdout, stderr } = await runCommand(command, rest, environment);
  for (const secret of secrets) expect(stdout + stderr).not.toContain(secret);
  expect(stderr).toBe('');
  return { status, report: JSON.parse(stdout) as DoctorReport };
}

/** The one check of this name that did not pass, as it should not. */
export function planted(
  { report }: Examined,
  name: string,
  result: Check['result'] = 'fail',
): Check & { readonly fixes: string } {
  const found = report.checks.filter((check) => check.name === name && check.result === result);
  expect(found, `${name}: ${result} in ${JSON.stringify(report.checks)}`).not.toEqual([]);
  const check = found[0] as Check;
  return { ...check, fixes: check.fix.join('\n') };
}

export function failures({ report }: Examined): readonly Check[] {
  return report.checks.filter(({ result }) => result === 'fail');
}

const servers: Server[] = [];

afterAll(() => {
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
});

/** Returns its URL. */
export async function serve(
  answer: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<string> {
  const server = createServer(answer);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

export interface StubTraits {
  readonly clockAheadMs?: number;
  /** Whether a read without, or with this Authorization, is allowed. */
  readonly allows?: (authorization: string | undefined) => boolean;
}

/** As a volume server without volumes answers GET /status and reads. */
export function serveAsVolumeServer({
  clockAheadMs = 0,
  allows = () => true,
}: StubTraits): Promise<string> {
  return serve((request, response) => {
    response.setHeader('Server', 'SeaweedFS Volume 30GB 4.44');
    response.setHeader('Date', new Date(Date.now() + clockAheadMs).toUTCString());
    if (request.url === '/status') response.end('{"Version":"30GB 4.44","Volumes":null}');
    else response.writeHead(allows(request.headers.authorization) ? 404 : 401).end();
  });
}
