/** A port of an RDMA device, and its GIDs, as sysfs shows them. */

export interface Gid {
  readonly index: number;
  readonly gid: string;
  /** "IB/RoCE v1" or "RoCE v2". */
  readonly type: string;
  readonly netDevice: string;
}

export interface DevicePort {
  /** UCX's name of the port: "mlx5_0:1". */
  readonly name: string;
  /** "4: ACTIVE". */
  readonly state: string;
  readonly physicalState: string;
  /** "InfiniBand" or "Ethernet". */
  readonly linkLayer: string;
  /** "100 Gb/sec (4X EDR)". */
  readonly rate: string;
  /** Without the empty ones. */
  readonly gids: readonly Gid[];
  /** MTU of the port's network device. */
  readonly mtuBytes: number | undefined;
}
