/** The hosts of which the UCX ports of this process take packets: those of each target that it connects to. */
import type { NativeClient } from '../native-types.ts';

export class AdmittedHosts {
  readonly #native: Pick<NativeClient, 'admitPeers'>;
  readonly #hosts = new Map<object, readonly string[]>();

  constructor(native: Pick<NativeClient, 'admitPeers'>) {
    this.#native = native;
  }

  /** Replaces the hosts of `owner`. Throws where the kernel takes no filter. */
  set(owner: object, hosts: readonly string[]): void {
    this.#hosts.set(owner, hosts);
    this.#tell();
  }

  /** A host stays admitted where another target has it, too. */
  drop(owner: object): void {
    if (this.#hosts.delete(owner)) this.#tell();
  }

  #tell(): void {
    this.#native.admitPeers([...new Set([...this.#hosts.values()].flat())]);
  }
}
