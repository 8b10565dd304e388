/** /stats of either role as the tools read it. JSON has no bigint: those are text there. */
import type { ProxyPage, TargetPage } from '../../admin/stats.ts';

export type ProxyStats = Omit<ProxyPage, 'role' | 'clients'> & {
  readonly role: 'proxy';
  /** undefined: the proxy is of a version that does not tell. */
  readonly clients: ProxyPage['clients'] | undefined;
};
export type TargetStats = TargetPage & { readonly role: 'target' };
export type RoleStats = ProxyStats | TargetStats;
