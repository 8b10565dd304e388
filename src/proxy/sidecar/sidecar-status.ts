/** The sidecar's listener since its start, for /stats of both listeners, /health and the metrics. */
import {
  count,
  described,
  flag,
  list,
  oneOf,
  orAbsent,
  record,
  recordOf,
  text,
  type ValueOf,
} from '../../schema/json-schema.ts';
import { needleSources, sidecarOutcomes, sidecarPaths } from './sidecar-outcome.ts';

const sidecarSeries = record({
  path: oneOf(...sidecarPaths),
  outcome: oneOf(...sidecarOutcomes),
  reason: text,
  count,
});
export type SidecarSeries = ValueOf<typeof sidecarSeries>;

const tempFileStats = record({
  files: count,
  bytes: count,
  created: count,
  cleaned: described(count, 'Files removed for clients.'),
  reaped: described(count, 'Files removed by the reaper, and at the end.'),
  refused: described(
    count,
    'Answers that went without a file: no room, or the file could not be written.',
  ),
});
export type TempFileStats = ValueOf<typeof tempFileStats>;

export const sidecarStatus = record({
  address: text,
  isDraining: flag,
  connections: count,
  connectionsRefused: described(count, 'Over sidecar.connections, where no other one was quiet.'),
  connectionsEvicted: described(count, 'Quiet ones that made place for newcomers.'),
  requestsInFlight: count,
  bytesInFlight: count,
  requests: described(list(sidecarSeries), 'The outcomes of all requests.'),
  needleBytes: described(recordOf(needleSources, count), 'In answers, by source.'),
  temp: described(orAbsent(tempFileStats), 'Absent without a temp_dir.'),
});
export type SidecarStatus = ValueOf<typeof sidecarStatus>;
