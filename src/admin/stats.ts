/** /health and /stats of both roles, whole. */
import { targetVolume } from '../rdma/target-state.ts';
import {
  amount,
  described,
  list,
  mapOf,
  oneOf,
  record,
  text,
  type ValueOf,
} from '../schema/json-schema.ts';
import { healthCheck, verdict } from './check.ts';
import { requestTotals } from './metrics/proxy-ledger.ts';
import { proxyStatus, targetRoleStatus } from './status.ts';
import { clientsStatus } from './traffic/clients-status.ts';

const roleHead = {
  role: oneOf('proxy', 'target'),
  version: text,
  uptimeSeconds: amount,
};

const health = record({
  status: described(verdict, 'The worst of the checks.'),
  checks: mapOf(healthCheck),
});
export type Health = ValueOf<typeof health>;

export const healthPage = record({ ...roleHead, ...health.properties });

const proxyStats = record({
  ...proxyStatus.properties,
  requests: requestTotals,
  clients: clientsStatus,
});
export type ProxyStats = ValueOf<typeof proxyStats>;

const targetStats = record({
  ...targetRoleStatus.properties,
  listed: described(list(targetVolume), 'The served volumes, as last announced to the sessions.'),
});
export type TargetStats = ValueOf<typeof targetStats>;

export const statsPages = {
  proxy: record({ ...roleHead, ...proxyStats.properties }),
  target: record({ ...roleHead, ...targetStats.properties }),
};
export type ProxyPage = ValueOf<typeof statsPages.proxy>;
export type TargetPage = ValueOf<typeof statsPages.target>;
