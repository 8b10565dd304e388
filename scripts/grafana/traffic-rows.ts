/** Rows about what clients get: traffic, latency, fallbacks, cache. */
import { heatmap, lines, number, type Row, rate, series, sum } from './panels.ts';

export const trafficRows: readonly Row[] = [
  {
    title: 'Overview',
    panels: [
      number(
        'Requests',
        'Finished requests a second, of all selected proxies.',
        'reqps',
        rate('seaweed_rdma_requests_total'),
      ),
      number(
        'Answered here',
        'Part of the requests that the proxies answered from the cache or over the fabric.',
        'percentunit',
        `${rate('seaweed_rdma_requests_total', 'outcome=~"cache|rdma"')} / ${rate('seaweed_rdma_requests_total')}`,
      ),
      number(
        'Errors',
        'Requests refused with 502, 503 or 504, a second.',
        'reqps',
        rate('seaweed_rdma_requests_total', 'outcome="error"'),
        {
          steps: [
            [null, 'green'],
            [0.001, 'red'],
          ],
        },
      ),
      number(
        'Fallbacks',
        'Part of the requests that went over HTTP because the fast path failed.',
        'percentunit',
        `${rate('seaweed_rdma_requests_total', 'outcome="passthrough", reason=~"target-down|breaker|deadline|no-slab|slow-reader|overload"')} / ${rate('seaweed_rdma_requests_total')}`,
        {
          steps: [
            [null, 'green'],
            [0.01, 'orange'],
            [0.05, 'red'],
          ],
        },
      ),
      number(
        'p99',
        "99th percentile of a request's duration, all outcomes.",
        's',
        `histogram_quantile(0.99, sum by (le) (rate(${series('seaweed_rdma_request_duration_seconds_bucket')}[$__rate_interval])))`,
      ),
      number(
        'Targets down',
        'Targets without a session with at least one selected proxy.',
        'none',
        `count(max by (instance, target) (${series('seaweed_rdma_target_up')}) == 0) or vector(0)`,
        {
          steps: [
            [null, 'green'],
            [1, 'red'],
          ],
        },
      ),
    ],
  },
  {
    title: 'Traffic',
    panels: [
      lines(
        'Requests by outcome',
        'Exact: each request is counted once, when it ends.',
        'reqps',
        [
          [
            `sum by (outcome) (rate(${series('seaweed_rdma_requests_total')}[$__rate_interval]))`,
            '{{outcome}}',
          ],
        ],
        { isStacked: true },
      ),
      lines(
        'Passed and refused, by reason',
        'docs/reasons.md says what each reason means and what to do.',
        'reqps',
        [
          [
            `sum by (outcome, reason) (rate(${series('seaweed_rdma_requests_total', 'outcome=~"passthrough|error"')}[$__rate_interval]))`,
            '{{outcome}}: {{reason}}',
          ],
        ],
        { isStacked: true },
      ),
      lines(
        'Bytes to clients',
        'Body bytes by outcome.',
        'Bps',
        [
          [
            `sum by (outcome) (rate(${series('seaweed_rdma_response_bytes_total')}[$__rate_interval]))`,
            '{{outcome}}',
          ],
        ],
        { isStacked: true },
      ),
      lines(
        'Requests by transport',
        'The transport that UCX chose; none: no target answered.',
        'reqps',
        [
          [
            `sum by (transport) (rate(${series('seaweed_rdma_requests_total')}[$__rate_interval]))`,
            '{{transport}}',
          ],
        ],
        { isStacked: true },
      ),
      lines('Client connections', 'Open connections, and the outcomes of new ones.', 'none', [
        [sum('seaweed_rdma_connections'), 'open'],
        [
          `sum by (event) (rate(${series('seaweed_rdma_client_connections_total')}[$__rate_interval]))`,
          '{{event}} a second',
        ],
      ]),
      lines('In hand', 'Requests being answered, and connections piped raw.', 'none', [
        [sum('seaweed_rdma_requests_in_flight'), 'requests'],
        [sum('seaweed_rdma_raw_pipes'), 'raw pipes'],
      ]),
      lines(
        'Way into the proxy',
        'lane: the raw-socket path. framework: fastify. raw: no request was understood.',
        'reqps',
        [
          [
            `sum by (way) (rate(${series('seaweed_rdma_requests_entered_total')}[$__rate_interval]))`,
            '{{way}}',
          ],
          [rate('seaweed_rdma_raw_pipes_total'), 'piped raw'],
        ],
      ),
    ],
  },
  {
    title: 'Latency',
    panels: [
      heatmap(
        'Requests answered from the cache',
        'Distribution of durations.',
        `sum by (le) (rate(${series('seaweed_rdma_request_duration_seconds_bucket', 'outcome="cache"')}[$__rate_interval]))`,
      ),
      heatmap(
        'Requests answered over the fabric',
        'Distribution of durations.',
        `sum by (le) (rate(${series('seaweed_rdma_request_duration_seconds_bucket', 'outcome="rdma"')}[$__rate_interval]))`,
      ),
      lines('p50 by outcome', 'Time from the parsed request to the last byte of its answer.', 's', [
        [
          `histogram_quantile(0.5, sum by (le, outcome) (rate(${series('seaweed_rdma_request_duration_seconds_bucket')}[$__rate_interval])))`,
          '{{outcome}}',
        ],
      ]),
      lines('p90 by outcome', 'Time from the parsed request to the last byte of its answer.', 's', [
        [
          `histogram_quantile(0.9, sum by (le, outcome) (rate(${series('seaweed_rdma_request_duration_seconds_bucket')}[$__rate_interval])))`,
          '{{outcome}}',
        ],
      ]),
      lines('p99 by outcome', 'Time from the parsed request to the last byte of its answer.', 's', [
        [
          `histogram_quantile(0.99, sum by (le, outcome) (rate(${series('seaweed_rdma_request_duration_seconds_bucket')}[$__rate_interval])))`,
          '{{outcome}}',
        ],
      ]),
    ],
  },
  {
    title: 'Fallbacks and their causes',
    panels: [
      lines(
        'Fallbacks by reason',
        'Trouble alone: requests that the fast path should have answered.',
        'reqps',
        [
          [
            `sum by (reason) (rate(${series('seaweed_rdma_requests_total', 'outcome="passthrough", reason=~"target-down|breaker|deadline|no-slab|slow-reader|overload"')}[$__rate_interval]))`,
            '{{reason}}',
          ],
        ],
        { isStacked: true },
      ),
      lines(
        'Fabric reads by status',
        'Final status of each read that the proxy asked a target for.',
        'ops',
        [
          [
            `sum by (status) (rate(${series('seaweed_rdma_fetches_total')}[$__rate_interval]))`,
            '{{status}}',
          ],
        ],
        { isStacked: true },
      ),
      lines(
        'Late and suppressed',
        'Answers that came after rdma.timeout, and log lines about trouble that the rate limit held back.',
        'ops',
        [
          [rate('seaweed_rdma_late_replies_total'), 'late replies'],
          [rate('seaweed_rdma_log_lines_suppressed_total'), 'log lines suppressed'],
        ],
      ),
    ],
  },
  {
    title: 'Cache',
    panels: [
      lines(
        'Hit ratio',
        'Share of look-ups that found a needle that may be served.',
        'percentunit',
        [
          [
            `sum by (instance) (rate(${series('seaweed_rdma_cache_hits_total')}[$__rate_interval])) / (sum by (instance) (rate(${series('seaweed_rdma_cache_hits_total')}[$__rate_interval])) + sum by (instance) (rate(${series('seaweed_rdma_cache_misses_total')}[$__rate_interval])))`,
            '{{instance}}',
          ],
        ],
        { max: 1 },
      ),
      lines('Look-ups', "Hits, misses, and requests that waited for another one's read.", 'ops', [
        [rate('seaweed_rdma_cache_hits_total'), 'hits'],
        [rate('seaweed_rdma_cache_misses_total'), 'misses'],
        [rate('seaweed_rdma_cache_joins_total'), 'joins'],
      ]),
      lines('Bytes from the cache', 'Stored bytes of the needles that were hit.', 'Bps', [
        [rate('seaweed_rdma_cache_hit_bytes_total'), 'hit bytes'],
      ]),
      lines('Size', 'Memory that the cache uses, and its limit.', 'bytes', [
        [sum('seaweed_rdma_cache_bytes', '', 'form'), '{{form}}'],
        [sum('seaweed_rdma_cache_size_bytes'), 'cache.size'],
        [sum('seaweed_rdma_decoding_bytes'), 'being decoded or sent decoded'],
      ]),
      lines('Needles', 'In the cache: stored, and of these also decoded.', 'none', [
        [sum('seaweed_rdma_cache_needles', '', 'form'), '{{form}}'],
      ]),
      lines(
        'Evictions and refusals',
        'Why needles left, needles not let in, and decodes for which there was no room.',
        'ops',
        [
          [
            `sum by (reason) (rate(${series('seaweed_rdma_cache_evictions_total')}[$__rate_interval]))`,
            '{{reason}}',
          ],
          [rate('seaweed_rdma_cache_refusals_total'), 'refused'],
          [rate('seaweed_rdma_decoding_refused_total'), 'not decoded'],
        ],
        { isStacked: true },
      ),
      lines(
        'Hits for one validation',
        'Hits that waited for a VALIDATE, divided by these.',
        'none',
        [
          [
            `${rate('seaweed_rdma_cache_validated_hits_total')} / ${rate('seaweed_rdma_cache_validations_total')}`,
            'hits',
          ],
        ],
      ),
      lines('Validations', 'VALIDATE messages by their end.', 'ops', [
        [
          `sum by (result) (rate(${series('seaweed_rdma_cache_validations_total')}[$__rate_interval]))`,
          '{{result}}',
        ],
      ]),
      lines('Wait for a validation', 'p50 and p99 of the wait of a hit.', 's', [
        [
          `histogram_quantile(0.5, sum by (le) (rate(${series('seaweed_rdma_cache_validation_wait_seconds_bucket')}[$__rate_interval])))`,
          'p50',
        ],
        [
          `histogram_quantile(0.99, sum by (le) (rate(${series('seaweed_rdma_cache_validation_wait_seconds_bucket')}[$__rate_interval])))`,
          'p99',
        ],
      ]),
    ],
  },
  {
    title: 'Lanes',
    panels: [
      lines('Requests by lane', 'Hits that lanes answered by themselves.', 'reqps', [
        [rate('seaweed_rdma_lane_requests_total', '', 'lane'), 'lane {{lane}}'],
      ]),
      lines('Connections by lane', 'Clients that wait for their next request there.', 'none', [
        [sum('seaweed_rdma_lane_connections', '', 'lane'), 'lane {{lane}}'],
      ]),
      lines(
        'Beside the answers',
        'Questions to the target, connections that went back to the event loop, and requests that no list or log has.',
        'ops',
        [
          [rate('seaweed_rdma_lane_questions_total'), 'questions'],
          [rate('seaweed_rdma_lane_returned_total'), 'connections given back'],
          [rate('seaweed_rdma_lane_samples_dropped_total'), 'samples dropped'],
        ],
      ),
      lines('Published', 'Answers that lanes may give, and pieces of the cache.', 'none', [
        [sum('seaweed_rdma_published_answers'), 'published answers'],
        [sum('seaweed_rdma_cache_slabs'), 'slabs of the cache'],
      ]),
    ],
  },
];
