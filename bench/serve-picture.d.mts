export interface PictureCell {
  readonly work: string;
  readonly bytes: number;
  readonly connections: number;
  readonly subject: string;
  readonly serverCpuUs: number;
  readonly cpuUs: number;
  readonly upstreamCpuUs: number;
}

/** An SVG document; undefined where no read of 4 KiB at `connections` was measured. */
export function servePicture(
  measured: { readonly cells: readonly PictureCell[]; readonly machine: string },
  connections: number,
): string | undefined;
