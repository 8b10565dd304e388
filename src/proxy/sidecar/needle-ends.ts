/**
 * Which reads up to a needle's end the mount had better do itself.
 *
 * `weed mount` cuts a read at the end of a chunk and hands the short rest to the kernel, which takes that for the end
 * of the file: a reader of a file of several chunks would find it ending at the first boundary that a read crosses
 * (weed/mount/filehandle_read.go, tryRDMARead, 4.44). A read that says `X-RDMA-Used: false` is done again by the mount
 * over HTTP, across the boundary. The sidecar sees neither the file nor how long the read was before it was cut.
 */

/** auto: what looks cut; decline: every read up to an end; serve: none. */
export type NeedleEnds = 'auto' | 'decline' | 'serve';

/** The kernel reads whole pages, so that a cut read starts and ends at one where chunks do. */
const pageBytes = 4_096;
/** The kernel's default read-ahead: shorter reads of a needle that no client has read yet look cut. */
const usualReadBytes = 131_072;
const rememberedMax = 16_384;

export class CutReads {
  readonly #ends: NeedleEnds;
  /** fid → the longest read so far. */
  readonly #longest = new Map<string, number>();

  constructor(ends: NeedleEnds) {
    this.#ends = ends;
  }

  /** To be asked once for each read that names its size. */
  looksCut(fid: string, offset: number, size: number, totalBytes: number): boolean {
    const longest = this.#longest.get(fid);
    if (longest === undefined || size > longest) this.#remember(fid, size);
    if (this.#ends === 'serve' || offset + size !== totalBytes) return false;
    if (this.#ends === 'decline') return true;
    // The last chunk of a file seldom ends with a page, the others nearly always do.
    if (offset === 0 || offset % pageBytes !== 0 || totalBytes % pageBytes !== 0) return false;
    return size < (longest ?? usualReadBytes);
  }

  #remember(fid: string, size: number): void {
    if (this.#longest.size >= rememberedMax && !this.#longest.has(fid)) {
      for (const oldest of this.#longest.keys()) {
        this.#longest.delete(oldest);
        break;
      }
    }
    this.#longest.set(fid, size);
  }
}
