/** The metrics of a role's configuration, the same on both roles. */
import type { MetricRow } from './metric-row.ts';

export type ConfigurationMetricName =
  | 'configReloadSuccess'
  | 'configReloadSuccessTime'
  | 'configRestartKeys';

export const configurationMetricTable: Readonly<Record<ConfigurationMetricName, MetricRow>> = {
  configReloadSuccess: {
    name: 'seaweed_rdma_config_last_reload_successful',
    type: 'gauge',
    help: '1: the last read of the configuration succeeded; 0: it failed, and the one read before is in effect.',
    labels: [],
  },
  configReloadSuccessTime: {
    name: 'seaweed_rdma_config_last_reload_success_timestamp_seconds',
    type: 'gauge',
    help: 'Time when the configuration was last read without error, at the start or on SIGHUP.',
    labels: [],
  },
  configRestartKeys: {
    name: 'seaweed_rdma_config_restart_needed_keys',
    type: 'gauge',
    help: 'Keys whose value in the file takes effect at the next start only.',
    labels: [],
  },
};
