/** What a role runs with, key by key: as it was started, and as far as SIGHUP has changed it since. */
import { type CheckedKey, checkFile, type Role } from '../config/check-file.ts';

export class EffectiveConfiguration {
  readonly #role: Role;
  readonly #file: string | undefined;
  readonly #reloadable: ReadonlySet<string>;
  #keys: readonly CheckedKey[];

  /** `reloadable`: dotted keys. @throws ConfigError */
  constructor(role: Role, file: string | undefined, reloadable: readonly string[]) {
    this.#role = role;
    this.#file = file;
    this.#reloadable = new Set(reloadable);
    this.#keys = this.#read();
  }

  readonly keys = (): readonly CheckedKey[] => this.#keys;

  /** After the role took the reloadable keys of the file as it is now. */
  reload(): void {
    const isKept = ({ key }: CheckedKey): boolean => !this.#reloadable.has(key);
    const isTaken = ({ key }: CheckedKey): boolean => this.#reloadable.has(key);
    this.#keys = [...this.#keys.filter(isKept), ...this.#read().filter(isTaken)];
  }

  #read(): readonly CheckedKey[] {
    return checkFile(this.#file, this.#role, process.env).keys;
  }
}
