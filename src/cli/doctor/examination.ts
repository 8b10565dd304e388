/** One look at a machine. What several layers look at is gathered once, when the first of them asks. */
import { formatFid } from '../../rdma/volume-files.ts';
import type { Finding, Layer } from './check.ts';
import { judgeClientAddresses } from './client-addresses.ts';
import { gatherClients, judgeClients } from './client-requests.ts';
import { gatherClock, judgeClock } from './clock.ts';
import { gatherSecretFiles, judgeConfiguration } from './configuration.ts';
import { type DeviceFacts, gatherDevices, judgeDevices } from './devices.ts';
import { countVolumes, judgeLimits } from './limits.ts';
import { gatherMaster } from './master.ts';
import { gatherMemory, judgeMemory } from './memory.ts';
import { gatherMissing } from './missing-volumes.ts';
import { judgeNeedles } from './needle.ts';
import { chooseNeedles, type NeedleChoice } from './needle-choice.ts';
import { type Comparison, compareNeedle, type NeedleEvidence } from './needles.ts';
import { judgePorts, runningPid } from './ports.ts';
import {
  gatherListeners,
  gatherProcess,
  type ListeningSocket,
  type ProcessFacts,
  ucxVariablesOf,
} from './processes.ts';
import { gatherProgram, judgeProgram, type ProgramFacts } from './program.ts';
import { gatherExposed, gatherTokens, judgeSecurity } from './security.ts';
import { openSessions, type Sessions } from './sessions.ts';
import type { Setup } from './setup.ts';
import {
  type HttpPlaceNamed,
  type HttpSpeed,
  judgeSpeed,
  linkRate,
  measure,
  measureHttp,
} from './speed.ts';
import { gatherStorage, judgeStorage } from './storage.ts';
import { isSharedMemory, judgeTargets, type TargetContext } from './target.ts';
import { gatherTempDir, judgeTempDir } from './temp-dir.ts';
import { isOnThisHost } from './this-host.ts';
import { choiceOf, gatherUcx, judgeUcx } from './ucx.ts';
import { gatherVolumeServer, judgeVolumeServers, type VolumeServerFacts } from './volume-server.ts';
import { type Announcement, judgeVolumes, unannounced } from './volumes.ts';

