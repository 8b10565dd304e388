/** The hosts of which the UCX ports of this process take packets: those of each target that it connects to. */
import { messageOf } from '../errors.ts';
import type { NativeClient } from '../native-types.ts';

export class AdmittedHosts {
  readonly #native: Pick<NativeClient, 'admitPeers'>;
  readonly #hosts = new Map<object, readonly string[]>();

  constructor(native: Pick<NativeClient, 'admitPeers'>) {
    this.#native = native;
  }

  /** Replaces the hosts of `owner`. @returns why that is not possible; they are not admitted then */
  set(owner: object, hosts: readonly string[]): string | undefined {
    this.#hosts.set(owner, hosts);
    const fault = this.#tell();
    if (fault !== undefined) this.drop(owner);
    return fault;
  }

  /** A host stays admitted where another target has it, too. */
  drop(owner: object): void {
    if (this.#hosts.delete(owner)) this.#tell();
  }

  #tell(): string | undefined {
    try {
      this.#native.admitPeers([...new Set([...this.#hosts.values()].flat())]);
      return undefined;
    } catch (error) {
      return messageOf(error);
    }
  }
}
