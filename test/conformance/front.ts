/**
 * Target and proxy in front of a volume server that is already running, on given ports, until SIGTERM. For replayers
 * that start the real server of a group themselves:
 *   node_modules/.bin/node test/conformance/front.ts --listen PORT --upstream HOST:PORT --dir DIR [--jwt-key KEY]
 *     [--public-listen PORT --public-upstream HOST:PORT] [--transport ucx|inproc|off] [--lane false]
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type RoleProcess, startRole } from '../../scripts/role-process.ts';

const text = <Value extends string>(value: Value) => ({ type: 'string', default: value }) as const;
const { values: options } = parseArgs({
  options: {
    listen: text('0'),
    upstream: text(''),
    dir: text(''),
    'jwt-key': text(''),
    'public-listen': text(''),
    'public-upstream': text(''),
    transport: text('ucx'),
    lane: text('true'),
  },
});

const folder = mkdtempSync(join(tmpdir(), 'front-'));
const security = join(folder, 'security.toml');
writeFileSync(security, `[jwt.signing.read]\nkey = "${options['jwt-key']}"\n`);
const roles: RoleProcess[] = [];
const start = async (role: string, config: string): Promise<RoleProcess> => {
  const running = await startRole(role, { config });
  roles.unshift(running);
  return running;
};

const target = options.transport === 'ucx' ? await start('target', targetConfig()) : undefined;
const proxies: (readonly [port: string, upstream: string])[] = [[options.listen, options.upstream]];
if (options['public-listen'] !== '' && options['public-upstream'] !== options.upstream) {
  proxies.push([options['public-listen'], options['public-upstream']]);
}
// A replayer that waits for the first port may then use both.
for (const [port, upstream] of proxies.reverse()) await start('proxy', proxyConfig(port, upstream));

process.once('SIGTERM', async () => {
  for (const role of roles) await role.stop();
  rmSync(folder, { recursive: true });
  process.exit(0);
});

function targetConfig(): string {
  return `
[rdma]
port = 0
buffer_size = "256MiB"
[target]
dirs = ["${options.dir}"]
volume_server_url = "http://${options.upstream}"
[admin]
listen = "127.0.0.1:0"
`;
}

function proxyConfig(port: string, upstream: string): string {
  const isOff = options.transport === 'off';
  const dirs = options.transport === 'inproc' ? `dirs = ["${options.dir}"]` : '';
  return `
[http]
listen = "127.0.0.1:${port}"
lane = ${options.lane}
[seaweedfs]
volume_server_url = "http://${upstream}"
security_toml = "${options['jwt-key'] === '' ? '' : security}"
[rdma]
mode = "${isOff ? 'off' : 'prefer'}"
transport = "${isOff ? 'ucx' : options.transport}"
${target === undefined ? dirs : `target = "${target.bound['rdma']}"`}
[cache]
size = "64MiB"
[memory]
size = "256MiB"
[admin]
listen = "127.0.0.1:0"
`;
}
