/** Rows about the target role, the sidecar and the processes. */
import { lines, number, type Row, rate, series, sum, table } from './panels.ts';

export const processRows: readonly Row[] = [
  {
    title: 'Target role',
    panels: [
      lines(
        'Reads by status',
        'Reads by the status that proxies were answered.',
        'ops',
        [
          [
            `sum by (status) (rate(${series('seaweed_rdma_target_reads_total')}[$__rate_interval]))`,
            '{{status}}',
          ],
        ],
        { isStacked: true },
      ),
      lines(
        'Where the bytes were',
        'page_cache, or disk: an I/O thread read it.',
        'ops',
        [
          [
            `sum by (source) (rate(${series('seaweed_rdma_target_read_source_total')}[$__rate_interval]))`,
            '{{source}}',
          ],
        ],
        { isStacked: true },
      ),
      lines(
        'Confirmation age',
        'Time since the last successful poll of the volume server began. Over two intervals: nothing is served.',
        's',
        [
          [
            `max by (instance) (${series('seaweed_rdma_target_confirmation_age_seconds')})`,
            '{{instance}}',
          ],
        ],
      ),
      lines('Polls of the volume server', 'By their result.', 'ops', [
        [
          `sum by (result) (rate(${series('seaweed_rdma_target_confirmations_total')}[$__rate_interval]))`,
          '{{result}}',
        ],
      ]),
      lines(
        'Volumes',
        'Volumes loaded, and of these confirmed; and volumes that the volume server lists, by coverage.',
        'none',
        [
          [sum('seaweed_rdma_target_volumes', '', 'instance, state'), '{{instance}} {{state}}'],
          [
            sum('seaweed_rdma_target_listed_volumes', '', 'instance, state'),
            '{{instance}} listed, {{state}}',
          ],
        ],
      ),
      lines('Needles and their maps', 'Needles in the maps of the loaded volumes.', 'none', [
        [sum('seaweed_rdma_target_needles', '', 'instance'), '{{instance}}'],
      ]),
      lines('Memory of the maps', 'Maps of the loaded volumes.', 'bytes', [
        [sum('seaweed_rdma_target_map_bytes', '', 'instance'), '{{instance}}'],
      ]),
      lines(
        'Sessions',
        'welcomed, refused or lost, a second; pending: not yet proved that they may read; silent: not said yet who they are, ended when it takes too long.',
        'none',
        [
          [
            `sum by (event) (rate(${series('seaweed_rdma_target_sessions_total')}[$__rate_interval]))`,
            '{{event}} a second',
          ],
          [sum('seaweed_rdma_target_sessions_pending'), 'pending'],
          [sum('seaweed_rdma_target_connections_waiting'), 'silent'],
          [
            `sum(rate(${series('seaweed_rdma_target_connections_ended_total')}[$__rate_interval]))`,
            'silent, ended a second',
          ],
        ],
      ),
      lines('Requests in flight', 'Requests whose needles are being read or sent.', 'none', [
        [sum('seaweed_rdma_target_requests_in_flight', '', 'instance'), '{{instance}}'],
      ]),
      lines(
        'Coherence',
        'Validations answered, changes pushed, and volumes whose changes are pushed.',
        'none',
        [
          [rate('seaweed_rdma_target_validations_total'), 'validations a second'],
          [rate('seaweed_rdma_target_changes_pushed_total'), 'changes pushed a second'],
          [sum('seaweed_rdma_target_volume_leases'), 'volume leases'],
        ],
      ),
      lines('Generations begun', 'Loads, and reloads after a vacuum.', 'ops', [
        [
          `sum by (instance) (rate(${series('seaweed_rdma_target_reloads_total')}[$__rate_interval]))`,
          '{{instance}}',
        ],
      ]),
      number(
        'Damaged records',
        'Reads that found a wrong checksum, size or structure. seaweed-rdma volume verify names them.',
        'none',
        sum('seaweed_rdma_target_corrupt_total'),
        {
          width: 8,
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
    title: 'Sidecar (weed mount -rdma.sidecar)',
    panels: [
      lines(
        'Requests by outcome',
        "declined: bytes that the mount is told to read itself. None of these is in the proxy's own counters.",
        'reqps',
        [
          [
            `sum by (outcome) (rate(${series('seaweed_rdma_sidecar_requests_total')}[$__rate_interval]))`,
            '{{outcome}}',
          ],
        ],
        { isStacked: true },
      ),
      lines(
        'Over HTTP, refused and failed, by reason',
        'Why an answer came over HTTP, was refused or failed.',
        'reqps',
        [
          [
            `sum by (path, reason) (rate(${series('seaweed_rdma_sidecar_requests_total', 'reason!=""')}[$__rate_interval]))`,
            '{{path}}: {{reason}}',
          ],
        ],
        { isStacked: true },
      ),
      lines(
        'p50 and p99 of a read',
        'Time from the parsed request to the last byte of its answer.',
        's',
        [
          [
            `histogram_quantile(0.5, sum by (le, path) (rate(${series('seaweed_rdma_sidecar_request_duration_seconds_bucket', 'path=~"read|rdma_read"')}[$__rate_interval])))`,
            '{{path}} p50',
          ],
          [
            `histogram_quantile(0.99, sum by (le, path) (rate(${series('seaweed_rdma_sidecar_request_duration_seconds_bucket', 'path=~"read|rdma_read"')}[$__rate_interval])))`,
            '{{path}} p99',
          ],
        ],
      ),
      lines(
        'Needle bytes by source',
        'In its answers.',
        'Bps',
        [
          [
            `sum by (source) (rate(${series('seaweed_rdma_sidecar_needle_bytes_total')}[$__rate_interval]))`,
            '{{source}}',
          ],
        ],
        { isStacked: true },
      ),
      lines(
        'Connections',
        'Open connections, those closed at the limit of sidecar.connections, and requests in hand.',
        'none',
        [
          [sum('seaweed_rdma_sidecar_connections'), 'open'],
          [rate('seaweed_rdma_sidecar_connections_refused_total'), 'refused a second'],
          [rate('seaweed_rdma_sidecar_connections_evicted_total'), 'evicted a second'],
          [sum('seaweed_rdma_sidecar_requests_in_flight'), 'requests in flight'],
        ],
      ),
      lines('Bytes in hand', 'Answers being made and sent, and temp files.', 'bytes', [
        [sum('seaweed_rdma_sidecar_in_flight_bytes'), 'in flight'],
        [sum('seaweed_rdma_sidecar_temp_bytes'), 'temp files'],
      ]),
      lines(
        'Temp files',
        'Temp files that exist.',
        'none',
        [[sum('seaweed_rdma_sidecar_temp_files', '', 'instance'), '{{instance}}']],
        { width: 12 },
      ),
      lines(
        'Temp file events',
        'refused: for want of room, or the file could not be written.',
        'ops',
        [
          [
            `sum by (event) (rate(${series('seaweed_rdma_sidecar_temp_file_events_total')}[$__rate_interval]))`,
            '{{event}}',
          ],
        ],
        { width: 12 },
      ),
    ],
  },
  {
    title: 'Processes',
    panels: [
      lines('CPU', 'Cores in use.', 'none', [
        [
          `sum by (instance) (rate(${series('process_cpu_seconds_total')}[$__rate_interval]))`,
          '{{instance}}',
        ],
      ]),
      lines(
        'Memory',
        'Resident memory; it includes the touched part of the arena, and no hugepages.',
        'bytes',
        [
          [series('process_resident_memory_bytes'), '{{instance}} resident'],
          [series('nodejs_heap_size_used_bytes'), '{{instance}} heap'],
          [series('nodejs_external_memory_bytes'), '{{instance}} external'],
        ],
      ),
      lines('Event loop lag', 'Seen at each scrape.', 's', [
        [series('nodejs_eventloop_lag_seconds'), '{{instance}}'],
      ]),
      lines('Garbage collection', 'Time in garbage collection, per second.', 'percentunit', [
        [
          `sum by (instance, kind) (rate(${series('nodejs_gc_duration_seconds_sum')}[$__rate_interval]))`,
          '{{instance}} {{kind}}',
        ],
      ]),
      lines('Descriptors', 'Open, and the limit.', 'none', [
        [series('process_open_fds'), '{{instance}} open'],
        [series('process_max_fds'), '{{instance}} limit'],
      ]),
      lines('Configuration', 'Keys that wait for a restart, and reloads that failed.', 'none', [
        [sum('seaweed_rdma_config_restart_needed_keys', '', 'instance'), '{{instance}} keys wait'],
        [
          `sum by (instance) (1 - ${series('seaweed_rdma_config_last_reload_successful')})`,
          '{{instance}} last reload failed',
        ],
      ]),
      lines(
        'Age of the configuration',
        'Time since it was last read without error.',
        's',
        [
          [
            `time() - ${series('seaweed_rdma_config_last_reload_success_timestamp_seconds')}`,
            '{{instance}}',
          ],
        ],
        { width: 12 },
      ),
      table(
        'What runs',
        'Version, Node and role of each instance.',
        series('seaweed_rdma_build_info'),
      ),
    ],
  },
];
