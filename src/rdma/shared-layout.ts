/**
 * The memory that the native part shares with this thread: completions come in through a ring of fixed entries, one
 * command goes out through a block. native/addon/shared_layout.h has the same positions with their sizes asserted; the
 * contract suite reads every field through both.
 */

/** Raised with every change that moves or reuses a field, and with every export that is needed; the native part tells its own when it is loaded. */
export const layoutVersion = 2;

export const entryBytes = 128;

/** `kind` of an entry. */
export const entryKind = { read: 1, validate: 2, pong: 3 } as const;

/** Flags of ReadReply.reply_flags. */
export const replyFlag = { stream: 2, ttl: 4 } as const;

/** Positions in an entry, in units of the view that reads them. */
export const entryU32 = {
  kind: 0,
  ticket: 1,
  status: 2,
  checksum: 3,
  /** 0: no lease. */
  lease: 4,
  indexBytes: 5,
  pairsBytes: 6,
  /** Bytes from the lowest: name bytes, mime bytes, needle flags, volume version. */
  packed: 7,
  replyFlags: 8,
  /** Fields of a validation. */
  rows: 9,
  /** Fields of a pong. */
  requestsInFlight: 9,
  sessions: 10,
} as const;

export const entryF64 = {
  /** Offset of the stored bytes in the arena; name, mime and pairs follow them. */
  payloadOffset: 6,
  dataBytesTotal: 7,
  dataOffset: 8,
  dataBytes: 9,
  lastModifiedSeconds: 10,
  ttlLeftMs: 11,
  /** Fields of a pong. */
  roundTripUs: 6,
  arenaBytes: 7,
  arenaBytesUsed: 8,
} as const;

export const entryU64 = { epoch: 12, position: 13, appendAtNs: 14 } as const;

/** Positions in the command block. A validation's items follow at `itemsByte`, as in native/protocol/wire.h. */
export const commandU64 = { needleId: 0 } as const;
export const commandU32 = { volumeId: 2, cookie: 3, metadataOnly: 14 } as const;
export const commandF64 = {
  offset: 2,
  length: 3,
  wholeBytesMax: 4,
  budgetBytes: 5,
  timeoutNs: 6,
} as const;

export const itemsByte = 64;
export const itemsMax = 1024;
export const leaseMsMax = 60_000;
export const itemU64 = { words: 3, epoch: 0, position: 1 } as const;
export const itemU32 = { words: 6, volumeId: 4 } as const;

/** A verdict row, as in native/protocol/wire.h; its changed ids follow. */
export const rowU64 = { words: 4, epoch: 0, position: 1 } as const;
/** `verdictFlags`: the verdict in the lower half, flags in the upper. */
export const rowU32 = { volumeId: 4, idCount: 5, verdictFlags: 6 } as const;
export const rowFlagLeased = 1;
export const verdictNames = ['changed', 'flush', 'gone', 'unconfirmed'] as const;
