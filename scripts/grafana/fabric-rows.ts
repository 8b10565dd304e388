/** Rows about what the proxies use: targets, memory, volume servers. */
import { lines, number, type Row, rate, series, states, sum } from './panels.ts';

export const fabricRows: readonly Row[] = [
  {
    title: 'Targets, as the proxies see them',
    panels: [
      states('Sessions', "Green while the session is up; the transport is UCX's own name.", [
        `max by (instance, target, transport) (${series('seaweed_rdma_target_up')})`,
        '{{instance}} → {{target}} {{transport}}',
      ]),
      states(
        'Breakers',
        'If it is not closed, reads are kept away from the target, or single ones probe it.',
        [
          `max by (instance, target, state) (${series('seaweed_rdma_breaker_state', 'state!="closed"')})`,
          '{{instance}} → {{target}} {{state}}',
        ],
        { 0: { text: 'no', color: 'transparent' }, 1: { text: 'yes', color: 'orange' } },
      ),
      lines(
        'Sessions and breakers',
        'Events a second; any but established is worth a look.',
        'ops',
        [
          [
            `sum by (event) (rate(${series('seaweed_rdma_sessions_total')}[$__rate_interval]))`,
            '{{event}}',
          ],
          [
            `sum by (target) (rate(${series('seaweed_rdma_breaker_opens_total')}[$__rate_interval]))`,
            'breaker of {{target}} opened',
          ],
        ],
      ),
      lines(
        'Rails: state',
        'Rails in each state; empty where the proxy has one way to each target.',
        'none',
        [
          [`sum by (target, state) (${series('seaweed_rdma_rail_state')})`, '{{target}} {{state}}'],
          [
            `sum by (target, rail, event) (rate(${series('seaweed_rdma_rail_sessions_total')}[$__rate_interval]))`,
            '{{target}} {{rail}} {{event}} a second',
          ],
        ],
      ),
      lines('Rails: bytes', 'Needle bytes a second by rail, and bytes outstanding.', 'bytes', [
        [
          `sum by (target, rail) (rate(${series('seaweed_rdma_rail_bytes_total')}[$__rate_interval]))`,
          '{{target}} {{rail}} a second',
        ],
        [
          `sum by (target, rail) (${series('seaweed_rdma_rail_outstanding_bytes')})`,
          '{{target}} {{rail}} outstanding',
        ],
      ]),
      lines('Rails: ejections', 'Events a second; each is a fault of one way.', 'ops', [
        [
          `sum by (target, rail) (rate(${series('seaweed_rdma_rail_ejections_total')}[$__rate_interval]))`,
          '{{target}} {{rail}} ejected',
        ],
        [
          `sum by (target, rail, way) (rate(${series('seaweed_rdma_rail_requests_moved_total')}[$__rate_interval]))`,
          '{{target}} {{rail}} requests {{way}}',
        ],
      ]),
      lines(
        'Hedged reads',
        'Late reads and those that were hedged, a second; empty with rdma.hedge = "off".',
        'ops',
        [
          [
            `sum by (target, hedge) (rate(${series('seaweed_rdma_late_reads_total')}[$__rate_interval]))`,
            '{{target}} late, {{hedge}}',
          ],
          [
            `sum by (target, winner) (rate(${series('seaweed_rdma_hedged_reads_total')}[$__rate_interval]))`,
            '{{target}} won by {{winner}}',
          ],
        ],
      ),
      lines('Late after', 'A read that waits for longer is late.', 's', [
        [`max by (target) (${series('seaweed_rdma_hedge_after_seconds')})`, '{{target}}'],
      ]),
      lines('Reads that wait for memory', "Reads that wait for the target's arena.", 'none', [
        [`sum by (instance) (${series('seaweed_rdma_target_reads_waiting')})`, '{{instance}}'],
      ]),
      lines('Duration of a read', 'Time from posting a read to its completion.', 's', [
        [
          `histogram_quantile(0.5, sum by (le, type) (rate(${series('rdma_operation_duration_seconds_bucket')}[$__rate_interval])))`,
          '{{type}} p50',
        ],
        [
          `histogram_quantile(0.99, sum by (le, type) (rate(${series('rdma_operation_duration_seconds_bucket')}[$__rate_interval])))`,
          '{{type}} p99',
        ],
      ]),
      lines(
        'Reads asked of targets',
        'An answer that names a state of the needle or the volume is a success.',
        'ops',
        [
          [
            `sum by (type, result) (rate(${series('rdma_operations_total')}[$__rate_interval]))`,
            '{{type}} {{result}}',
          ],
        ],
      ),
      lines(
        'Bytes from targets',
        'Needle bytes received.',
        'Bps',
        [
          [
            `sum by (target) (rate(${series('seaweed_rdma_fetched_bytes_total')}[$__rate_interval]))`,
            '{{target}}',
          ],
        ],
        { isStacked: true },
      ),
      lines('Round trip', 'Round trip of the last PING of each session.', 's', [
        [
          `max by (instance, target) (${series('seaweed_rdma_target_ping_seconds')})`,
          '{{instance}} → {{target}}',
        ],
      ]),
      lines('Fabric messages in flight', 'Messages that wait for an answer.', 'none', [
        [sum('seaweed_rdma_fabric_requests_in_flight', '', 'instance'), '{{instance}}'],
      ]),
      lines('Announced volumes', 'Only confirmed volumes are read over the fabric.', 'none', [
        [sum('seaweed_rdma_volumes', '', 'target, state'), '{{target}} {{state}}'],
      ]),
      lines(
        'Sessions that are up',
        'On a proxy: with targets. On a target: with proxies.',
        'none',
        [[sum('rdma_sessions_active', '', 'instance'), '{{instance}}']],
        { width: 12 },
      ),
      lines(
        'Bytes over the fabric',
        'Received (rx) and sent (tx), both roles.',
        'Bps',
        [
          [
            `sum by (instance, direction) (rate(${series('rdma_bytes_transferred_total')}[$__rate_interval]))`,
            '{{instance}} {{direction}}',
          ],
        ],
        { width: 12 },
      ),
    ],
  },
  {
    title: 'Memory: arena and leases',
    panels: [
      lines('Arena', 'Registered memory: everything received or sent lives in it.', 'bytes', [
        [sum('seaweed_rdma_arena_bytes', '', 'instance, state'), '{{instance}} {{state}}'],
      ]),
      lines(
        'Held for clients',
        'Needle bytes in leases until clients have taken them, and copies for slow clients.',
        'bytes',
        [
          [sum('seaweed_rdma_in_flight_bytes', '', 'instance'), '{{instance}} leased'],
          [sum('seaweed_rdma_copied_bytes', '', 'instance'), '{{instance}} copied'],
        ],
      ),
      lines('Slabs refused', 'Refused because none of the needed size was free.', 'ops', [
        [
          `sum by (instance) (rate(${series('seaweed_rdma_arena_refusals_total')}[$__rate_interval]))`,
          '{{instance}}',
        ],
      ]),
      lines(
        'Leases outstanding',
        'Each lease is returned when its bytes were sent.',
        'none',
        [[sum('seaweed_rdma_leases_outstanding', '', 'instance'), '{{instance}}']],
        { width: 12 },
      ),
      number(
        'Leases leaked',
        'Each one is a defect: please report it.',
        'none',
        sum('seaweed_rdma_lease_leaks_total'),
        {
          width: 12,
          height: 8,
          steps: [
            [null, 'green'],
            [1, 'red'],
          ],
        },
      ),
    ],
  },
  {
    title: 'Passthrough',
    panels: [
      states('Volume servers', "Green while the volume server answers the proxy's probe.", [
        `max by (instance, upstream) (${series('seaweed_rdma_upstream_up')})`,
        '{{instance}} → {{upstream}}',
      ]),
      lines('Connections to volume servers', 'Of the relay.', 'none', [
        [sum('seaweed_rdma_upstream_connections', '', 'upstream, state'), '{{upstream}} {{state}}'],
      ]),
      lines(
        'Requests that wait for one',
        'If it stays over zero, the volume server limits the forwarded requests.',
        'none',
        [[sum('seaweed_rdma_upstream_requests_waiting', '', 'upstream'), '{{upstream}}']],
      ),
      lines(
        'Requests passed by the relay',
        'On new and on reused connections.',
        'reqps',
        [
          [
            `sum by (upstream, connection) (rate(${series('seaweed_rdma_upstream_requests_total')}[$__rate_interval]))`,
            '{{upstream}} {{connection}}',
          ],
        ],
        { width: 12 },
      ),
      lines(
        'Retries',
        'Sent again because the reused connection of the first try broke.',
        'reqps',
        [[rate('seaweed_rdma_upstream_retries_total'), 'retries']],
        { width: 12 },
      ),
    ],
  },
];
