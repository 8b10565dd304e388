/** The metrics of the lanes, one series for each. */
import type { LaneStatus } from '../../proxy/lanes/lane-status.ts';
import type { ProxyStatus } from '../status.ts';
import type { ReadRow, Series } from './metric-row.ts';

type LaneSource = Pick<ProxyStatus, 'lanes'>;

function perLane(figure: (lane: LaneStatus) => number): (source: LaneSource) => readonly Series[] {
  return ({ lanes }) => (lanes?.lanes ?? []).map((lane, at) => [figure(lane), String(at)]);
}

export const laneRows: readonly ReadRow<LaneSource>[] = [
  {
    name: 'seaweed_rdma_lane_connections',
    type: 'gauge',
    help: 'Client connections that a lane has: they wait for their next request there.',
    labels: ['lane'],
    read: perLane(({ connections }) => connections),
  },
  {
    name: 'seaweed_rdma_lane_requests_total',
    type: 'counter',
    help: 'Requests that a lane has answered by itself.',
    labels: ['lane'],
    read: perLane(({ requests }) => requests),
  },
  {
    name: 'seaweed_rdma_lane_questions_total',
    type: 'counter',
    help: 'Questions of a lane whether a volume has changed; each is for all requests that wait.',
    labels: ['lane'],
    read: perLane(({ questions }) => questions),
  },
  {
    name: 'seaweed_rdma_lane_returned_total',
    type: 'counter',
    help: 'Connections that a lane gave back to the event loop, mostly with a request that is not published.',
    labels: ['lane'],
    read: perLane(({ returned }) => returned),
  },
  {
    name: 'seaweed_rdma_lane_samples_dropped_total',
    type: 'counter',
    help: 'Requests that were to be looked at more closely, in logs and lists, when there was no room for more.',
    labels: ['lane'],
    read: perLane(({ samplesDropped }) => samplesDropped),
  },
  {
    name: 'seaweed_rdma_published_answers',
    type: 'gauge',
    help: 'Answers that lanes may give.',
    labels: [],
    read: ({ lanes }) => lanes?.published,
  },
];
