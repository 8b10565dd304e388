/** How the program ends; 69 and 78 are of sysexits.h. */
export const exitCodes = {
  done: 0,
  failed: 1,
  usage: 2,
  /** The target, UCX, the native part or an address cannot be had. */
  unavailable: 69,
  configuration: 78,
} as const;
