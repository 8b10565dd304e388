import { describe, expect, test } from 'vitest';
import { ConfigError } from './problem.ts';
import { loadProxyConfig, type ProxyConfig } from './proxy-config.ts';

const load = (rdma: string, environment: NodeJS.ProcessEnv = {}): ProxyConfig =>
  loadProxyConfig({ name: 'proxy.toml', text: `[rdma]\n${rdma}` }, environment);

function problemsOf(rdma: string): readonly string[] {
  try {
    load(rdma);
  } catch (error) {
    if (error instanceof ConfigError)
      return error.problems.map(({ key, message }) => `${key}: ${message}`);
    throw error;
  }
  return [];
}

const twoRails = 'transport = "tcp"\ndevice_name = ["eth0", "eth1"]';

describe('device_name', () => {
  test('as a list of several devices is rails', () => {
    const { rdma, volumeServers } = load(
      `${twoRails}\ntarget = ["10.0.1.2:18515", "10.0.2.2:18515"]`,
    );
    expect(rdma).toMatchObject({
      rails: ['eth0', 'eth1'],
      deviceName: 'eth0,eth1',
      target: '10.0.1.2:18515',
      railTimeoutMs: 200,
    });
    expect(volumeServers[0]).toMatchObject({
      target: '10.0.1.2:18515',
      targetAddresses: ['10.0.1.2:18515', '10.0.2.2:18515'],
    });
  });

  test.each(['"eth0,eth1"', '["eth0"]', '"auto"'])('as %s is none', (value) => {
    expect(load(`device_name = ${value}`).rdma.rails).toEqual([]);
  });

  test('may be a list in the environment, and stays one text without brackets', () => {
    const name = 'SEAWEED_RDMA__RDMA__DEVICE_NAME';
    const tcp = 'transport = "tcp"';
    expect(load(tcp, { [name]: '["eth0", "eth1"]' }).rdma.rails).toEqual(['eth0', 'eth1']);
    expect(load(tcp, { [name]: 'eth0,eth1' }).rdma).toMatchObject({
      rails: [],
      deviceName: 'eth0,eth1',
    });
  });
});

describe('a file of [rdma]', () => {
  test.each([
    ['device_name = []', /rdma\.device_name: expected a list of 1 to 8, not of 0/],
    [`device_name = [${'"e",'.repeat(9)}]`, /expected a list of 1 to 8, not of 9/],
    ['device_name = ["eth0", ""]', /empty text/],
    ['device_name = ["eth0", 7]', /names that UCX knows/],
    ['transport = "tcp"\ndevice_name = ["eth0", "eth0"]', /"eth0" is listed twice/],
    ['transport = "tcp"\ndevice_name = ["eth0,eth1", "eth2"]', /each rail is one device/],
    ['transport = "tcp"\ndevice_name = ["auto", "eth2"]', /each rail is one device/],
    [
      'transport = "inproc"\ndirs = ["/"]\ndevice_name = ["eth0", "eth1"]',
      /not for transport "inproc"/,
    ],
    ['target = ["10.0.1.2:1", "10.0.2.2:1"]', /rdma\.target: several addresses are for rails/],
    [`${twoRails}\ntarget = ["10.0.1.2:1", "10.0.1.2:1"]`, /listed twice/],
    [`${twoRails}\ntarget = ["10.0.1.2:1", "10.0.1.2"]`, /expected host:port/],
    [`${twoRails}\nfallback_tcp = true`, /rdma\.fallback_tcp: is for UCX/],
    ['transport = "inproc"\ndirs = ["/"]\nfallback_tcp = true', /nothing to fall back from/],
    [
      `${twoRails}\nrail_timeout = "2s"`,
      /rdma\.rail_timeout: rdma\.rail_timeout is not shorter than timeout/,
    ],
    ['connections = 2\ntimeout = "200ms"', /rdma\.timeout: .*not shorter than timeout/],
    ['hedge = "p99"\nhedge_after_max = "3s"', /rdma\.hedge_after_max: .* asks the volume server/],
    ['hedge = "p99"\ntimeout = "50ms"', /rdma\.timeout: .* asks the volume server anyway/],
    ['connections = 9', /rdma\.connections: must be 1 to 8, not 9/],
    [`${twoRails}\nconnections = 5`, /2 rails with 5 connections each are more than 8 sessions/],
    ['transport = "inproc"\ndirs = ["/"]\nconnections = 2', /connections are not for .*"inproc"/],
    [`${twoRails}\nrail_timeout = "1ms"`, /at least 20 ms/],
  ])('with %s is refused', (rdma, message) => {
    expect(problemsOf(rdma)).toEqual([expect.stringMatching(message)]);
  });
});