export class Examination {
  readonly #setup: Setup;
  #program: ProgramFacts | undefined;
  #devices: DeviceFacts | undefined;
  #listeners: readonly ListeningSocket[] | undefined;
  #process: ProcessFacts | undefined;
  #sessions: Promise<Sessions | undefined> | undefined;
  #choice: Promise<NeedleChoice> | undefined;
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
        return judgeLimits(this.process, settings, countVolumes(settings?.storage?.dirs ?? []));
      case 'clock': {
        const [clock, servers] = await Promise.all([gatherClock(timeoutMs), this.servers()]);
        return judgeClock(clock, servers);
      }
      case 'ports':
        return judgePorts(settings, this.listeners);
      case 'volume-server':
        return judgeVolumeServers(settings, await this.servers(), this.listeners);
      case 'storage':
        return this.#storage();
      case 'target': {
        const context = { ...this.#deviceContext(), listeners: this.listeners };
        return judgeTargets(settings, await this.sessions(), context);
      }
      case 'volumes':
        return judgeVolumes(settings, await this.#announcements());
      case 'security': {
        const key = settings?.readKey;
        const tokens = await gatherTokens(await this.servers(), key, timeoutMs);
        return judgeSecurity(settings, tokens, await gatherExposed(settings));
      }
      case 'needle': {
        const { comparisons, why } = await this.choice();
        const compare = (one: Comparison): Promise<NeedleEvidence> =>
          compareNeedle(one, settings?.readKey, timeoutMs);
        return judgeNeedles(await Promise.all(comparisons.map(compare)), why);
      }
      case 'speed':
        return this.#speed();
      case 'clients':
        return this.#clients();
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

  get listeners(): readonly ListeningSocket[] {
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

  /** undefined: there is no fast path to open. */
  sessions(): Promise<Sessions | undefined> {
    const { settings, timeoutMs } = this.#setup;
    const isUsed = settings !== undefined && settings.mode !== 'off';
    this.#sessions ??= isUsed ? openSessions(settings, timeoutMs) : Promise.resolve(undefined);
    return this.#sessions;
  }

  choice(): Promise<NeedleChoice> {
    this.#choice ??= this.sessions().then((sessions) => chooseNeedles(this.#setup, sessions));
    return this.#choice;
  }

  async close(): Promise<void> {
    await (await this.#sessions)?.close();
  }

  async #storage(): Promise<readonly Finding[]> {
    const { settings } = this.#setup;
    const directories =
      settings?.storage === undefined ? [] : await gatherStorage(settings.storage);
    const [server] = await this.servers();
    const tempFiles = settings?.tempFiles;
    const tempDir = tempFiles && (await gatherTempDir(tempFiles.dir));
    return [...judgeStorage(settings, directories, server), judgeTempDir(settings, tempDir)];
  }

  async #announcements(): Promise<readonly Announcement[]> {
    const servers = await this.servers();
    const looks = (await this.sessions())?.looks ?? [];
    const storage = this.#setup.settings?.storage;
    return Promise.all(
      looks.map(async ({ facts: { name, session, volumeServerUrl } }) => {
        const volumes = session?.state.kind === 'up' ? session.volumes : undefined;
        const server = servers.find(({ url }) => url === volumeServerUrl);
        const ids = unannounced(volumes, server);
        const missing = storage && (await gatherMissing(storage, ids));
        return { name, volumes, server, missing };
      }),
    );
  }

  async #speed(): Promise<readonly Finding[]> {
    const { roots, timeoutMs, settings } = this.#setup;
    const { readable, why } = await this.choice();
    const [first] = readable;
    if (first === undefined) return judgeSpeed([], undefined, why);
    const { needle, fetcher, look } = first;
    const { name: target, host, session } = look.facts;
    const fid = formatFid(needle.volumeId, needle.needleId, needle.cookie);
    const speed = await measure(fetcher, needle, { target, fid }, timeoutMs);
    if (speed === undefined) return judgeSpeed([], undefined, `${fid} cannot be read`);
    const isThisHost =
      isOnThisHost(host) || session?.state.kind !== 'up' || isSharedMemory(session.state.transport);
    const link = linkRate(roots.sys, this.devices);
    // One after the other: what is measured side by side takes the processor from each other.
    const http: HttpSpeed[] = [];
    for (const place of this.#httpPlaces(look.facts.volumeServerUrl)) {
      http.push(await measureHttp(place, needle, settings?.readKey, timeoutMs));
    }
    return judgeSpeed([{ ...speed, http, isThisHost }], link, '');
  }

  /** The proxy where it runs on this machine. */
  #httpPlaces(volumeServerUrl: string | undefined): readonly HttpPlaceNamed[] {
    const { settings } = this.#setup;
    const places: HttpPlaceNamed[] = [];
    if (volumeServerUrl !== undefined) {
      places.push({ name: 'the volume server', url: volumeServerUrl });
    }
    const [front] = settings?.role === 'proxy' ? settings.listeners : [];
    if (front === undefined || 'path' in front.address) return places;
    if (runningPid(settings, this.listeners) === undefined) return places;
    const { host, port } = front.address;
    const reached = { '0.0.0.0': '127.0.0.1', '::': '[::1]' }[host] ?? host;
    return [...places, { name: 'the proxy', url: `http://${reached}:${port}` }];
  }

  async #clients(): Promise<readonly Finding[]> {
    const { settings, master, timeoutMs } = this.#setup;
    const isProxy = settings?.role === 'proxy';
    const came = isProxy ? await gatherClients(settings.admin, timeoutMs) : undefined;
    const listen = settings?.listeners.find(({ key }) => key === 'http.listen')?.address;
    const named =
      isProxy && master !== undefined && listen !== undefined
        ? await gatherMaster({ master, timeoutMs, listen, admin: settings.admin })
        : undefined;
    const servers = await this.servers();
    return [
      judgeClients(settings, came),
      ...judgeClientAddresses(settings, master, named, servers),
    ];
  }

  /** A running role has UCX's variables of its own. */
  #ucx(): { readonly variables: Readonly<Record<string, string>>; readonly of: string } {
    const { settings, roots, ucxVariables } = this.#setup;
    const pid = runningPid(settings, this.listeners);
    const variables = pid === undefined ? undefined : ucxVariablesOf(roots.proc, pid);
    if (variables === undefined) return { variables: ucxVariables, of: 'this process' };
    return { variables, of: `the running ${settings?.role} (pid ${pid})` };
  }

  #deviceContext(): Omit<TargetContext, 'listeners'> {
    const { settings } = this.#setup;
    const { tls = 'auto', deviceName = 'auto', transport } = settings ?? {};
    const isStream = transport === 'tcp';
    return { devices: this.devices.devices, tls, deviceName, isStream };
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
