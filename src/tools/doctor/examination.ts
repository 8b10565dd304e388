/** One look at a machine. What several layers look at is gathered once, when the first of them asks. */
import type { Finding, Layer } from './check.ts';
import { gatherClock, judgeClock } from './clock.ts';
import { gatherSecretFiles, judgeConfiguration } from './configuration.ts';
import { type DeviceFacts, gatherDevices, judgeDevices } from './devices.ts';
import { judgeLimits } from './limits.ts';
import { gatherMemory, judgeMemory } from './memory.ts';
import { judgePorts, runningPid } from './ports.ts';
import {
  gatherListeners,
  gatherProcess,
  type Listener,
  type ProcessFacts,
  ucxVariablesOf,
} from './processes.ts';
import { gatherProgram, judgeProgram, type ProgramFacts } from './program.ts';
import type { Setup } from './setup.ts';
import { choiceOf, gatherUcx, judgeUcx } from './ucx.ts';
import { gatherVolumeServer, judgeVolumeServers, type VolumeServerFacts } from './volume-server.ts';

export class Examination {
  readonly #setup: Setup;
  #program: ProgramFacts | undefined;
  #devices: DeviceFacts | undefined;
  #listeners: readonly Listener[] | undefined;
  #process: ProcessFacts | undefined;
  #servers: Promise<readonly VolumeServerFacts[]> | undefined;

  constructor(setup: Setup) {
    this.#setup = setup;
  }

  async look(layer: Layer): Promise<readonly Finding[]> {
    const setup = this.#setup;
    const { settings, roots, nearest, timeoutMs } = setup;
    switch (layer) {
      case 'configuration':
        return judgeConfiguration(setup, gatherSecretFiles(setup.secretPaths));
      case 'program':
        return judgeProgram(this.program);
      case 'ucx':
        return judgeUcx(await gatherUcx(setup, this.program.ucxVersion, this.#ucx()), nearest);
      case 'devices':
        return judgeDevices(this.devices, this.#deviceChoices(), nearest);
      case 'memory':
        return judgeMemory(gatherMemory(roots, this.process), settings, this.devices.devices);
      case 'limits':
        return judgeLimits(this.process, settings);
      case 'clock': {
        const [clock, servers] = await Promise.all([gatherClock(timeoutMs), this.servers()]);
        return judgeClock(clock, servers);
      }
      case 'ports':
        return judgePorts(settings, this.listeners);
      case 'volume-server':
        return judgeVolumeServers(settings, await this.servers());
      default:
        return [];
    }
  }

  get program(): ProgramFacts {
    this.#program ??= gatherProgram(this.#setup.version);
    return this.#program;
  }

  get devices(): DeviceFacts {
    this.#devices ??= gatherDevices(this.#setup.roots.sys);
    return this.#devices;
  }

  get listeners(): readonly Listener[] {
    this.#listeners ??= gatherListeners(this.#setup.roots.proc);
    return this.#listeners;
  }

  get process(): ProcessFacts {
    const { roots, settings } = this.#setup;
    const pid = runningPid(settings, this.listeners);
    this.#process ??= gatherProcess(roots.proc, pid, settings?.role);
    return this.#process;
  }

  servers(): Promise<readonly VolumeServerFacts[]> {
    const { settings, timeoutMs } = this.#setup;
    const urls = settings?.volumeServers ?? [];
    this.#servers ??= Promise.all(urls.map((url) => gatherVolumeServer(url, timeoutMs)));
    return this.#servers;
  }

  async close(): Promise<void> {}

  /** A running role has UCX's variables of its own. */
  #ucx(): { readonly variables: Readonly<Record<string, string>>; readonly of: string } {
    const { settings, roots, ucxVariables } = this.#setup;
    const pid = runningPid(settings, this.listeners);
    const variables = pid === undefined ? undefined : ucxVariablesOf(roots.proc, pid);
    if (variables === undefined) return { variables: ucxVariables, of: 'this process' };
    return { variables, of: `the running ${settings?.role} (pid ${pid})` };
  }

  #deviceChoices(): Parameters<typeof judgeDevices>[1] {
    const { variables } = this.#ucx();
    const configured = this.#setup.settings?.deviceName ?? 'auto';
    return {
      deviceName: choiceOf('rdma.device_name', configured, 'UCX_NET_DEVICES', variables),
      gidIndex: variables['UCX_IB_GID_INDEX'],
    };
  }
}
