/**
 * The servers that the proxy is compared with, configured to be fast: docs/measurements/other-servers.md, "How the others
 * are configured". Each has a folder of its own, which its starter makes and removes.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { freePorts } from '../test/free-ports.ts';
import { answers, isInstalled, Program } from './programs.ts';

export interface Comparator {
  readonly program: Program;
  readonly port: number;
}

/** A volume server on the volumes in `volumeDir`, and the master that it wants to have. */
export async function startVolumeServer(
  weed: string,
  volumeDir: string,
  dir: string,
): Promise<Comparator & { readonly master: Program }> {
  const [masterPort, masterGrpc, port, grpc] = (await freePorts(4)) as [
    number,
    number,
    number,
    number,
  ];
  const master = new Program(
    [
      ...[weed, 'master', '-ip=127.0.0.1', '-ip.bind=127.0.0.1', `-mdir=${dir}`],
      ...[`-port=${masterPort}`, `-port.grpc=${masterGrpc}`],
      ...(hasTelemetry(weed) ? ['-telemetry=false'] : []),
    ],
    dir,
  );
  await master.until(() => answers(`http://127.0.0.1:${masterPort}/cluster/status`));
  const program = new Program(
    [
      ...[weed, 'volume', '-ip=127.0.0.1', '-ip.bind=127.0.0.1', `-dir=${volumeDir}`, '-max=8'],
      ...[`-port=${port}`, `-port.grpc=${grpc}`, `-master=127.0.0.1:${masterPort}.${masterGrpc}`],
      '-preStopSeconds=0',
    ],
    dir,
  );
  await program.until(() => answers(`http://127.0.0.1:${port}/status`));
  return { program, port, master };
}

/** A master that knows the flag reports to its makers without it. */
function hasTelemetry(weed: string): boolean {
  const { stdout, stderr } = spawnSync(weed, ['master', '-h'], { encoding: 'utf8' });
  return `${stdout}${stderr}`.includes('-telemetry');
}

export interface Nginx {
  readonly program: Program;
  readonly cachePort: number;
  readonly proxyPort: number;
}

/** One worker, with a server that caches and one that passes on; undefined: not installed. */
export async function startNginx(upstreamPort: number, dir: string): Promise<Nginx | undefined> {
  if (!isInstalled('nginx', ['-v'])) return undefined;
  const [cachePort, proxyPort] = (await freePorts(2)) as [number, number];
  const file = join(dir, 'nginx.conf');
  writeFileSync(file, nginxConfiguration(dir, { upstreamPort, cachePort, proxyPort }));
  const args = ['-p', dir, '-e', join(dir, 'error.log'), '-c', file];
  const program = new Program(['nginx', ...args], dir);
  await program.until(() => answers(`http://127.0.0.1:${proxyPort}/status`));
  return { program, cachePort, proxyPort };
}

function nginxConfiguration(
  dir: string,
  ports: Readonly<Record<'upstreamPort' | 'cachePort' | 'proxyPort', number>>,
): string {
  const { uid, username } = userInfo();
  // Started as root, its worker would become a user who may not write to `dir`.
  return `${uid === 0 ? `user ${username};` : ''}
daemon off;
worker_processes 1;
pid ${dir}/nginx.pid;
error_log ${dir}/error.log;
events { worker_connections 4096; }
http {
  access_log off;
  sendfile on;
  keepalive_requests 1000000000;
  keepalive_timeout 600s;
  client_max_body_size 1g;
  client_body_temp_path ${dir}/body;
  proxy_temp_path ${dir}/proxy;
  fastcgi_temp_path ${dir}/fastcgi;
  uwsgi_temp_path ${dir}/uwsgi;
  scgi_temp_path ${dir}/scgi;
  open_file_cache max=10000 inactive=600s;
  open_file_cache_valid 600s;
  proxy_cache_path ${dir}/cache levels=1:2 keys_zone=needles:64m inactive=10h use_temp_path=off;
  upstream volume_server {
    server 127.0.0.1:${ports.upstreamPort};
    keepalive 512;
    keepalive_requests 1000000000;
  }
  proxy_http_version 1.1;
  proxy_set_header Connection "";
  proxy_set_header Host $http_host;
  server {
    listen 127.0.0.1:${ports.cachePort};
    location / {
      proxy_pass http://volume_server;
      proxy_cache needles;
      proxy_cache_valid 200 10h;
      proxy_ignore_headers Cache-Control Expires Set-Cookie Vary;
    }
  }
  server {
    listen 127.0.0.1:${ports.proxyPort};
    location / {
      proxy_pass http://volume_server;
      proxy_request_buffering off;
      proxy_buffers 16 64k;
      proxy_busy_buffers_size 128k;
      proxy_max_temp_file_size 0;
    }
  }
}
`;
}

/**
 * Varnish, whose memory holds all needles; what it logs to shared memory for each request is left out. undefined: not
 * installed.
 */
export async function startVarnish(
  upstreamPort: number,
  dir: string,
): Promise<Comparator | undefined> {
  if (!isInstalled('varnishd', ['-V'])) return undefined;
  const [port] = (await freePorts(1)) as [number];
  const file = join(dir, 'default.vcl');
  writeFileSync(
    file,
    `vcl 4.0;
backend default { .host = "127.0.0.1"; .port = "${upstreamPort}"; }
sub vcl_backend_response { set beresp.ttl = 10h; }
`,
  );
  mkdirSync(join(dir, 'work'));
  const quiet = 'Begin End Link ReqStart ReqMethod ReqURL ReqProtocol ReqHeader ReqUnset ReqAcct'
    .concat(' RespProtocol RespStatus RespReason RespHeader RespUnset VCL_call VCL_return VCL_use')
    .concat(' Timestamp Hit SessOpen SessClose')
    .split(' ');
  const parameters = {
    timeout_idle: '600',
    vsl_mask: quiet.map((tag) => `-${tag}`).join(','),
  };
  const program = new Program(
    [
      ...['varnishd', '-F', '-j', 'none', '-n', join(dir, 'work'), '-f', file],
      ...['-a', `127.0.0.1:${port}`, '-s', 'malloc,1g'],
      ...Object.entries(parameters).flatMap(([name, value]) => ['-p', `${name}=${value}`]),
    ],
    dir,
  );
  await program.until(() => answers(`http://127.0.0.1:${port}/status`));
  return { program, port };
}
