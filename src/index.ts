/** The package's import face: the roles, and the client that a program of its own can read needles with. */

export type { NeedleName, ReadNeedleOptions } from './client/arguments.ts';
export { connect } from './client/connect.ts';
export type {
  CommonConnectOptions,
  ConfigConnectOptions,
  ConnectOptions,
  DirectoryConnectOptions,
  TargetConnectOptions,
} from './client/connect-options.ts';
export type {
  ClientPing,
  ClientStats,
  ClientTarget,
  ClientVolume,
  NeedleClient,
} from './client/needle-client.ts';
export type { NeedleContent, NeedleMetadata } from './client/needle-content.ts';
export {
  NeedleReadError,
  type ReadFailure,
  type ReadFault,
  TargetsUnreachableError,
} from './client/read-error.ts';
export { type OriginOptions, type RunningOrigin, startOrigin } from './origin/origin-server.ts';
export { type RunningProxy, startProxy } from './proxy/proxy.ts';
export type { ProxyOptions } from './proxy/proxy-options.ts';
export { RdmaMisuseError, RdmaUnavailableError } from './rdma/errors.ts';
export type { Lease } from './rdma/lease.ts';
export type {
  FetchResult,
  Needle,
  NeedleData,
  NeedleFetcher,
  PingResult,
  ReadCommand,
  TargetState,
  TargetVolume,
  ValidateItem,
  ValidateResult,
  ValidateVerdict,
} from './rdma/needle-fetcher.ts';
export {
  createRdmaClient,
  type InprocClientOptions,
  type RdmaClient,
  type RdmaClientOptions,
  type RdmaClientStats,
  type TargetAddress,
  type UcxClientOptions,
} from './rdma/rdma-client.ts';
export type { StatusName } from './rdma/status.ts';
export {
  type RunningTarget,
  startTarget,
  type TargetLogger,
  type TargetOptions,
} from './target-role/start-target.ts';
