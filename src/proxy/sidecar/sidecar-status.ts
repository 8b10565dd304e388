import type { SidecarSeries } from './sidecar-ledger.ts';
import type { TempFileStats } from './temp-files.ts';

/** The listener since its start, for /stats of both listeners, /health and the metrics. */
export interface SidecarStatus {
  readonly address: string;
  readonly isDraining: boolean;
  readonly connections: number;
  /** Over `sidecar.connections`, where no other one was quiet. */
  readonly connectionsRefused: number;
  /** Quiet ones that made place for newcomers. */
  readonly connectionsEvicted: number;
  readonly requestsInFlight: number;
  readonly bytesInFlight: number;
  /** The outcomes of all requests. */
  readonly requests: readonly SidecarSeries[];
  /** In answers, by who gave them. */
  readonly needleBytes: Readonly<Record<'cache' | 'rdma' | 'http', number>>;
  /** undefined: no temp_dir. */
  readonly temp: TempFileStats | undefined;
}
